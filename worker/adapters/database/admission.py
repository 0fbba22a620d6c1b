"""Admission: which due awards go out with the next calls (design.md section 3)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, func, select, text, update

from worker.adapters.database import engine, revoking
from worker.adapters.database.calls import hand_back
from worker.adapters.database.history import Entry, write_history
from worker.adapters.database.schema import awards, badges, issuers
from worker.adapters.database.types import Instant
from worker.awards import AwardState, Call
from worker.ports import Admission

_PENDING = AwardState.PENDING.value
_ISSUING = AwardState.ISSUING.value


def reclaim(connection: Connection, issuer: str, settle_after: float) -> int:
    """Take back this issuer's leases that ran out; return how many awards that were.

    Unsent ones are simply due again, to whatever address is known by then. Sent ones are uncertain: they
    may be at the provider, who may still be working on them, so nobody looks before `settle_after` seconds
    after the sending.
    """
    at = engine.now(connection)
    out = (awards.c.issuer == issuer, awards.c.state == _ISSUING, awards.c.lease_until < at)
    unsent = connection.execute(
        select(awards.c.lease_id, func.count().label("awards"))
        .where(*out, awards.c.sent_at.is_(None))
        .group_by(awards.c.lease_id)
    ).all()
    for row in unsent:
        hand_back(connection, row.lease_id)
    sent = connection.execute(
        select(awards.c.user_id, awards.c.badge_id, awards.c.sent_at)
        .where(*out, awards.c.sent_at.is_not(None))
        .order_by(awards.c.user_id, awards.c.badge_id)
        .with_for_update()
    ).all()
    for row in sent:
        due = row.sent_at + timedelta(seconds=settle_after)
        connection.execute(
            update(awards)
            .where(awards.c.user_id == row.user_id, awards.c.badge_id == row.badge_id)
            .values(
                state=_PENDING,
                uncertain=True,
                due_at=due,
                attempts=awards.c.attempts + 1,
                last_error="the lease ran out after sending",
            )
        )
    write_history(
        connection, [Entry(row.user_id, row.badge_id, at, "lease ran out after sending") for row in sent]
    )
    revocations = revoking.reclaim(connection, issuer, at)
    return len(sent) + sum(int(row.awards) for row in unsent) + revocations


_SETTLE, _FRESH, _BACKFILLED = range(3)
_REVOCATIONS = ""  # no badge has this id


@dataclass(slots=True)
class _Turn:
    """What is due of one badge: to be looked up (`settle`), or to be issued.

    Revocations of all badges have one turn, among the fresh awards.
    """

    badge_id: str
    last_turn: datetime
    in_flight: int
    most_per_call: int
    settle: bool
    fresh: int
    backfilled: int
    revoke: bool = False

    @property
    def rank(self) -> int:
        """Return when its turn comes: what is to be settled, then fresh, then backfilled awards."""
        if self.settle:
            return _SETTLE
        return _FRESH if self.fresh else _BACKFILLED

    @property
    def ready(self) -> bool:
        """Return whether another call may go: while little is due, one call at a time gathers more.

        Where a call takes one award, there is nothing to gather.
        """
        due = self.fresh + self.backfilled
        return due > 0 and (self.in_flight == 0 or due > self.most_per_call or self.most_per_call == 1)

    def went(self, call: Call | None) -> None:
        """Note that a call went with as many as it holds, fresh ones first; without one, others have them."""
        awards = call.awards if call else self.fresh + self.backfilled
        fresh = min(awards, self.fresh)
        self.fresh -= fresh
        self.backfilled = max(0, self.backfilled - (awards - fresh))
        self.in_flight += 1


def admit(connection: Connection, admission: Admission) -> list[Call]:
    """Lease due awards for as many calls as there is room for; return the calls.

    Two dispatchers admit nothing twice: they take turns at the issuer's row, and rows that somebody else is
    writing are skipped.
    """
    connection.execute(select(issuers.c.id).where(issuers.c.id == admission.issuer).with_for_update())
    at = engine.now(connection)
    in_flight = _in_flight(connection, admission.issuer)
    unsent = sum(unsent for _, unsent in in_flight.values())
    under_way = sum(calls for calls, _ in in_flight.values())
    free = min(admission.room - unsent, admission.in_flight - under_way)
    if free <= 0:
        return []
    turns = _turns(connection, admission, at, {badge: calls for badge, (calls, _) in in_flight.items()})
    calls: list[Call] = []
    while len(calls) < free and (ready := [turn for turn in turns if turn.ready]):
        next_ones = [turn for turn in ready if turn.rank == min(each.rank for each in ready)]
        for turn in next_ones[: free - len(calls)]:
            call = _lease(connection, admission, turn, at)
            turn.went(call)
            if call:
                calls.append(call)
    return calls


def _in_flight(connection: Connection, issuer: str) -> dict[str, tuple[int, int]]:
    """Return, by badge, how many calls are under way and how many of them are not sent yet."""
    unsent = func.count(func.distinct(awards.c.lease_id)).filter(awards.c.sent_at.is_(None))
    rows = connection.execute(
        select(awards.c.badge_id, func.count(func.distinct(awards.c.lease_id)), unsent)
        .where(awards.c.issuer == issuer, awards.c.state == _ISSUING)
        .group_by(awards.c.badge_id)
    )
    by_badge = {badge_id: (calls, waiting) for badge_id, calls, waiting in rows}
    return by_badge | {_REVOCATIONS: revoking.in_flight(connection, issuer)}


def _count(column: str, condition: str) -> str:
    """Return a column that counts a badge's due awards of one sort, no further than it matters."""
    return (
        "(SELECT count(*) FROM (SELECT 1 FROM awards a WHERE a.badge_id = b.id AND a.state = 'pending' "
        f"AND a.due_at <= :at AND a.issuer = :issuer AND {condition} LIMIT :most) few) AS {column}"
    )


