"""Reconciling: each way in which our awards and what the provider holds can differ, found and mended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.bodies import updated
from tests.support.ground import Ground, now
from tests.support.outbox import award_due, change, enrol_badge, stored
from tests.support.world import CLASS, World
from worker.adapters.database.reconciling import Books
from worker.adapters.memory_provider import MemoryProvider
from worker.awards import Which
from worker.comparison import DifferenceKind, Held
from worker.errors import NoAnswer, Refused
from worker.revoking import ask

EARNED = datetime(2025, 1, 1, 0, 0, 2, tzinfo=UTC)  # when the users of `award_due` enrol
NO_FEED = Refused(404, "no such path")


@pytest.fixture
def world(ground: Ground) -> World:
    """Ada and Bob have an issued award each."""
    ground.apply(**{"40": enrol_badge("40")})
    award_due(ground, "ada", "bob")
    made = World(ground)
    made.issue()
    assert ground.states() == {"ada": "issued", "bob": "issued"}
    return made


def test_where_nothing_differs_nothing_is_found(world: World) -> None:
    report = world.compare()

    assert (report.differences, report.remaining, report.compared) == ([], 0, 2)
    assert (report.read, report.since) == ("changes", None)


# Revoked over there


def test_a_revocation_over_there_is_found_and_noted(world: World) -> None:
    world.provider.revoke_there(world.adas.assertion_id, "by hand")

    found, mended, again = world.found(), world.found(fix=True), world.found()

    assert found == [("revoked_there", "ada", False)]
    assert (mended, again) == ([("revoked_there", "ada", True)], [])
    assert stored(world.ground, "ada", "state", "recipient") == ("revoked", None)
    (*_, last) = world.ground.database.history_of("ada", "40")
    assert (last.what, last.actor, last.detail) == ("revoked over there", "operator", {"reason": "by hand"})


def test_an_award_that_is_being_revoked_is_no_difference(world: World) -> None:
    list(ask(world.ground.database, Which("40", ("ada",)), "mistake"))
    world.provider.revoke_there(world.adas.assertion_id, "by hand")

    assert world.found(fix=True) == []
    assert stored(world.ground, "ada", "state") == ("revoking",)


def test_a_revocation_that_failed_here_and_came_about_over_there_is_done(world: World) -> None:
    change(world.ground, ["ada"], state="failed")
    world.provider.revoke_there(world.adas.assertion_id, "by hand")

    world.found(fix=True)

    assert stored(world.ground, "ada", "state", "last_error") == ("revoked", None)


def test_a_revoked_award_that_is_still_good_over_there_is_revoked_there_too(world: World) -> None:
    change(world.ground, ["ada"], state="revoked")

    found = world.found(fix=True)
    world.issue()

    assert found == [("not_revoked", "ada", True)]
    assert world.adas.revoked
    assert world.found(full=True) == []


# Lost by the provider


@pytest.mark.parametrize("feed", [True, False], ids=["by-changes", "by-lists"])
def test_a_lost_assertion_is_found_and_issued_again(world: World, feed: bool) -> None:
    lost = world.adas.assertion_id
    world.provider.lose(lost)
    if not feed:
        world.provider.fail_next("changed", NO_FEED)
        world.provider.fail_next("changed", NO_FEED)

    found, mended = world.found(), world.found(fix=True)
    world.issue()

    assert (found, mended) == ([("lost", "ada", False)], [("lost", "ada", True)])
    assert stored(world.ground, "ada", "state", "assertion_id") == ("issued", world.adas.assertion_id)
    assert world.adas.assertion_id != lost
    assert "lost by the provider; to be issued again" in world.ground.history("ada", "40")


def test_only_a_whole_comparison_shows_what_is_lost(world: World) -> None:
    world.compare()
    world.provider.lose(world.adas.assertion_id)

    assert world.found() == []
    assert world.found(full=True) == [("lost", "ada", False)]


def test_what_the_look_up_finds_is_not_lost(world: World) -> None:
    """A feed may leave out what the account may see in the lists, as where it is nobody's staff."""

    class Blind(MemoryProvider):
        def changed(self, since: datetime | None) -> Any:
            whole = super().changed(since)
            whole._read = list  # nothing
            return whole

    world.provider.__class__ = Blind

    assert world.found(fix=True) == []
    assert world.ground.states() == {"ada": "issued", "bob": "issued"}


