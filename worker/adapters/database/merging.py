"""Merging a batch's news of activities: what design.md section 1 says of a row, as SQL.

The users are locked by an earlier statement, so what is read here of their activities and counts is what
nobody else can change, and what is missing nobody else can insert.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql

from worker.activities import Kind
from worker.adapters.database.arrays import INSTANT, TEXT, Rows
from worker.adapters.database.statements import statement
from worker.adapters.database.types import as_text
from worker.news import ActivityNews
from worker.ports import Moved
from worker.rules.rulebook import Marks

_NEWS = Rows(
    "n",
    user_id=TEXT,
    kind=TEXT,
    object_id=TEXT,
    first_at=INSTANT,
    last_at=INSTANT,
    removed_at=INSTANT,
    source=TEXT,
    event_id=TEXT,
)
_COLUMNS = "user_id, kind, object_id, first_at, last_at, removed_at, counted_at, source, event_id"
_NEVER = 2**31 - 1


def merge(connection: Connection, news: Sequence[ActivityNews], marks: Mapping[Kind, Marks]) -> list[Moved]:
    """Merge the news into `activities`, move `counts`, and return the counts that may decide something.

    `news` has each key once, sorted. Every count is returned that passed a mark; others may be too.
    """
    if connection.dialect.name == "sqlite":
        return _merge_on_sqlite(connection, news, marks)
    found = connection.execute(statement(_POSTGRESQL), _parameters(news, marks)).all()
    return [Moved(user_id, Kind(kind), *rest) for user_id, kind, *rest in found]


def _parameters(news: Sequence[ActivityNews], marks: Mapping[Kind, Marks]) -> dict[str, Any]:
    columns: list[Sequence[Any]] = list(zip(*news, strict=True))
    firsts, lasts = columns[3:5]
    # An activity is mostly seen once: then its last time is its first, and need not be written twice.
    columns[4] = [None if last is first else last for first, last in zip(firsts, lasts, strict=True)]
    parameters = _NEWS.bind_columns(columns)
    for kind in _COUNTED:
        marked = marks.get(kind, Marks())
        parameters[f"{kind}_thresholds"] = f"{{{','.join(map(str, marked.thresholds))}}}"
        parameters[f"{kind}_enough"] = _NEVER if marked.enough is None else marked.enough
    return parameters


# The kinds of which a criterion counts.
_COUNTED = (Kind.POST, Kind.CONNECTED)

_LIVE_SINCE = (
    "CASE WHEN first_at IS NULL THEN NULL "
    "WHEN removed_at IS NULL OR kind IN ('enrolled', 'completed', 'passed') THEN first_at "
    "WHEN kind = 'post' OR last_at <= removed_at THEN NULL "
    "WHEN first_at > removed_at THEN first_at ELSE last_at END"
)


def _news_is_first(by_code_point: str) -> str:
    """Return the condition that the news said it first; ties are settled as in Activity.merged."""
    said = f"(n.source {by_code_point}, n.event_id {by_code_point})"
    return (
        "(n.first_at IS NOT NULL AND (o.first_at IS NULL "
        "OR n.first_at < o.first_at "
        f"OR n.first_at = o.first_at AND {said} < (o.source, o.event_id)))"
    )


def _settled(
    source: str, earliest: str, latest: str, removed: str, *, by_code_point: str = "", place: str = "rowid"
) -> str:
    """Return the query that merges each row of news (called n) with what is stored of it (called o)."""
    is_first = _news_is_first(by_code_point)
    return (
        f"SELECT *, {_LIVE_SINCE} AS counted_at FROM ("
        "SELECT n.user_id, n.kind, n.object_id, "
        f"{earliest} AS first_at, {latest} AS last_at, {removed} AS removed_at, "
        f"CASE WHEN o.user_id IS NULL OR {is_first} THEN n.source ELSE o.source END AS source, "
        f"CASE WHEN o.user_id IS NULL OR {is_first} THEN n.event_id ELSE o.event_id END AS event_id, "
        f"o.{place} AS place, o.counted_at AS was, o.user_id IS NULL AS fresh, "
        f"o.user_id IS NOT NULL AND ({is_first} "
        "OR coalesce(n.last_at, n.first_at) > o.last_at OR o.last_at IS NULL AND n.first_at IS NOT NULL "
        "OR n.removed_at > o.removed_at OR o.removed_at IS NULL AND n.removed_at IS NOT NULL) AS changed "
        f"FROM {source} LEFT JOIN activities o "
        "ON o.user_id = n.user_id AND o.kind = n.kind AND o.object_id = n.object_id) AS m"
    )


def _may_decide(kind: Kind) -> str:
    """Return the condition that a count passed one of this kind's marks."""
    thresholds = f"CAST(:{kind}_thresholds AS integer[])"
    passed = f"width_bucket(old, {thresholds}) < width_bucket(old + delta, {thresholds})"
    return f"WHEN '{kind}' THEN {passed} OR since IS NOT NULL AND old + delta >= :{kind}_enough"


