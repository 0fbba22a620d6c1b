"""The database's side of revoking: what is due, one call's lease, and how it ended (design.md section 3).

Repeating a revocation is harmless, so nothing here is uncertain: a lease that ran out is due again.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, delete, func, select, tuple_, update

from worker.adapters.database import engine
from worker.adapters.database.history import Entry, write_history
from worker.adapters.database.schema import awards, issuers, recipients
from worker.awards import AwardState, Call, Ending, LeasedRevocation
from worker.calling import company
from worker.ports import Admission

REVOKING = AwardState.REVOKING.value
_NEVER = datetime.fromtimestamp(0, UTC)

T = TypeVar("T")


def release(connection: Connection, row: Any) -> None:
    """Let go of the address of an award to which nothing is or may be issued, and of its badge class."""
    connection.execute(
        delete(recipients).where(recipients.c.badge_id == row.badge_id, recipients.c.user_id == row.user_id)
    )
    connection.execute(update(awards).where(_is(row)).values(recipient=None, badgeclass=None))


def _is(row: Any) -> Any:
    return (awards.c.user_id == row.user_id) & (awards.c.badge_id == row.badge_id)


# What was asked for while the award was on its way


def instead(ending: Ending, reason: str | None) -> Ending:
    """Return how a call ends for an award that is to be revoked once it is settled (`reason` is set)."""
    if reason is None or ending.uncertain or ending.state is AwardState.REVOKED:
        return ending
    there = ending.state is AwardState.ISSUED
    return replace(ending, state=AwardState.REVOKING if there else AwardState.REVOKED)


def follow_up(row: Any, ending: Ending, at: datetime) -> list[Entry]:
    """Return what stands in the history of an award whose settling let it be revoked."""
    final = instead(ending, row.revoke_reason)
    if final is ending:
        return []
    what = "to be revoked" if final.state is AwardState.REVOKING else "revoked"
    return [Entry(row.user_id, row.badge_id, at, what, {"reason": row.revoke_reason})]


def carry_out(connection: Connection, rows: Iterable[Any], at: datetime) -> None:
    """Revoke at once those of these unsent awards for which it was asked: nothing is over there."""
    asked = [row for row in rows if row.revoke_reason is not None]
    for row in asked:
        connection.execute(update(awards).where(_is(row)).values(state=AwardState.REVOKED.value))
    entries = [
        Entry(row.user_id, row.badge_id, at, "revoked", {"reason": row.revoke_reason}) for row in asked
    ]
    write_history(connection, entries)


# Admission


def turn(connection: Connection, issuer: str, at: datetime, most: int) -> tuple[datetime, int]:
    """Return when revocations of this issuer had their last turn, and how many are due, up to `most`."""
    due = (
        select(awards.c.user_id)
        .where(
            awards.c.issuer == issuer,
            awards.c.state == REVOKING,
            awards.c.lease_until.is_(None),
            awards.c.due_at <= at,
        )
        .limit(most)
        .subquery()
    )
    number = connection.scalar(select(func.count()).select_from(due)) or 0
    last = connection.scalar(select(issuers.c.revocations_admitted_at).where(issuers.c.id == issuer))
    return last or _NEVER, number


def in_flight(connection: Connection, issuer: str) -> tuple[int, int]:
    """Return how many calls are under way, and how many of them are not sent yet."""
    unsent = func.count(func.distinct(awards.c.lease_id)).filter(awards.c.sent_at.is_(None))
    calls, waiting = connection.execute(
        select(func.count(func.distinct(awards.c.lease_id)), unsent).where(
            awards.c.issuer == issuer, awards.c.state == REVOKING, awards.c.lease_until.is_not(None)
        )
    ).one()
    return int(calls), int(waiting)


def lease(connection: Connection, admission: Admission, at: datetime) -> Call | None:
    """Lease up to one call's worth of due revocations, of whatever badge; None if others have them."""
    chosen = (
        select(awards.c.user_id, awards.c.badge_id, awards.c.attempts)
        .where(
            awards.c.issuer == admission.issuer,
            awards.c.state == REVOKING,
            awards.c.lease_until.is_(None),
            awards.c.due_at <= at,
        )
        .order_by(awards.c.due_at, awards.c.user_id, awards.c.badge_id)
        .limit(admission.most_per_call)
        .with_for_update(skip_locked=True)
    )
    found = [((row.user_id, row.badge_id), row.attempts) for row in connection.execute(chosen)]
    pairs = together(found, admission.most_per_call)
    if not pairs:
        return None
    lease_id, until = secrets.token_hex(8), at + timedelta(seconds=admission.lease)
    connection.execute(
        update(awards)
        .where(tuple_(awards.c.user_id, awards.c.badge_id).in_(pairs))
        .values(lease_id=lease_id, lease_until=until, sent_at=None)
    )
    connection.execute(
        update(issuers).where(issuers.c.id == admission.issuer).values(revocations_admitted_at=at)
    )
    return Call(admission.issuer, "", lease_id, len(pairs), settle=False, lease_until=until, revoke=True)