def test_another_assertion_takes_the_place_of_a_lost_one(world: World) -> None:
    world.provider.lose(world.adas.assertion_id)
    world.held("NEW")

    found = world.found(fix=True)

    assert found == [("lost", "ada", True)]
    assert stored(world.ground, "ada", "state", "assertion_id") == ("issued", "NEW")
    assert world.found(full=True) == []


def test_what_is_issued_while_we_read_is_not_lost(world: World) -> None:
    award_due(world.ground, "cid")

    class Slow(MemoryProvider):
        def changed(self, since: datetime | None) -> Any:
            whole = super().changed(since)
            read = whole._read

            def then_issue() -> list[Held]:
                found = read()
                world.issue()
                return found

            whole._read = then_issue
            return whole

    world.provider.__class__ = Slow

    assert world.found(fix=True) == []
    assert world.ground.states()["cid"] == "issued"


def test_an_award_that_changed_since_is_left_alone(world: World) -> None:
    books = Books(world.ground.engine)
    award = books.linked("academy", [world.adas.assertion_id])[world.adas.assertion_id]
    list(ask(world.ground.database, Which("40", ("ada",)), "mistake"))

    assert not books.lose(award)
    assert not books.revoked_there(award, "by hand")
    assert not books.adopt("academy", award, Held(CLASS, world.adas))
    assert stored(world.ground, "ada", "state") == ("revoking",)


# Assertions that we do not know


def test_an_assertion_of_nobody_of_ours_is_reported_and_left(world: World) -> None:
    world.held("X1", "stranger")

    assert world.found(fix=True) == [("unknown", None, False)]
    assert not world.there[-1].revoked


def test_an_assertion_of_a_user_without_the_award_is_reported_and_left(world: World) -> None:
    world.ground.ingest(updated(1, "cid", email=" Cid@Example.org"))
    world.held("X1", "cid")

    assert world.found(fix=True) == [("no_award", "cid", False)]
    assert not world.there[-1].revoked


@pytest.mark.parametrize("state", ["pending", "failed", "waiting"])
def test_an_award_that_was_not_sent_is_linked_to_its_assertion(world: World, state: str) -> None:
    award_due(world.ground, "cid")
    change(world.ground, ["cid"], state=state, last_error="whatever")
    world.held("X1", "cid")

    found, mended = world.found(), world.found(fix=True)

    assert (found, mended) == ([("unlinked", "cid", False)], [("unlinked", "cid", True)])
    assert stored(world.ground, "cid", "state", "assertion_id", "recipient", "last_error") == (
        "issued",
        "X1",
        "cid@example.org",
        None,
    )
    assert world.found(full=True) == []


@pytest.mark.parametrize("facts", [{"state": "issuing"}, {"uncertain": True}], ids=["sent", "uncertain"])
def test_an_award_that_is_being_sent_finds_its_assertion_by_itself(
    world: World, facts: dict[str, Any]
) -> None:
    award_due(world.ground, "cid")
    change(world.ground, ["cid"], **facts)
    world.held("X1", "cid")

    assert world.found(fix=True) == []


def test_an_award_belongs_to_the_issuer_whose_assertion_it_is_linked_to(world: World) -> None:
    award_due(world.ground, "cid")
    change(world.ground, ["cid"], issuer="partner")
    world.held("X1", "cid")

    assert world.found(fix=True) == [("unlinked", "cid", True)]
    assert stored(world.ground, "cid", "issuer", "assertion_id") == ("academy", "X1")


def test_of_two_users_with_one_address_the_one_it_was_sent_for_has_it(world: World) -> None:
    award_due(world.ground, "zoe", "abe", address="ada@example.org")
    change(world.ground, ["zoe", "abe"], state="failed")
    world.held("X1", "ada")

    assert world.found() == [("duplicate", "ada", False)]


def test_of_two_users_with_one_address_the_one_with_an_award_has_it(world: World) -> None:
    world.ground.ingest(updated(1, "abe", email="cid@example.org"))
    award_due(world.ground, "cid")
    world.held("X1", "cid")

    assert world.found(fix=True) == [("unlinked", "cid", True)]


@pytest.mark.parametrize("facts", [{"revoked": True}, {"expires": EARNED}], ids=["revoked", "expired"])
def test_unknown_ones_that_are_not_good_any_more_are_no_difference(
    world: World, facts: dict[str, Any]
) -> None:
    world.held("X1", "stranger", **facts)
    world.held("X2", "ada", **facts)

    assert world.found() == []


