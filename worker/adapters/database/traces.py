"""What still names a forgotten person: dead letters, and the words of errors and histories.

None of it is found by a key, so all of it is read; outside the transaction that consumers wait for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, Select, Text, cast, or_, select, update

from worker.adapters.database import listings
from worker.adapters.database.schema import award_history, awards, dead_letters
from worker.people import Traces

_CHUNK = 500
_WORDS = ("last_error", "revoke_reason")


def named_letters(connection: Connection, traces: Traces) -> list[str]:
    """Return the ids of the dead letters that name a person, in the body or in the reason that quotes it."""
    rows = _each(connection, select(dead_letters.c.id, dead_letters.c.body, dead_letters.c.reason))
    return [row.id for row in rows if traces.are_in(row.body) or traces.out_of(row.reason) != row.reason]


def discard(connection: Connection, ids: list[str]) -> int:
    """Delete dead letters; return how many there were."""
    return sum(
        len(listings.discard_dead_letters(connection, ids[start : start + _CHUNK]))
        for start in range(0, len(ids), _CHUNK)
    )


def named_in_awards(connection: Connection, traces: Traces) -> list[Row[Any]]:
    """Return key, error and reason of the awards in which a person is named."""
    columns = [awards.c[name] for name in _WORDS]
    told = or_(*(column.is_not(None) for column in columns))
    rows = _each(connection, select(awards.c.user_id, awards.c.badge_id, *columns).where(told))
    return [
        row
        for row in rows
        if any(traces.out_of_all(each) != each for each in (row.last_error, row.revoke_reason))
    ]


def named_in_histories(connection: Connection, traces: Traces) -> list[Row[Any]]:
    """Return key and details of the entries of histories in which a person is named."""
    detail = cast(award_history.c.detail, Text)
    worded = or_(*(detail.like(f'%"{name}"%') for name in ("words", "reason", "why")))
    key = (award_history.c.user_id, award_history.c.badge_id, award_history.c.entry)
    rows = _each(connection, select(*key, award_history.c.detail).where(worded))
    return [row for row in rows if traces.out_of_all(row.detail) != row.detail]


def rewrite(connection: Connection, traces: Traces, said: list[Row[Any]], told: list[Row[Any]]) -> int:
    """Take a person out of these awards and entries; what was said anew meanwhile stays as it is."""
    for row in said:
        old = {name: getattr(row, name) for name in _WORDS}
        same = [awards.c[name].is_not_distinct_from(text) for name, text in old.items()]
        mine = (awards.c.user_id == row.user_id, awards.c.badge_id == row.badge_id)
        connection.execute(update(awards).where(*mine, *same).values(traces.out_of_all(old)))
    for row in told:
        entry = (
            award_history.c.user_id == row.user_id,
            award_history.c.badge_id == row.badge_id,
            award_history.c.entry == row.entry,
        )
        values = {"detail": traces.out_of_all(row.detail)}
        connection.execute(update(award_history).where(*entry).values(values))
    return len(said) + len(told)


def _each(connection: Connection, statement: Select[Any]) -> Iterator[Row[Any]]:
    """Yield rows a few at a time: there may be more than memory holds."""
    yield from connection.execution_options(yield_per=_CHUNK).execute(statement)
