"""What people leaf through: pages by key, counts that stop counting, earners of a badge by day.

Every question is one that an index answers, or ends after a few seconds: looking must not hold up the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Date, Engine, Select, cast, func, literal_column, select, text, tuple_

from worker.adapters.database import engine
from worker.adapters.database.listings import DeadLetter
from worker.adapters.database.schema import awards, badges, dead_letters, users
from worker.awards import AwardRow, AwardState

PATIENCE = "5s"  # how long PostgreSQL may think about one question
ENOUGH = 1000  # rows after which counting stops

Pair = tuple[str, str]  # of an award: user and badge


@dataclass(frozen=True, slots=True)
class Sought:
    """Awards that are looked for; None means any."""

    state: str | None = None
    badge_id: str | None = None
    user_id: str | None = None


@dataclass(frozen=True, slots=True)
class Shelf:
    """A badge as stored, with how many awards there are of it, up to ENOUGH, and when the last was made."""

    badge_id: str
    definition: dict[str, Any]
    status: str
    version: int
    created_at: datetime
    updated_at: datetime
    awards: int
    last_decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many awards of one issuer are due or to be tried again, on a call, to be revoked; up to ENOUGH."""

    pending: int
    issuing: int
    revoking: int


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where an award goes: the user's present address, and the one that it was sent to."""

    present: str | None
    sent_to: str | None


@dataclass(frozen=True, slots=True)
class DayCount:
    """How many awards of a badge were earned on one day, UTC."""

    day: date
    awards: int


class Looking:
    """Answers whoever leafs through awards, dead letters and badges. Every method is one transaction.

    Raises DatabaseUnavailable, also for what would take longer than PATIENCE, and Unstorable for what no id
    can be.
    """

    def __init__(self, bound_to: Engine) -> None:
        self.engine = bound_to

    def awards(self, sought: Sought, after: Pair | None, limit: int) -> list[AwardRow]:
        """Return up to `limit` awards in the order of (user, badge) after `after`."""
        with self._looking() as connection:
            statement = select(*_AWARD_COLUMNS).where(*_conditions(connection, sought))
            if after is not None:
                statement = statement.where(tuple_(awards.c.user_id, awards.c.badge_id) > tuple_(*after))
            ordered = statement.order_by(awards.c.user_id, awards.c.badge_id).limit(limit)
            return [AwardRow(**row) for row in connection.execute(ordered).mappings()]

    def count(self, sought: Sought) -> int:
        """Count these awards, up to ENOUGH of them."""
        with self._looking() as connection:
            return _count(connection, select(awards.c.user_id).where(*_conditions(connection, sought)))

    def count_letters(self) -> int:
        """Count dead letters, up to ENOUGH of them."""
        with self._looking() as connection:
            return _count(connection, select(dead_letters.c.id))

    def addresses(self, user_id: str, badge_id: str) -> Addresses:
        """Return where an award goes."""
        statement = (
            select(users.c.email, awards.c.recipient)
            .select_from(awards.outerjoin(users, users.c.user_id == awards.c.user_id))
            .where(awards.c.user_id == user_id, awards.c.badge_id == badge_id)
        )
        with self._looking() as connection:
            row = connection.execute(statement).one_or_none()
            return Addresses(*row) if row else Addresses(None, None)

    def letters(self, before: tuple[datetime, str] | None, limit: int) -> list[DeadLetter]:
        """Return up to `limit` dead letters, newest first, that are older than `before`."""
        place = (dead_letters.c.received_at, dead_letters.c.id)
        statement = select(*_LETTER_COLUMNS).order_by(*(column.desc() for column in place)).limit(limit)
        if before is not None:
            statement = statement.where(tuple_(*place) < tuple_(*before, types=[each.type for each in place]))
        with self._looking() as connection:
            return [DeadLetter(*row) for row in connection.execute(statement)]

    def badge_ids(self) -> list[str]:
        """Return the ids of all badges."""
        with self._looking() as connection:
            return _badge_ids(connection)

    def badges(self, after: str, limit: int) -> list[Shelf]:
        """Return up to `limit` badges by id after `after`."""
        return self._shelves(_SHELVES.where(badges.c.id > after).order_by(badges.c.id).limit(limit))

    def badge(self, badge_id: str) -> Shelf | None:
        """Return one badge."""
        return next(iter(self._shelves(_SHELVES.where(badges.c.id == badge_id))), None)

    def traffic(self, issuer: str) -> Traffic:
        """Count what is on its way to an issuer, and back."""
        with self._looking() as connection:
            pending = awards.c.badge_id.in_(_badge_ids(connection))  # as their index of due ones wants it
            of_state = {state: awards.c.state == state.value for state in AwardState}
            return Traffic(
                *(
                    _count(connection, select(awards.c.user_id).where(awards.c.issuer == issuer, *conditions))
                    for conditions in (
                        (of_state[AwardState.PENDING], pending),
                        (of_state[AwardState.ISSUING],),
                        (of_state[AwardState.REVOKING],),
                    )
                )
            )

    def _shelves(self, statement: Select[Any]) -> list[Shelf]:
        with self._looking() as connection:
            return [Shelf(*row) for row in connection.execute(statement)]

    def earned_by_day(self, badge_id: str) -> list[DayCount]:
        """Return for each day on which somebody earned the badge how many did, revoked ones left out."""
        with self._looking() as connection:
            day: Any = func.date(awards.c.earned_at)
            if connection.dialect.name == "postgresql":
                day = cast(awards.c.earned_at, Date)  # the session's time zone is UTC
            kept = (awards.c.badge_id == badge_id, awards.c.state.in_(_KEPT))
            rows = connection.execute(select(day.label("day"), func.count()).where(*kept).group_by("day"))
            return sorted((DayCount(_date(row[0]), row[1]) for row in rows), key=lambda each: each.day)

    @contextmanager
    def _looking(self) -> Iterator[Connection]:
        with engine.reading(self.engine) as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL statement_timeout = '{PATIENCE}'"))
            yield connection