def together(found: Iterable[tuple[T, int]], most: int) -> list[T]:
    """Return the first of these that go in one call; each comes with its attempts."""
    chosen: list[T] = []
    for each, attempts in found:
        most = company(attempts, most)
        if len(chosen) >= most:
            break
        chosen.append(each)
    return chosen


def reclaim(connection: Connection, issuer: str, at: datetime) -> int:
    """Take back this issuer's leases that ran out, sent or not; return how many awards that were."""
    rows = connection.execute(
        select(awards.c.user_id, awards.c.badge_id, awards.c.sent_at)
        .where(awards.c.issuer == issuer, awards.c.state == REVOKING, awards.c.lease_until < at)
        .order_by(awards.c.user_id, awards.c.badge_id)
        .with_for_update()
    ).all()
    for row in rows:
        tried = 0 if row.sent_at is None else 1
        values = {"lease_until": None, "due_at": at, "attempts": awards.c.attempts + tried}
        connection.execute(update(awards).where(_is(row)).values(values))
    late = [row for row in rows if row.sent_at is not None]
    write_history(
        connection, [Entry(row.user_id, row.badge_id, at, "lease ran out after sending") for row in late]
    )
    return len(rows)


def hand_back(connection: Connection, lease_id: str, at: datetime) -> None:
    """Make the unsent revocations of a lease due again at once."""
    connection.execute(
        update(awards)
        .where(awards.c.lease_id == lease_id, awards.c.state == REVOKING, awards.c.sent_at.is_(None))
        .values(lease_id=None, lease_until=None, due_at=at)
    )


# One call


def prepare(connection: Connection, lease_id: str) -> list[LeasedRevocation]:
    """Return the unsent revocations of a lease."""
    found = (awards.c.user_id, awards.c.badge_id, awards.c.assertion_id, awards.c.revoke_reason)
    rows = connection.execute(
        select(*found, awards.c.attempts)
        .where(
            awards.c.lease_id == lease_id,
            awards.c.state == REVOKING,
            awards.c.sent_at.is_(None),
            awards.c.lease_until.is_not(None),
        )
        .order_by(awards.c.user_id, awards.c.badge_id)
    )
    return [LeasedRevocation(*row) for row in rows]


def end(connection: Connection, lease_id: str, endings: Mapping[str, Ending]) -> None:
    """Record how the revocations of a lease ended, by assertion; what the lease lost is left alone."""
    at = engine.now(connection)
    rows = connection.execute(
        select(awards.c.user_id, awards.c.badge_id, awards.c.attempts, awards.c.assertion_id)
        .where(
            awards.c.lease_id == lease_id,
            awards.c.state == REVOKING,
            awards.c.assertion_id.in_(endings),
        )
        .order_by(awards.c.user_id, awards.c.badge_id)
        .with_for_update()
    ).all()
    for row in rows:
        _end(connection, row, endings[row.assertion_id], at)
    entries = [_entry(row, endings[row.assertion_id], at) for row in rows]
    write_history(connection, entries)


def _end(connection: Connection, row: Any, ending: Ending, at: datetime) -> None:
    values = {
        "state": ending.state.value,
        "lease_id": None,
        "lease_until": None,
        "due_at": at + timedelta(seconds=ending.wait),
        "last_error": ending.words,
        "attempts": row.attempts + ending.tried,
    }
    connection.execute(update(awards).where(_is(row)).values(values))
    if ending.state is AwardState.REVOKED:
        release(connection, row)


def _entry(row: Any, ending: Ending, at: datetime) -> Entry:
    detail = {"words": ending.words} if ending.words else {}
    return Entry(row.user_id, row.badge_id, at, ending.what, {"assertion_id": row.assertion_id, **detail})
