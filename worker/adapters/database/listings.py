"""What people ask the database for: awards, their history, dead letters, badges."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, func, select, text, update

from worker.adapters.database import engine
from worker.adapters.database.history import Entry, write_history
from worker.adapters.database.revoking import release
from worker.adapters.database.schema import award_history, awards, badges, dead_letters, users
from worker.awards import OPERATOR, AwardRow, AwardState

CHUNK = 500  # rows that are held at a time
_PATIENCE = "1h"  # how long whoever reads a list on PostgreSQL may look at one chunk


@dataclass(frozen=True, slots=True)
class AwardFilter:
    """Which awards; None means any."""

    state: str | None = None
    badge_id: str | None = None
    user_id: str | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One thing that happened to an award."""

    at: datetime
    what: str
    actor: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A body that is not an event. `id` is the SHA-256 of the body in hex; `times` how often it came."""

    id: str
    received_at: datetime
    reason: str
    body: bytes
    times: int
    replayed_at: datetime | None


@dataclass(frozen=True, slots=True)
class BadgeRow:
    """A badge as stored, and how many awards of it there are."""

    badge_id: str
    title: str
    status: str
    criterion: str
    issuer: str | None
    version: int
    awards: int


@dataclass(frozen=True, slots=True)
class Place:
    """How many awards of one badge at one issuer are in one state."""

    issuer: str | None
    badge_id: str
    state: str
    awards: int


def places(connection: Connection) -> list[Place]:
    """Return where awards are, and how many of them."""
    where = (awards.c.issuer, awards.c.badge_id, awards.c.state)
    rows = connection.execute(select(*where, func.count()).group_by(*where).order_by(*where[:2]))
    return [Place(*row) for row in rows]


def list_awards(connection: Connection, wanted: AwardFilter) -> list[AwardRow]:
    """Return awards, in the order they were decided."""
    return [_award(row) for row in connection.execute(_awards(wanted))]


def each_award(connection: Connection, wanted: AwardFilter) -> Iterator[AwardRow]:
    """Yield awards in the order they were decided, holding no more of them than one chunk."""
    with _streamed(connection, _awards(wanted)) as rows:
        yield from map(_award, rows)


def number_of_awards(connection: Connection, wanted: AwardFilter) -> int:
    """Count awards, whatever their limit."""
    statement = select(func.count()).select_from(awards).where(*_conditions(wanted))
    return connection.scalar(statement) or 0


_AWARD_COLUMNS = [awards.c[name] for name in AwardRow.__slots__]


def _awards(wanted: AwardFilter) -> Select[Any]:
    statement = select(*_AWARD_COLUMNS).order_by(awards.c.decided_at, awards.c.user_id, awards.c.badge_id)
    return statement.where(*_conditions(wanted)).limit(wanted.limit)


def _award(row: Any) -> AwardRow:
    return AwardRow(**row._mapping)  # noqa: SLF001 # its public name


@contextmanager
def _streamed(connection: Connection, statement: Select[Any]) -> Iterator[Iterable[Any]]:
    """Run a statement whose rows come by the chunk; whoever reads them may take their time in between."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SET LOCAL idle_in_transaction_session_timeout = '{_PATIENCE}'"))
    with closing(connection.execute(statement, execution_options={"yield_per": CHUNK})) as rows:
        yield rows


def _conditions(wanted: AwardFilter) -> list[Any]:
    asked = (
        (awards.c.state, wanted.state),
        (awards.c.badge_id, wanted.badge_id),
        (awards.c.user_id, wanted.user_id),
    )
    return [column == value for column, value in asked if value is not None]


def history_of(connection: Connection, user_id: str, badge_id: str) -> list[HistoryRow]:
    """Return what happened to one award, oldest first."""
    entries = award_history.c
    rows = connection.execute(
        select(entries.at, entries.what, entries.actor, entries.detail)
        .where(entries.user_id == user_id, entries.badge_id == badge_id)
        .order_by(entries.entry)
    )
    return [HistoryRow(*row) for row in rows]


def count_awards(connection: Connection) -> dict[str, int]:
    """Return how many awards are in each state."""
    rows = connection.execute(select(awards.c.state, func.count()).group_by(awards.c.state))
    return {state: number for state, number in rows}  # noqa: C416 # a row is no pair to mypy