_AWARD_COLUMNS = [awards.c[name] for name in AwardRow.__slots__]
_LETTER_COLUMNS = [dead_letters.c[name] for name in DeadLetter.__slots__]
# A count that stops, of each row's badge: SQLAlchemy does not let what is counted speak of the row.
_HELD = f"(SELECT count(*) FROM (SELECT 1 FROM awards WHERE badge_id = badges.id LIMIT {ENOUGH}) AS held)"
_NEWEST = select(func.max(awards.c.decided_at)).where(awards.c.badge_id == badges.c.id).scalar_subquery()
_SHELVES = select(
    *(badges.c[name] for name in ("id", "definition", "status", "version", "created_at", "updated_at")),
    literal_column(_HELD),
    _NEWEST,
)
_KEPT = [state.value for state in AwardState if state is not AwardState.REVOKED]


def _conditions(connection: Connection, sought: Sought) -> list[Any]:
    asked = (
        (awards.c.state, sought.state),
        (awards.c.badge_id, sought.badge_id),
        (awards.c.user_id, sought.user_id),
    )
    conditions = [column == value for column, value in asked if value is not None]
    if sought.state and not sought.badge_id and not sought.user_id:
        # No index begins with the state. Naming every badge lets the one with it second find few rows.
        conditions.append(awards.c.badge_id.in_(_badge_ids(connection)))
    return conditions


def _badge_ids(connection: Connection) -> list[str]:
    return list(connection.scalars(select(badges.c.id).order_by(badges.c.id)))


def _count(connection: Connection, rows: Select[Any]) -> int:
    return connection.scalar(select(func.count()).select_from(rows.limit(ENOUGH).subquery())) or 0


def _date(value: date | str) -> date:
    return date.fromisoformat(value) if isinstance(value, str) else value
