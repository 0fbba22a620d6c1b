"""Whether an issuer was ever called: what the rate limit asks after Redis lost its memory (design 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.ground import Ground
from tests.support.outbox import award_due, enrol_badge, issued, leased, make_due, run_out, sent
from worker.adapters.database.calls import ever_called
from worker.adapters.database.engine import reading
from worker.bootstrap import Services
from worker.settings import load_settings

if TYPE_CHECKING:
    import redis


@pytest.fixture
def due(ground: Ground) -> Ground:
    """Ground on which one award of one badge is due."""
    ground.apply(**{"40": enrol_badge("40")})
    award_due(ground, "ada")
    return ground


def called(ground: Ground, issuer: str = "academy") -> bool:
    with reading(ground.engine) as connection:
        return ever_called(connection, issuer)


def services(ground: Ground, redis_url: str) -> Services:
    database = ground.engine.url.render_as_string(hide_password=False)
    return Services(
        load_settings({"BADGE_WORKER_DATABASE_URL": database, "BADGE_WORKER_REDIS_URL": redis_url})
    )


def test_an_issuer_was_called_once_an_award_may_have_been_sent(due: Ground) -> None:
    before = called(due)
    leased(due)
    unsent = called(due)
    run_out(due)
    sent(due)

    assert (before, unsent) == (False, False)
    assert called(due)
    assert not called(due, "partner")


def test_what_is_under_way_again_was_sent_before(due: Ground) -> None:
    sent(due)
    run_out(due)
    make_due(due)
    leased(due)

    assert called(due)


def test_what_was_issued_was_sent(due: Ground) -> None:
    call, _ = sent(due)

    due.database.end(call.lease_id, issued("ada"))

    assert called(due)


def test_after_redis_was_emptied_the_database_knows_of_the_calls(
    due: Ground, redis_client: redis.Redis, redis_url: str
) -> None:
    here = services(due, redis_url)
    first = here.permits(here.issuers()).room("academy", 0)
    sent(due)
    redis_client.flushdb()

    room = here.permits(here.issuers()).room("academy", 0)

    assert (first, room) == (100, 0)
    here.close()
