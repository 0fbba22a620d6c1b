"""The append-only history of awards: what happened, when, by whom. Never an address."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert

from worker.adapters.database.schema import award_history

WORKER = "worker"
OPERATOR = "operator"


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


def write_history(connection: Connection, entries: Sequence[Entry]) -> None:
    """Append entries; does nothing without any."""
    if entries:
        connection.execute(insert(award_history), [_row(entry) for entry in entries])


def _row(entry: Entry) -> dict[str, Any]:
    return {
        "user_id": entry.user_id,
        "badge_id": entry.badge_id,
        "entry": _next_number(),
        "at": entry.at,
        "what": entry.what,
        "actor": entry.actor,
        "detail": entry.detail,
    }


def _next_number() -> int:
    return (time.time_ns() // 1000) << 10 | next(_count) & 0x3FF
