"""What the Badgr client promises beyond single calls: pages, feeds, archives, permits, refusals."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.support.badgr_world import (
    NOON,
    World,
    whole_assertion,
    whole_badgeclass,
)
from tests.support.recording import Arrived, recording
from worker.adapters.badgr import BadgrProvider, Credentials
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens
from worker.errors import Refused, Throttled
from worker.sandbox import SandboxOptions

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def sandbox() -> Iterator[tuple[str, list[Arrived]]]:
    with recording(SandboxOptions(rate_limit=None, gap=0)) as running_one:
        yield running_one


@pytest.fixture
def world(sandbox: tuple[str, list[Arrived]]) -> World:
    return World(*sandbox)


def test_every_call_takes_a_permit(sandbox: tuple[str, list[Arrived]]) -> None:
    url, arrived = sandbox
    permits = MemoryPermits({"academy": RateLimit(1000, 60, 30)})
    credentials = Credentials(username="permits@example.org", password="any")
    client = BadgrProvider("academy", url, credentials, permits, MemoryTokens(), 30).client()
    before = len(arrived)

    list(client.issuers.all())
    client.recovery.request("permits@example.org")
    list(client.assertions.changed())

    assert len(arrived) - before == 1000 - permits.room("academy", 0) == 4  # with the sign-in


@pytest.mark.parametrize("scope", ["badgeclasses", "issuers"])
def test_assertions_are_awarded_and_listed_in_both_scopes(world: World, scope: str) -> None:
    """S1-09 and S1-10 for each of the values that the page leaves out (X-18)."""
    client = world.client.assertions
    if scope == "issuers":
        made = client.issue_by_issuer(world.issuer, whole_assertion(badgeclass=world.badgeclass))
        listed = list(client.of_issuer(world.issuer))
    else:
        made = client.issue(world.badgeclass, whole_assertion())
        listed = list(client.of_badgeclass(world.badgeclass))

    assert listed == [made]


@pytest.mark.parametrize("by_ref", [False, True])
@pytest.mark.parametrize("rebake", [False, True])
def test_an_update_bakes_assertions_anew_where_the_service_does_so(rebake: bool, by_ref: bool) -> None:
    """S1-02 and S1-07 against S3-39 (X-14)."""
    with recording(SandboxOptions(rate_limit=None, rebake_on_update=rebake)) as sandbox:
        world = World(*sandbox)
        made = world.award(issued_on=NOON)

        if by_ref:
            world.client.badgeclasses.update_by_ref(world.open_badge_id, whole_badgeclass())
        else:
            world.client.badgeclasses.update(world.badgeclass, whole_badgeclass())

        found = world.client.assertions.get(made.entity_id)

    assert (found.image != made.image) is rebake
    assert found.issued_on == NOON


def test_lists_with_a_page_size_come_page_by_page(world: World) -> None:
    made = [world.award(f"learner-{number}@example.org").entity_id for number in range(5)]
    before = len(world.arrived)

    found = [each.entity_id for each in world.client.assertions.of_badgeclass(world.badgeclass, num=2)]

    calls = world.arrived[before:]
    assert found == made[::-1]  # the service shows the newest first once it pages
    assert [dict(call.query)["num"] for call in calls] == ["2", "2", "2"]
    assert ["cursor" in dict(call.query) for call in calls] == [False, True, True]


def test_what_changed_is_told_page_by_page_and_only_once(world: World) -> None:
    made = [world.award(f"learner-{number}@example.org") for number in range(3)]
    world.client.assertions.revoke(made[0].entity_id, "mistake")
    first = world.client.assertions.changed(num=2)

    told = [(each.entity_id, each.revoked) for each in first]
    later = world.award("later@example.org")
    second = [each.entity_id for each in world.client.assertions.changed(first.timestamp)]

    assert told == [(made[1].entity_id, False), (made[2].entity_id, False), (made[0].entity_id, True)]
    assert second == [later.entity_id]


def test_badge_classes_and_issuers_tell_what_changed_too(world: World) -> None:
    since = datetime.now(UTC) - timedelta(minutes=1)

    classes = [each.entity_id for each in world.client.badgeclasses.changed(since)]
    issuers = [each.entity_id for each in world.client.issuers.changed(since)]

    assert (classes, issuers) == ([world.badgeclass], [world.issuer])


def test_an_archived_badge_class_is_not_there_unless_asked_for(world: World) -> None:
    world.archived()

    assert world.client.badgeclasses.exists(world.badgeclass) is False
    assert list(world.client.badgeclasses.all()) == []


def test_what_was_issued_keeps_its_badge_class_and_issuer_from_being_deleted(world: World) -> None:
    world.award()

    with pytest.raises(Refused, match="may only be deleted if all BadgeInstances have been revoked"):
        world.client.badgeclasses.delete(world.badgeclass)
    with pytest.raises(Refused, match="has previously issued badges"):
        world.client.issuers.delete(world.issuer)


def test_a_bad_token_or_a_weak_password_recovers_no_account(world: World) -> None:
    with pytest.raises(Refused, match="not known, or not good"):
        world.client.recovery.set_password("made-up", "long enough")
    with pytest.raises(Refused, match="too short"):
        world.client.recovery.set_password(world.mailed_token(), "short")


def test_a_second_mail_within_five_minutes_is_too_many(world: World) -> None:
    world.client.recovery.request(world.address)

    with pytest.raises(Throttled):
        world.client.recovery.request(world.address)


def test_a_token_of_one_issuer_works_for_that_issuer(world: World) -> None:
    (token,) = world.client.tokens.of_issuers([world.issuer])
    permits = MemoryPermits({"academy": RateLimit(1000, 60, 30)})
    confined = BadgrProvider(
        "academy", world.url, Credentials(token=token.token), permits, MemoryTokens(), 30
    ).client()

    assert confined.issuers.get(world.issuer).entity_id == world.issuer
    with pytest.raises(Refused):
        list(confined.issuers.all())