_DUE = (
    ", ".join(
        (
            "SELECT b.id AS badge_id, b.admitted_at AS last_turn",
            _count("unsettled", "a.uncertain"),
            _count("fresh", "NOT a.backfilled AND NOT a.uncertain"),
            _count("backfilled", "a.backfilled AND NOT a.uncertain"),
        )
    )
    + " FROM badges b"
)


def _turns(
    connection: Connection, admission: Admission, at: datetime, in_flight: dict[str, int]
) -> list[_Turn]:
    """Return what is due of each badge, the one that waited longest first."""
    statement = text(_DUE).columns(last_turn=Instant()) if _is_sqlite(connection) else text(_DUE)
    most = admission.most_per_call * admission.in_flight + 1
    parameters = {"at": _bound(connection, at), "issuer": admission.issuer, "most": most}
    turns = []
    for row in connection.execute(statement, parameters):
        badge = (row.badge_id, row.last_turn, in_flight.get(row.badge_id, 0), admission.most_per_call)
        turns.append(_Turn(*badge, settle=True, fresh=row.unsettled, backfilled=0))
        turns.append(_Turn(*badge, settle=False, fresh=row.fresh, backfilled=row.backfilled))
    last, revocations = revoking.turn(connection, admission.issuer, at, most)
    badge = (_REVOCATIONS, last, in_flight.get(_REVOCATIONS, 0), admission.most_per_call)
    turns.append(_Turn(*badge, settle=False, fresh=revocations, backfilled=0, revoke=True))
    return sorted(turns, key=lambda turn: (turn.last_turn, turn.badge_id))


def _lease(connection: Connection, admission: Admission, turn: _Turn, at: datetime) -> Call | None:
    """Lease up to one call's worth of a badge's due awards, fresh ones first; None if others have them."""
    if turn.revoke:
        return revoking.lease(connection, admission, at)
    chosen = (
        select(awards.c.user_id, awards.c.attempts)
        .where(
            awards.c.badge_id == turn.badge_id,
            awards.c.state == _PENDING,
            awards.c.issuer == admission.issuer,
            awards.c.uncertain.is_(turn.settle),
            awards.c.due_at <= at,
        )
        .order_by(awards.c.backfilled, awards.c.due_at, awards.c.user_id)
        .limit(admission.most_per_call)
        .with_for_update(skip_locked=True)
    )
    user_ids = _together(
        [(row.user_id, row.attempts) for row in connection.execute(chosen)], turn, admission.most_per_call
    )
    if not user_ids:
        return None
    lease_id, until = secrets.token_hex(8), at + timedelta(seconds=admission.lease)
    connection.execute(
        update(awards)
        .where(awards.c.badge_id == turn.badge_id, awards.c.user_id.in_(user_ids))
        .values(state=_ISSUING, lease_id=lease_id, lease_until=until, sent_at=None)
    )
    connection.execute(update(badges).where(badges.c.id == turn.badge_id).values(admitted_at=at))
    return Call(admission.issuer, turn.badge_id, lease_id, len(user_ids), turn.settle, until)


def _together(rows: Sequence[tuple[str, int]], turn: _Turn, most: int) -> list[str]:
    """Return whose awards go in one call, of (user, attempts). Looking up harms nobody."""
    if turn.settle:
        return [user_id for user_id, _ in rows]
    return revoking.together(rows, most)


def _is_sqlite(connection: Connection) -> bool:
    return connection.dialect.name == "sqlite"


def _bound(connection: Connection, at: datetime) -> Any:
    return Instant().process_bind_param(at, connection.dialect)