def retry(connection: Connection, wanted: AwardFilter, actor: str = OPERATOR) -> list[tuple[str, str]]:
    """Put failed awards back: due at once, attempts from zero. Returns them as (user, badge).

    `actor` is who does so, for the history.
    One that failed at being revoked is to be revoked again, never to be issued.
    """
    at = engine.now(connection)
    with_address = select(users.c.user_id).where(users.c.email.is_not(None))
    failed = [*_conditions(wanted), awards.c.state == AwardState.FAILED.value]
    rows = connection.execute(
        select(awards, badges.c.definition, awards.c.user_id.in_(with_address).label("addressed"))
        .join(badges, badges.c.id == awards.c.badge_id)
        .where(*failed)
        .order_by(awards.c.user_id, awards.c.badge_id)
        .with_for_update(of=awards)
    ).all()
    for row in rows:
        if _was_looked_up_elsewhere(row):
            release(connection, row)
            connection.execute(
                update(awards)
                .where(awards.c.user_id == row.user_id, awards.c.badge_id == row.badge_id)
                .values(uncertain=False)
            )
        connection.execute(
            update(awards)
            .where(awards.c.user_id == row.user_id, awards.c.badge_id == row.badge_id)
            .values(state=_again(row).value, attempts=0, due_at=max(at, row.earned_at))
        )
    pairs = [(row.user_id, row.badge_id) for row in rows]
    write_history(connection, [Entry(*pair, at, "put back", actor=actor) for pair in pairs])
    return pairs


def _was_looked_up_elsewhere(row: Any) -> bool:
    """Return whether the award failed when it was looked up in a badge class that its badge has no more.

    The provider refused even to look there; a person has named another class since, so it starts afresh.
    """
    issue = row.definition.get("issue") or {}
    return bool(row.uncertain and row.badgeclass not in {issue.get("badgeclass"), issue.get("template")})


def _again(row: Any) -> AwardState:
    """Return where a failed award goes on. An uncertain one has its address, whatever the user has now."""
    if row.assertion_id is not None:
        return AwardState.REVOKING
    return AwardState.PENDING if row.addressed or row.uncertain else AwardState.WAITING


def list_dead_letters(connection: Connection, limit: int | None = None) -> list[DeadLetter]:
    """Return dead letters, oldest first."""
    return [DeadLetter(*row) for row in connection.execute(_letters().limit(limit))]


def each_dead_letter(connection: Connection, limit: int | None = None) -> Iterator[DeadLetter]:
    """Yield dead letters, oldest first, holding no more of them than one chunk."""
    with _streamed(connection, _letters().limit(limit)) as rows:
        yield from (DeadLetter(*row) for row in rows)


def number_of_dead_letters(connection: Connection) -> int:
    """Count dead letters."""
    return connection.scalar(select(func.count()).select_from(dead_letters)) or 0


_LETTER_COLUMNS = [dead_letters.c[name] for name in DeadLetter.__slots__]
_OLDEST_FIRST = (dead_letters.c.received_at, dead_letters.c.id)


def _letters() -> Select[Any]:
    return select(*_LETTER_COLUMNS).order_by(*_OLDEST_FIRST)


def dead_letter_ids(connection: Connection, start: str = "") -> list[str]:
    """Return the ids of the dead letters whose id begins so, oldest first: of all, without a beginning."""
    statement = select(dead_letters.c.id).order_by(*_OLDEST_FIRST)
    if start:
        statement = statement.where(dead_letters.c.id.startswith(start, autoescape=True))
    return list(connection.scalars(statement))


def dead_letters_of(connection: Connection, ids: Sequence[str]) -> list[DeadLetter]:
    """Return the dead letters with these ids, oldest first: those that are there."""
    return [DeadLetter(*row) for row in connection.execute(_letters().where(dead_letters.c.id.in_(ids)))]


def discard_dead_letters(connection: Connection, ids: Sequence[str]) -> list[str]:
    """Forget these dead letters for good; return the ids of those that were there, in the order given."""
    gone = delete(dead_letters).where(dead_letters.c.id.in_(ids)).returning(dead_letters.c.id)
    found = set(connection.scalars(gone))
    return [each for each in ids if each in found]


def note_replayed(connection: Connection, ids: Sequence[str]) -> None:
    """Note that these dead letters were put back on the queue now."""
    at = engine.now(connection)
    connection.execute(update(dead_letters).where(dead_letters.c.id.in_(ids)).values(replayed_at=at))


def list_badges(connection: Connection) -> list[BadgeRow]:
    """Return every badge with the number of its awards, by id."""
    held = select(awards.c.badge_id, func.count().label("held")).group_by(awards.c.badge_id).subquery()
    rows = connection.execute(
        select(badges, func.coalesce(held.c.held, 0).label("held"))
        .join(held, held.c.badge_id == badges.c.id, isouter=True)
        .order_by(badges.c.id)
    )
    return [
        BadgeRow(
            badge_id=row.id,
            title=row.definition["title"],
            status=row.status,
            criterion=next(iter(row.definition["criteria"])),
            issuer=row.issuer,
            version=row.version,
            awards=row.held,
        )
        for row in rows
    ]
