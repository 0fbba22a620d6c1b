"""What an operator asks for: that awards be revoked, whatever they are doing just now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select, tuple_, update

from worker.adapters.database import engine
from worker.adapters.database.history import Entry, write_history
from worker.adapters.database.revoking import release
from worker.adapters.database.schema import awards
from worker.awards import OPERATOR, Asked, AwardState, RevocationAnswer, Which

_DONE = (AwardState.REVOKING.value, AwardState.REVOKED.value)
_WORDS = {
    RevocationAnswer.REVOKED: "revoked",
    RevocationAnswer.QUEUED: "to be revoked",
    RevocationAnswer.REMEMBERED: "to be revoked once it is settled",
}


def count(connection: Connection, which: Which) -> int:
    """Count the awards that would be revoked."""
    anew = or_(awards.c.revoke_reason.is_(None), awards.c.state == AwardState.FAILED.value)
    wanted = (*_conditions(which), awards.c.state.not_in(_DONE), anew)
    return connection.scalar(select(func.count()).select_from(awards).where(*wanted)) or 0


def ask(
    connection: Connection,
    which: Which,
    reason: str,
    after: tuple[str, str] | None,
    limit: int,
    actor: str = OPERATOR,
) -> list[Asked]:
    """Ask for up to `limit` of these awards, in the order of (user, badge) after `after`; say what follows.

    `actor` is who asks, for the history.
    Two who ask at once take turns at each award; the second is told that it is done, or under way.
    """
    at = engine.now(connection)
    conditions = _conditions(which)
    if after is not None:
        conditions.append(tuple_(awards.c.user_id, awards.c.badge_id) > tuple_(*after))
    rows = connection.execute(
        select(awards)
        .where(*conditions)
        .order_by(awards.c.user_id, awards.c.badge_id)
        .limit(limit)
        .with_for_update()
    ).all()
    answers = [_ask(connection, row, reason, at) for row in rows]
    write_history(connection, _entries(answers, reason, at, actor))
    return answers


def _conditions(which: Which) -> list[Any]:
    conditions: list[Any] = []
    if which.badge_id is not None:
        conditions.append(awards.c.badge_id == which.badge_id)
    if which.user_ids is not None:
        conditions.append(awards.c.user_id.in_(which.user_ids))
    return conditions


def _ask(connection: Connection, row: Any, reason: str, at: datetime) -> Asked:
    answer = _answer(row)
    values: dict[str, Any] = {"revoke_reason": reason}
    match answer:
        case RevocationAnswer.REVOKED:
            values |= {"state": AwardState.REVOKED.value, "last_error": None}
        case RevocationAnswer.QUEUED:
            values |= {"state": AwardState.REVOKING.value, "attempts": 0, "due_at": at, "last_error": None}
            values |= {"lease_id": None, "lease_until": None, "sent_at": None}
        case RevocationAnswer.REMEMBERED if row.state == AwardState.FAILED:
            values |= {"state": AwardState.PENDING.value, "attempts": 0, "due_at": at}  # to be looked up
        case RevocationAnswer.REMEMBERED:
            pass
        case _:
            return Asked(row.user_id, row.badge_id, answer)
    mine = (awards.c.user_id == row.user_id, awards.c.badge_id == row.badge_id)
    connection.execute(update(awards).where(*mine).values(values))
    if answer is RevocationAnswer.REVOKED:
        release(connection, row)
    return Asked(row.user_id, row.badge_id, answer)


def _answer(row: Any) -> RevocationAnswer:
    """Say what follows from where the award stands."""
    state = AwardState(row.state)
    if state is AwardState.REVOKED:
        return RevocationAnswer.REVOKED_ALREADY
    if state is AwardState.REVOKING:
        return RevocationAnswer.UNDER_WAY
    if state is AwardState.ISSUING or row.uncertain:
        under_way = row.revoke_reason is not None and state is not AwardState.FAILED
        return RevocationAnswer.UNDER_WAY if under_way else RevocationAnswer.REMEMBERED
    # A failed one that has an assertion failed at being revoked.
    return RevocationAnswer.QUEUED if row.assertion_id is not None else RevocationAnswer.REVOKED


def _entries(answers: Sequence[Asked], reason: str, at: datetime, actor: str) -> list[Entry]:
    return [
        Entry(each.user_id, each.badge_id, at, _WORDS[each.answer], {"reason": reason}, actor)
        for each in answers
        if each.answer in _WORDS
    ]
