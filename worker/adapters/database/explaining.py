"""What explaining reads: one user, their awards and what happened to these, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Engine, select

from worker.adapters.database import engine
from worker.adapters.database.decisions import Decisions
from worker.adapters.database.listings import AwardFilter, history_of, list_awards
from worker.adapters.database.schema import awards, evaluations, rulebook, users
from worker.explaining import Happened, OnItsWay
from worker.ports import RulesState
from worker.users import FIELDS, Told, User


@contextmanager
def open_records(bound_to: Engine) -> Iterator[Records]:
    """Open a transaction that only reads."""
    with engine.reading(bound_to) as connection:
        yield Records(connection)


class Records(Decisions):
    """Implements explaining.Records."""

    def state(self) -> RulesState:
        """Return the state of the rules."""
        row = self.connection.execute(select(rulebook.c.version, rulebook.c.swept_to)).one()
        return RulesState(row.version, row.swept_to)

    def now(self) -> datetime:
        """Return the database's clock."""
        return engine.now(self.connection)

    def user(self, user_id: str) -> User | None:
        """Return what is known of a user, if anything is."""
        row = (
            self.connection.execute(select(users).where(users.c.user_id == user_id)).mappings().one_or_none()
        )
        if row is None:
            return None
        profile = {name: Told(row[name], row[f"{name}_at"]) for name in FIELDS if row[name] is not None}
        return User(user_id, profile, row["registered_at"], row["deleted_at"])

    def awards(self, user_id: str) -> dict[str, OnItsWay]:
        """Return a user's awards, by badge."""
        calls = self.connection.execute(
            select(awards.c.badge_id, awards.c.lease_until, awards.c.sent_at).where(
                awards.c.user_id == user_id
            )
        )
        on_calls = {row.badge_id: (row.lease_until, row.sent_at) for row in calls}
        rows = list_awards(self.connection, AwardFilter(user_id=user_id))
        return {row.badge_id: OnItsWay(row, *on_calls.get(row.badge_id, (None, None))) for row in rows}

    def history(self, user_id: str, badge_id: str) -> list[Happened]:
        """Return what happened to one award, oldest first."""
        rows = history_of(self.connection, user_id, badge_id)
        return [Happened(row.at, row.what, row.actor, row.detail) for row in rows]

    def under_evaluation(self) -> set[str]:
        """Return the badges for which everybody is still being evaluated."""
        unfinished = select(evaluations.c.badge_id).where(evaluations.c.finished_at.is_(None))
        return set(self.connection.scalars(unfinished))
