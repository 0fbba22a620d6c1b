"""How things stand, in numbers, for whoever watches: each statement goes by an index.

Only counting all awards reads as much as there is, and of an index alone; who asks keeps the answer for a
while (`worker.adapters.metrics.state`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, func, literal_column, select, text

from worker.adapters.database import engine
from worker.adapters.database.schema import awards, badges, dead_letters, rulebook
from worker.awards import AwardState

_PATIENCE = "30s"  # for one statement on PostgreSQL


@dataclass(frozen=True, slots=True)
class RulesStanding:
    """Which rules are in force, and up to when account ages are decided."""

    version: int
    swept_to: datetime


@dataclass(frozen=True, slots=True)
class BadgeStanding:
    """When a published badge was made, and when anybody earned it last."""

    badge_id: str
    created_at: datetime
    earned_at: datetime | None


class Standing:
    """Reads how things stand. Every method is one short transaction; raises DatabaseUnavailable."""

    def __init__(self, bound_to: Engine) -> None:
        self._engine = bound_to

    def awards_by_state(self) -> dict[str, int]:
        """Return how many awards are in each state, those included that none is in."""
        with self._reading() as connection:
            rows = connection.execute(select(awards.c.state, func.count()).group_by(awards.c.state))
            return {state.value: 0 for state in AwardState} | {row[0]: row[1] for row in rows}

    def oldest_pending(self) -> float:
        """Return for how many seconds the oldest award that can be sent waits; 0 if none does.

        One that is not due yet, for what time mends, waits as well.
        """
        with self._reading() as connection:
            states = (AwardState.PENDING, AwardState.ISSUING)
            oldest: list[datetime | None] = [connection.execute(_oldest(state)).scalar() for state in states]
            now = engine.now(connection)
            return max(0.0, *((now - (each or now)).total_seconds() for each in oldest))

    def dead_letters(self) -> int:
        """Return how many dead letters nobody has put back on the queue."""
        with self._reading() as connection:
            unseen = (
                select(func.count()).select_from(dead_letters).where(dead_letters.c.replayed_at.is_(None))
            )
            return connection.scalar(unseen) or 0

    def rules(self) -> RulesStanding:
        """Return where the rules stand."""
        with self._reading() as connection:
            row = connection.execute(select(rulebook.c.version, rulebook.c.swept_to)).one()
            return RulesStanding(row.version, row.swept_to)

    def badges(self) -> list[BadgeStanding]:
        """Return every published badge: one look at an index for each."""
        last = select(func.max(awards.c.decided_at)).where(awards.c.badge_id == badges.c.id)
        statement = select(badges.c.id, badges.c.created_at, last.scalar_subquery())
        with self._reading() as connection:
            rows = connection.execute(statement.where(badges.c.status == "published").order_by(badges.c.id))
            return [BadgeStanding(*row) for row in rows]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with engine.reading(self._engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL statement_timeout = '{_PATIENCE}'"))
                # Awards are counted by an index alone: the table is many times its size.
                connection.execute(text("SET LOCAL enable_seqscan = off"))
            yield connection


def _oldest(state: AwardState) -> Select[Any]:
    # Not a parameter: PostgreSQL has to see that the index of these few awards will do.
    return select(func.min(awards.c.decided_at)).where(awards.c.state == literal_column(f"'{state.value}'"))
