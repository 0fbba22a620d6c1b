"""Merging a batch's news of activities on SQLite, where one writer is alone: `merging` as Python and SQL.

Nearly all that is told is new. So it is inserted without a look; what the key turns away is known already,
and that little is merged in Python, as worker.activities says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, Row

from worker.activities import Activity, Kind
from worker.adapters.database.types import as_text, as_texts
from worker.adapters.database.values import execute_values
from worker.news import ActivityNews
from worker.ports import Moved
from worker.rules.rulebook import Marks

# OR FAIL: whatever fails, the transaction is rolled back. So SQLite need not be able to undo the statement
# alone, for which it would copy every page that it writes to.
_INSERT = (
    "INSERT OR FAIL INTO activities (rowid, user_id, kind, object_id, first_at, last_at, removed_at, "
    "counted_at, source, event_id) {values} ON CONFLICT DO NOTHING"
)
_LAST = "SELECT coalesce(max(rowid), 0) FROM activities"
# As one text: a third of what it costs to make rows of numbers.
_SINCE = "SELECT json_group_array(rowid) FROM activities WHERE rowid > ?"
_STORED = (
    "SELECT a.rowid, a.first_at, a.last_at, a.removed_at, a.source, a.event_id, n.column4 "
    "FROM ({values}) AS n CROSS JOIN activities a "
    "ON a.user_id = n.column1 AND a.kind = n.column2 AND a.object_id = n.column3"
)
_UPDATE = (
    "UPDATE activities SET first_at = ?, last_at = ?, removed_at = ?, counted_at = ?, source = ?, "
    "event_id = ? WHERE rowid = ?"
)
_COUNT = (
    "INSERT OR FAIL INTO counts (user_id, kind, value) {values} "
    "ON CONFLICT (user_id, kind) DO UPDATE SET value = value + excluded.value"
)
_RETURNING = " RETURNING user_id, kind, value"
# The driver would ask of each Kind, which is not quite text, how to write it.
_TEXT = {kind: kind.value for kind in Kind}


class _Change:
    """By how much a count changes, and from when to when that began to count which changed."""

    __slots__ = ("delta", "since", "until")

    def __init__(self, delta: int, at: datetime | None) -> None:
        self.delta = delta
        self.since = self.until = at

    def add(self, delta: int, at: datetime | None) -> None:
        self.delta += delta
        if at is None:
            return
        if self.since is None or at < self.since:
            self.since = at
        if self.until is None or at > self.until:
            self.until = at


class _Changes(dict[tuple[str, Kind], _Change]):
    """The changes of counts, by user and kind."""

    def add(self, key: tuple[str, Kind], delta: int, at: datetime | None) -> None:
        change = self.get(key)
        if change is None:
            self[key] = _Change(delta, at)
        else:
            change.add(delta, at)


class _Written(NamedTuple):
    """News, since when each would count if nothing was known of it, and the columns of their rows."""

    news: Sequence[ActivityNews]
    counted: Sequence[datetime | None]
    columns: Sequence[Sequence[Any]]


def written_on_sqlite(news: Sequence[ActivityNews]) -> _Written:
    """Do what `written` does."""
    counted = [each[3] if each[5] is None else each.activity.counted_at(each[1]) for each in news]
    return _Written(news, counted, _columns(news, counted) if news else ())


def merge_on_sqlite(connection: Connection, written: _Written, marks: Mapping[Kind, Marks]) -> list[Moved]:
    """Do what `merge` does."""
    news, counted, columns = written
    if not news:
        return []
    known = _insert(connection, columns)
    changes = _Changes()
    for place, (each, at) in enumerate(zip(news, counted, strict=True)):
        if at is not None and place not in known:
            changes.add(each[:2], 1, at)
    if known:
        _merge_known(connection, [news[place] for place in sorted(known)], changes)
    return _count(connection, changes, marks)


def _insert(connection: Connection, columns: Sequence[Sequence[Any]]) -> set[int]:
    """Insert what is new, and return the places of what is known.

    Rows are numbered by us: the numbers that are missing afterwards are of those that the key turned away.
    """
    first: int = connection.exec_driver_sql(_LAST).scalar_one() + 1
    numbers = range(first, first + len(columns[0]))
    for _ in execute_values(connection, _INSERT, [numbers, *columns]):
        pass
    inserted = orjson.loads(connection.exec_driver_sql(_SINCE, (first - 1,)).scalar_one())
    return {number - first for number in set(numbers).difference(inserted)}


def _columns(news: Sequence[ActivityNews], counted: Sequence[datetime | None]) -> list[Sequence[Any]]:
    users, kinds, objects, firsts, lasts, removals, sources, events = zip(*news, strict=True)
    texts = as_texts(firsts)
    instants = [texts, *(_written(column, firsts, texts) for column in (lasts, removals, counted))]
    return [users, [_TEXT[kind] for kind in kinds], objects, *instants, sources, events]


def _written(
    instants: Iterable[datetime | None], firsts: Iterable[datetime | None], texts: Iterable[str | None]
) -> list[str | None]:
    """Return the instants as text; mostly they are the first ones, which are written already, or none."""
    return [
        None if at is None else text if at is first else as_text(at)
        for at, first, text in zip(instants, firsts, texts, strict=True)
    ]


def _merge_known(connection: Connection, news: Sequence[ActivityNews], changes: _Changes) -> None:
    updates = []
    for each, number, before in _stored(connection, news):
        now = before.merged(each.activity)
        if now == before:
            continue
        counted, was = now.counted_at(each.kind), before.counted_at(each.kind)
        *instants, source, event_id = now
        written = [None if at is None else as_text(at) for at in (*instants, counted)]
        updates.append((*written, source, event_id, number))
        if counted != was:
            changes.add(each[:2], (counted is not None) - (was is not None), counted)
    if updates:
        connection.exec_driver_sql(_UPDATE, updates)


def _stored(
    connection: Connection, news: Sequence[ActivityNews]
) -> Iterator[tuple[ActivityNews, int, Activity]]:
    """Yield what is stored of each: its number and what is known."""
    users, kinds, objects, *_ = zip(*news, strict=True)
    keys = users, [_TEXT[kind] for kind in kinds], objects, range(len(news))
    for found in execute_values(connection, _STORED, keys):
        for number, first, last, removed, source, event_id, place in found.all():
            instants = _instant(first), _instant(last), _instant(removed)
            yield news[place], number, Activity(*instants, source, event_id)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


def _count(connection: Connection, changes: _Changes, marks: Mapping[Kind, Marks]) -> list[Moved]:
    """Move the counts, and return those that passed a mark; of kinds without any, none is asked for."""
    _move(connection, _COUNT, [each for each in changes.items() if each[0][1] not in marks])
    marked = [each for each in changes.items() if each[0][1] in marks]
    moved = []
    for user_id, kind, new in _move(connection, _COUNT + _RETURNING, marked):
        change = changes[user_id, kind]
        old, since = new - change.delta, change.since
        if marks[kind].passed(old, new, moved=since is not None):
            moved.append(Moved(user_id, Kind(kind), old, new, since, change.until))
    return moved


def _move(
    connection: Connection, sql: str, changes: Sequence[tuple[tuple[str, Kind], _Change]]
) -> list[Row[*tuple[Any, ...]]]:
    columns = (
        [user_id for (user_id, _), _ in changes],
        [_TEXT[kind] for (_, kind), _ in changes],
        [change.delta for _, change in changes],
    )
    results = execute_values(connection, sql, columns)
    return [row for result in results if result.returns_rows for row in result.all()]
