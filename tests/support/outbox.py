"""Awards on their way, as the tests of leases, admission and calls make and read them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from tests.support.bodies import enrolled, updated
from tests.support.ground import Ground, badge, now
from worker.adapters.database.engine import reading
from worker.adapters.database.schema import awards
from worker.awards import Assertion, AwardState, Call, Ending
from worker.ports import Admission

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from worker.awards import LeasedAward

ADMISSION = Admission("academy", room=100, in_flight=8, lease=600.0)


def enrol_badge(path: str, **fields: Any) -> dict[str, Any]:
    """Return an issued badge for enrolling in a learning path of its own."""
    return badge({"lp_enroll": {"learning_path_id": path}}, issued=True, **fields)


def award_due(ground: Ground, *user_ids: str, badge_id: str = "40", address: str | None = None) -> None:
    """Let these users have an award that is due, of the badge named like its learning path."""
    for user_id in user_ids:
        email = address or f"{user_id}@example.org"
        ground.ingest(updated(1, user_id, email=email), enrolled(2, user_id, badge_id))


def admit(ground: Ground, **wanted: Any) -> list[Call]:
    return ground.database.admit(replace(ADMISSION, **wanted))


def lease(ground: Ground, **wanted: Any) -> Call:
    """Lease what is due for the one call that it is enough for."""
    (call,) = admit(ground, **wanted)
    return call


def leased(ground: Ground) -> tuple[Call, list[LeasedAward]]:
    """Lease what is due and prepare its one call."""
    call = lease(ground)
    return call, ground.database.prepare(call.lease_id)


def sent(ground: Ground) -> tuple[Call, datetime]:
    """Lease what is due and send its one call."""
    call, ready = leased(ground)
    return call, ground.database.mark_sent(call.lease_id, len(ready), 30.0, None)


def run_out(ground: Ground) -> None:
    """Let every lease run out a second ago, and take it back."""
    change(ground, lease_until=now() - timedelta(seconds=1))
    ground.database.reclaim("academy", 60.0)


def make_due(ground: Ground) -> None:
    """Let everything that waits for its time be due by now."""
    change(ground, due_at=now() - timedelta(seconds=1))


def change(ground: Ground, user_ids: Iterable[str] = (), **values: Any) -> None:
    """Change awards (of these users, else all) behind everybody's back."""
    statement = update(awards).values(values)
    if user_ids:
        statement = statement.where(awards.c.user_id.in_(user_ids))
    with ground.engine.begin() as connection:
        connection.execute(statement)


def stored(ground: Ground, user_id: str, *columns: str) -> tuple[Any, ...]:
    """Return columns of a user's one award."""
    statement = select(*(awards.c[column] for column in columns)).where(awards.c.user_id == user_id)
    with reading(ground.engine) as connection:
        return tuple(connection.execute(statement).one())


def issued(user_id: str, name: str = "A1") -> dict[str, Ending]:
    """Return the ending of an award that was issued."""
    assertion = Assertion(name, f"https://badgr.example/{name}", f"{user_id}@example.org", None)
    return {user_id: Ending(AwardState.ISSUED, "issued", assertion=assertion, tried=True)}