# One statement: the rows that are merged are read, written, counted and filtered where they are. What is new
# is inserted and what is known updated, instead of ON CONFLICT, which looks each row up once more; updated
# in its place, where it still is since nobody else can change it. Two partitions may have the same place: the
# key says which of them is meant.
_POSTGRESQL = (
    "WITH settled AS MATERIALIZED ("
    + _settled(
        _NEWS.source(postgresql.dialect()),  # type: ignore[no-untyped-call]  # SQLAlchemy's own
        "LEAST(o.first_at, n.first_at)",
        "GREATEST(o.last_at, n.last_at, n.first_at)",
        "GREATEST(o.removed_at, n.removed_at)",
        by_code_point='COLLATE "C"',  # and not by the database's language
        place="ctid",
    )
    + f"), inserted AS (INSERT INTO activities ({_COLUMNS}) SELECT {_COLUMNS} FROM settled WHERE fresh), "
    "updated AS (UPDATE activities a SET first_at = s.first_at, last_at = s.last_at, "
    "removed_at = s.removed_at, counted_at = s.counted_at, source = s.source, event_id = s.event_id "
    "FROM settled s WHERE s.changed AND a.ctid = s.place "
    "AND a.user_id = s.user_id AND a.kind = s.kind AND a.object_id = s.object_id), "
    "moved AS MATERIALIZED ("
    "SELECT d.*, coalesce(c.value, 0) AS old, c.user_id IS NULL AS fresh, c.ctid AS place FROM ("
    "SELECT user_id, kind, CAST(count(counted_at) - count(was) AS integer) AS delta, "
    "min(counted_at) AS since, max(counted_at) AS until "
    "FROM settled WHERE counted_at IS DISTINCT FROM was GROUP BY user_id, kind ORDER BY user_id, kind"
    ") AS d LEFT JOIN counts c ON c.user_id = d.user_id AND c.kind = d.kind), "
    "begun AS (INSERT INTO counts (user_id, kind, value) "
    "SELECT user_id, kind, delta FROM moved WHERE fresh AND delta <> 0), "
    "counted AS (UPDATE counts c SET value = c.value + m.delta FROM moved m "
    "WHERE NOT m.fresh AND m.delta <> 0 AND c.ctid = m.place AND c.user_id = m.user_id AND c.kind = m.kind) "
    "SELECT user_id, kind, old, old + delta, since, until FROM moved "
    f"WHERE CASE kind {' '.join(map(_may_decide, _COUNTED))} ELSE false END"
)


def _merge_on_sqlite(
    connection: Connection, news: Sequence[ActivityNews], marks: Mapping[Kind, Marks]
) -> list[Moved]:
    for step in _SQLITE_BEFORE:
        connection.exec_driver_sql(step)
    connection.exec_driver_sql(_SQLITE_SETTLE, [_sqlite_row(each) for each in news])
    for step in _SQLITE_WRITE:
        connection.exec_driver_sql(step)
    found = connection.exec_driver_sql(_SQLITE_MOVED).all()
    if counts := [(user_id, kind, new) for user_id, kind, old, new, _, _ in found if new != old]:
        connection.exec_driver_sql(_SQLITE_COUNT, counts)
    return [
        Moved(user_id, Kind(kind), old, new, _instant(since), _instant(until))
        for user_id, kind, old, new, since, until in found
        if (marked := marks.get(kind)) and marked.passed(old, new, moved=since is not None)
    ]


def _sqlite_row(news: ActivityNews) -> tuple[str | None, ...]:
    user_id, kind, object_id, first, last, removed, source, event_id = news
    first_text = None if first is None else as_text(first)
    # Mostly both are one.
    last_text = first_text if last is first else None if last is None else as_text(last)
    removed_text = None if removed is None else as_text(removed)
    return user_id, kind, object_id, first_text, last_text, removed_text, source, event_id


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None


_SQLITE_BEFORE = (
    f"CREATE TEMP TABLE IF NOT EXISTS settled ({_COLUMNS}, was, fresh, changed)",
    "DELETE FROM temp.settled",
)
_SQLITE_SETTLE = (
    f"INSERT INTO temp.settled SELECT {_COLUMNS}, was, fresh, changed FROM ("
    + _settled(
        f"(SELECT {', '.join(f'? AS {column}' for column in _NEWS.columns)}) AS n",
        "coalesce(min(o.first_at, n.first_at), o.first_at, n.first_at)",
        "coalesce(max(o.last_at, n.last_at), o.last_at, n.last_at)",
        "coalesce(max(o.removed_at, n.removed_at), o.removed_at, n.removed_at)",
    )
    + ")"
)
_SQLITE_WRITE = (
    f"INSERT INTO activities ({_COLUMNS}) SELECT {_COLUMNS} FROM temp.settled WHERE fresh",
    (
        "UPDATE activities SET first_at = s.first_at, last_at = s.last_at, removed_at = s.removed_at, "
        "counted_at = s.counted_at, source = s.source, event_id = s.event_id FROM temp.settled AS s "
        "WHERE s.changed AND activities.user_id = s.user_id AND activities.kind = s.kind "
        "AND activities.object_id = s.object_id"
    ),
)
_SQLITE_MOVED = (
    "SELECT m.user_id, m.kind, coalesce(c.value, 0), coalesce(c.value, 0) + delta, since, until FROM ("
    "SELECT user_id, kind, count(counted_at) - count(was) AS delta, "
    "min(counted_at) AS since, max(counted_at) AS until "
    "FROM temp.settled WHERE counted_at IS NOT was GROUP BY user_id, kind"
    ") AS m LEFT JOIN counts c ON c.user_id = m.user_id AND c.kind = m.kind"
)
_SQLITE_COUNT = (
    "INSERT INTO counts (user_id, kind, value) VALUES (?, ?, ?) "
    "ON CONFLICT (user_id, kind) DO UPDATE SET value = excluded.value"
)