def test_assertions_of_other_badge_classes_are_none_of_our_business(world: World) -> None:
    world.held("X1", "stranger", badgeclass="another")

    assert world.found() == []


# Duplicates


def test_surplus_assertions_are_revoked_and_ours_is_kept(world: World) -> None:
    ours = world.adas.assertion_id
    world.held("X1")
    world.held("X2")

    found, mended, again = world.found(), world.found(fix=True), world.found()

    assert found == [("duplicate", "ada", False)] * 2
    assert (mended, again) == ([("duplicate", "ada", True)] * 2, [])
    assert {each.assertion_id for each in world.there if each.revoked} == {"X1", "X2"}
    assert stored(world.ground, "ada", "state", "assertion_id") == ("issued", ours)


def test_of_two_for_an_award_that_was_not_sent_one_is_linked_and_one_revoked(world: World) -> None:
    award_due(world.ground, "cid")
    world.held("X1", "cid")
    world.held("X2", "cid", issued_on=stored(world.ground, "cid", "earned_at")[0])

    found = world.found(fix=True)

    assert sorted(found) == [("duplicate", "cid", True), ("unlinked", "cid", True)]
    assert stored(world.ground, "cid", "assertion_id") == ("X2",)
    assert [each.assertion_id for each in world.there if each.revoked] == ["X1"]


def test_a_second_one_beside_a_revoked_one_is_for_a_person(world: World) -> None:
    world.provider.revoke_there(world.adas.assertion_id, "by hand")
    world.held("X1")

    found = world.found(fix=True)

    assert sorted(found) == [("no_award", "ada", False), ("revoked_there", "ada", True)]
    assert not world.there[-1].revoked


def test_a_surplus_one_that_cannot_be_revoked_remains(world: World) -> None:
    world.held("X1")
    world.provider.fail_next("revoke", Refused(404, "no permission"))

    report = world.compare(fix=True)

    (found,) = report.differences
    assert (found.mended, found.detail) == (False, "beside the one of the award; no permission")
    assert report.remaining == 1


# From one comparison to the next


def test_the_next_comparison_reads_only_what_changed_since(world: World) -> None:
    world.compare()
    clock = now() + timedelta(hours=1)
    world.provider._clock = lambda: clock
    world.compare()
    world.held("X1", "stranger")

    report = world.compare()

    assert report.since == clock
    assert (report.compared, len(report.differences)) == (1, 1)


def test_differences_that_remain_are_found_again(world: World) -> None:
    world.provider.revoke_there(world.adas.assertion_id, "by hand")

    first, second = world.compare(), world.compare()

    assert (first.since, second.since) == (None, None)
    assert [each.kind for each in second.differences] == [DifferenceKind.REVOKED_THERE]


def test_once_they_are_mended_the_next_comparison_goes_on_from_there(world: World) -> None:
    world.provider.revoke_there(world.adas.assertion_id, "by hand")

    mended, following = world.compare(fix=True), world.compare()

    assert (mended.remaining, mended.since) == (0, None)
    assert following.since is not None
    assert following.remaining == 0


def test_a_comparison_that_broke_off_is_begun_anew(world: World) -> None:
    world.provider.fail_next("changed", NoAnswer("cut"))

    broken, following = world.compare(), world.compare()

    assert (broken.problems, broken.remaining) == (["cut"], 1)
    assert (following.since, following.remaining) == (None, 0)


def test_without_a_feed_the_lists_are_read_each_time(world: World) -> None:
    world.held("X1", "stranger")
    world.provider.fail_next("changed", NO_FEED)

    report = world.compare()

    assert (report.read, report.compared, report.since) == ("lists", 3, None)
    assert [each.kind for each in report.differences] == [DifferenceKind.UNKNOWN]


def test_a_badge_class_that_cannot_be_read_is_told_and_says_nothing_of_its_awards(world: World) -> None:
    world.provider.fail_next("changed", NO_FEED)
    world.provider.fail_next("held", Refused(404, "badge class class-40 is unknown"))

    report = world.compare(fix=True)

    assert (report.problems, report.differences) == (
        ["refused with HTTP 404: badge class class-40 is unknown"],
        [],
    )
    assert world.ground.states() == {"ada": "issued", "bob": "issued"}


def test_awards_of_a_badge_class_of_before_are_compared_too(world: World) -> None:
    world.move("elsewhere")
    world.provider.revoke_there(world.adas.assertion_id, "by hand")

    assert world.found() == [("revoked_there", "ada", False)]
