"""Candidates of a backfill: set-based, in chunks, without locks (design.md section 4).

What is found here may be too much, never too little: it is checked again under the users' locks.
"""

from __future__ import annotations

from sqlalchemy import Connection, Select, select

from worker.activities import Kind
from worker.adapters.database.schema import activities, counts, rulebook, users
from worker.rules.criteria import LpComplete, LpEnroll, LpPassed, RegisteredFor
from worker.rules.rulebook import Rule


def find_candidates(connection: Connection, rule: Rule, after: str, limit: int) -> list[str]:
    """Return up to `limit` users after `after`, sorted, for whom the rule may hold."""
    statement = _statement(rule, after).limit(limit)
    return list(connection.scalars(statement))


def _statement(rule: Rule, after: str) -> Select[tuple[str]]:
    match rule.criterion:
        case LpEnroll() | LpComplete() | LpPassed() as path:
            return _about(path.kind, path.learning_path_id, after)
        case RegisteredFor():
            # Anybody whose registration is known and may be old enough; the exact age is checked later.
            return (
                select(users.c.user_id)
                .where(
                    users.c.user_id > after,
                    users.c.registered_at <= select(rulebook.c.swept_to).scalar_subquery(),
                )
                .order_by(users.c.user_id)
            )
        case counted:
            return _enough(counted.kind, counted.threshold, after)


def _about(kind: Kind, object_id: str, after: str) -> Select[tuple[str]]:
    return (
        select(activities.c.user_id)
        .where(
            activities.c.user_id > after,
            activities.c.kind == kind.value,
            activities.c.object_id == object_id,
            activities.c.counted_at.is_not(None),
        )
        .order_by(activities.c.user_id)
    )


def _enough(kind: Kind, threshold: int, after: str) -> Select[tuple[str]]:
    return (
        select(counts.c.user_id)
        .where(counts.c.user_id > after, counts.c.kind == kind.value, counts.c.value >= threshold)
        .order_by(counts.c.user_id)
    )
