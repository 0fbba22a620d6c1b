"""An issuer without credentials: its awards say so and wait, and go out once there are some."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support.bodies import enrolled, registered
from tests.support.ground import badge, definitions, read
from worker.adapters.database.listings import AwardFilter
from worker.adapters.database.migrations import upgrade
from worker.applying import apply
from worker.awarding import Awarding
from worker.awards import AwardState, Call
from worker.bootstrap import Services
from worker.ports import Admission
from worker.settings import load_settings

START = datetime(2026, 3, 1, tzinfo=UTC)


def test_awards_of_an_issuer_without_credentials_say_what_is_missing(sqlite_url: str, redis_url: str) -> None:
    here = Services(
        load_settings({"BADGE_WORKER_DATABASE_URL": sqlite_url, "BADGE_WORKER_REDIS_URL": redis_url})
    )
    call = admitted(here)

    here.issuing("academy").issue(call.lease_id)

    (award,) = here.database.list_awards(AwardFilter())
    assert award.state == AwardState.PENDING
    assert award.last_error is not None
    assert "BADGE_WORKER_ISSUER_ACADEMY_USERNAME" in award.last_error
    assert here.permits(here.issuers()).room("academy", 0) == 0  # paused, not hammered
    here.close()


def admitted(here: Services) -> Call:
    """Make one award and lease it, as the dispatcher does."""
    upgrade(here.database.engine)
    written = badge({"lp_enroll": {"learning_path_id": "40"}}, issued=True)
    apply(here.database, read(definitions({"first-steps": written})))
    awarding = Awarding(here.database, lambda: datetime.now(UTC))
    awarding.ingest([registered(START, "ada", email="ada@example.org"), enrolled(START, "ada")])
    (call,) = here.database.admit(Admission("academy", room=10, in_flight=8, lease=45.0))
    return call
