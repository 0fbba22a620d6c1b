"""The append-only history of awards: what happened, when, by whom. Never an address."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from worker.adapters.database.arrays import INSTANT, TEXT, Rows
from worker.adapters.database.statements import statement

WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened to an award."""

    user_id: str
    badge_id: str
    at: datetime
    what: str
    detail: dict[str, Any] = field(default_factory=dict)
    actor: str = WORKER


# Entries of one award are read in the order of their numbers: microseconds, then a count that tells apart
# what one process writes within one of them. (Two processes never write to one award in one microsecond:
# each holds the award's row lock until it has committed.)
_count = itertools.count()


_ENTRIES = Rows(
    "entries", user_id=TEXT, badge_id=TEXT, entry=TEXT, at=INSTANT, what=TEXT, actor=TEXT, detail=TEXT
)


def write_history(connection: Connection, entries: Sequence[Entry]) -> None:
    """Append entries, in one statement; does nothing without any."""
    if not entries:
        return
    detail = "detail" if connection.dialect.name == "sqlite" else "CAST(detail AS jsonb)"
    connection.execute(
        statement(
            "INSERT INTO award_history (user_id, badge_id, entry, at, what, actor, detail) "
            f"SELECT user_id, badge_id, CAST(entry AS bigint), at, what, actor, {detail} "
            f"FROM {_ENTRIES.source(connection.dialect)}"
        ),
        _ENTRIES.bind(connection.dialect, [_row(entry) for entry in entries]),
    )


def _row(entry: Entry) -> tuple[Any, ...]:
    detail = json.dumps(entry.detail, separators=(",", ":"))
    return entry.user_id, entry.badge_id, str(next_number()), entry.at, entry.what, entry.actor, detail


def next_number() -> int:
    """Return the number of an entry, or of several at one instant about different awards."""
    return (time.time_ns() // 1000) << 10 | next(_count) & 0x3FF
