"""Reconciling while others are at work, at other addresses, and with a provider that breaks in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import pytest

from tests.support.bodies import updated
from tests.support.ground import Ground
from tests.support.outbox import award_due, change, enrol_badge, stored
from tests.support.world import CLASS, World
from worker import reconciling
from worker.adapters.database.reconciling import Books
from worker.adapters.memory_provider import MemoryChanges, MemoryProvider
from worker.awards import Assertion, Refusal
from worker.comparison import Held, Standing
from worker.errors import BadgeWorkerError, NoAnswer, Refused


@pytest.fixture
def world(ground: Ground) -> World:
    """Ada and Bob have an issued award each."""
    ground.apply(**{"40": enrol_badge("40")})
    award_due(ground, "ada", "bob")
    made = World(ground)
    made.issue()
    return made


# Others at work


class LateBooks(Books):
    """Books in which an award is linked to its assertion just after it was asked whose that is."""

    asked = 0

    def linked(self, issuer: str, assertion_ids: Sequence[str]) -> dict[str, Standing]:
        self.asked += 1
        return {} if self.asked == 1 else super().linked(issuer, assertion_ids)


def test_what_was_linked_since_we_asked_is_left_alone(world: World) -> None:
    world.books = LateBooks(world.ground.engine)

    assert world.found(fix=True) == []
    assert not any(each.revoked for each in world.there)


class TwiceProvider(MemoryProvider):
    """A provider whose feed tells of each assertion twice: it changed while pages were read."""

    def changed(self, since: datetime | None) -> MemoryChanges:
        whole = super().changed(since)
        read = whole._read
        whole._read = lambda: [*read(), *read()]
        return whole


def test_what_comes_twice_is_linked_and_not_revoked(world: World) -> None:
    award_due(world.ground, "cid")
    world.held("X1", "cid")
    world.provider.__class__ = TwiceProvider

    assert world.found(fix=True) == [("unlinked", "cid", True)]
    assert not any(each.revoked for each in world.there)


class RivalBooks(Books):
    """Books in which somebody else links an award to another assertion just before we do."""

    choice: Held

    def adopt(self, issuer: str, award: Standing, held: Held) -> bool:
        assert super().adopt(issuer, award, self.choice)
        return super().adopt(issuer, award, held)


def test_who_comes_second_revokes_nothing_that_the_first_has_linked(world: World) -> None:
    award_due(world.ground, "cid")
    world.held("X1", "cid")
    books = RivalBooks(world.ground.engine)
    books.choice = Held(CLASS, world.held("X2", "cid"))
    world.books = books

    found = world.found(fix=True)

    assert found == [("unlinked", "cid", False), ("duplicate", "cid", False)]
    assert stored(world.ground, "cid", "assertion_id") == ("X2",)
    assert not any(each.revoked for each in world.there)


class RelinkingProvider(MemoryProvider):
    """A provider that is asked for an address while the award of that address is linked to another."""

    relink: Callable[[], None]

    def find(self, badgeclass: str, recipients: Sequence[str]) -> Sequence[Assertion]:
        found = super().find(badgeclass, recipients)
        self.relink()
        return found


def test_a_surplus_one_that_was_linked_meanwhile_is_not_revoked(world: World) -> None:
    world.held("X1")
    provider = world.provider
    provider.__class__ = RelinkingProvider
    provider.relink = lambda: change(world.ground, ["ada"], assertion_id="X1")  # type: ignore[attr-defined]

    assert world.found(fix=True) == [("duplicate", "ada", False)]
    assert not any(each.revoked for each in world.there)


def test_an_assertion_that_is_linked_already_is_adopted_by_nobody_else(world: World) -> None:
    award_due(world.ground, "cid")
    standing = Standing("cid", "40", world.books.holders("40", ["cid@example.org"])["cid@example.org"].state)

    assert not world.books.adopt("academy", standing, Held(CLASS, world.adas))
    assert stored(world.ground, "cid", "state", "assertion_id") == ("pending", None)


# Other addresses, other classes


def test_a_second_one_at_a_later_address_is_for_a_person(world: World) -> None:
    ours = world.adas.assertion_id
    world.ground.ingest(updated(5, "ada", email="Ada@New.Example"))
    world.held("X1", recipient="ada@new.example")

    found = world.found(fix=True)

    assert found == [("duplicate", "ada", False)]
    assert stored(world.ground, "ada", "assertion_id", "recipient") == (ours, "ada@example.org")
    assert not any(each.revoked for each in world.there)


def test_a_second_one_of_a_later_badge_class_is_for_a_person(world: World) -> None:
    world.move("class-new")
    other = world.held("X1", badgeclass="class-new")

    assert world.found(fix=True) == [("duplicate", "ada", False)]
    assert world.provider.assertions("class-new") == (other,)


def test_an_award_whose_own_was_read_at_another_address_has_not_lost_it(world: World) -> None:
    ours = world.adas.assertion_id
    award_due(world.ground, "cid")
    world.issue()
    change(world.ground, ["cid"], assertion_id="elsewhere")
    world.held("elsewhere", recipient="other@example.org")
    world.held("X1", "cid")

    found = world.found(fix=True)

    assert ("duplicate", "cid", False) in found
    assert "lost" not in [kind for kind, *_ in found]
    assert stored(world.ground, "cid", "assertion_id") == ("elsewhere",)
    assert stored(world.ground, "ada", "assertion_id") == (ours,)


def test_one_at_a_later_address_takes_the_place_of_a_lost_one(world: World) -> None:
    world.provider.lose(world.adas.assertion_id)
    world.ground.ingest(updated(5, "ada", email="ada@new.example"))
    world.held("X1", recipient="ada@new.example")

    assert world.found(fix=True) == [("lost", "ada", True)]
    assert stored(world.ground, "ada", "assertion_id", "recipient") == ("X1", "ada@new.example")
    assert world.found(full=True) == []


def test_of_two_users_with_one_address_the_one_whose_award_is_not_sent_has_it(world: World) -> None:
    award_due(world.ground, "zoe", address="shared@example.org")
    world.ground.ingest(updated(5, "ada", email="shared@example.org"))
    world.held("X1", "shared")

    assert world.found(fix=True) == [("unlinked", "zoe", True)]


# What was to be revoked


def fail_revocation(world: World) -> None:
    """Let the revocation of Ada's award be refused, because there is nothing to revoke."""
    world.provider.lose(world.adas.assertion_id)
    change(world.ground, ["ada"], state="failed", revoke_reason="mistake", last_error="not found")


def test_what_failed_to_be_revoked_and_is_gone_is_revoked(world: World) -> None:
    fail_revocation(world)

    found, mended, again = world.found(), world.found(fix=True), world.found(full=True)

    assert found == [("lost", "ada", False)]
    assert (mended, again) == ([("lost", "ada", True)], [])
    assert stored(world.ground, "ada", "state", "last_error", "recipient") == ("revoked", None, None)
    assert world.ground.history("ada", "40")[-1] == "lost by the provider; nothing to revoke"


def test_another_one_does_not_take_the_place_of_what_was_to_be_revoked(world: World) -> None:
    fail_revocation(world)
    world.held("X1")

    found = world.found(fix=True)

    assert sorted(found) == [("lost", "ada", True), ("no_award", "ada", False)]
    assert stored(world.ground, "ada", "state") == ("revoked",)


def test_what_failed_to_be_revoked_and_is_there_still_waits_for_a_person(world: World) -> None:
    change(world.ground, ["ada"], state="failed", revoke_reason="mistake")

    assert world.found(fix=True) == []
    assert stored(world.ground, "ada", "state") == ("failed",)


@pytest.mark.parametrize(("reason", "state"), [(None, "issued"), ("mistake", "revoking")])
def test_what_could_not_be_looked_up_is_linked(world: World, reason: str | None, state: str) -> None:
    award_due(world.ground, "cid")
    change(world.ground, ["cid"], state="failed", uncertain=True, revoke_reason=reason)
    world.held("X1", "cid")

    assert world.found(fix=True) == [("unlinked", "cid", True)]
    assert stored(world.ground, "cid", "state", "uncertain", "assertion_id") == (state, False, "X1")


# A provider that breaks in the middle


class BreakingProvider(MemoryProvider):
    """A provider whose feed breaks off after its first assertion, and then goes well."""

    error: BadgeWorkerError | None

    def changed(self, since: datetime | None) -> MemoryChanges:
        whole = super().changed(since)
        read, error, self.error = whole._read, self.error, None

        def broken() -> Iterator[Held]:
            for number, each in enumerate(read()):
                if number and error:
                    raise error
                yield each

        if error:
            whole._read = broken  # type: ignore[assignment] # page by page
        return whole


@pytest.fixture
def breaking(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """A provider at which both awards are revoked, and whose feed breaks between them."""
    monkeypatch.setattr(reconciling, "CHUNK", 1)
    for each in world.there:
        world.provider.revoke_there(each.assertion_id, "by hand")
    world.provider.__class__ = BreakingProvider
    world.provider.error = NoAnswer("HTTP 503", 503)  # type: ignore[attr-defined]
    return world


def test_what_was_mended_before_it_broke_stays_and_the_rest_is_mended_next_time(breaking: World) -> None:
    broken, following = breaking.compare(fix=True), breaking.compare(fix=True)

    assert ([each.mended for each in broken.differences], broken.problems) == ([True], ["HTTP 503"])
    assert ([each.mended for each in following.differences], following.since) == ([True], None)
    assert breaking.ground.states() == {"ada": "revoked", "bob": "revoked"}
    assert breaking.found() == []


def test_a_feed_that_is_gone_in_the_middle_is_a_problem_and_no_missing_feed(breaking: World) -> None:
    breaking.provider.error = Refused(404, "no such cursor")  # type: ignore[attr-defined]

    report = breaking.compare()

    assert (report.read, report.problems) == ("changes", ["refused with HTTP 404: no such cursor"])
    assert [method for method, *_ in breaking.provider.calls] == ["issue"]


def test_a_mend_without_an_answer_is_told_with_its_difference(world: World) -> None:
    world.held("X1")
    world.provider.fail_next("revoke", NoAnswer("cut"), saving=1)

    broken, following = world.compare(fix=True), world.found(fix=True)

    (told,) = broken.differences
    assert (told.kind.value, told.mended, told.detail) == (
        "duplicate",
        False,
        "beside the one of the award; cut",
    )
    assert broken.problems == ["cut"]
    assert following == []
    assert [each.assertion_id for each in world.there if each.revoked] == ["X1"]


def test_a_look_up_that_breaks_loses_nobody(world: World) -> None:
    world.provider.lose(world.adas.assertion_id)
    world.provider.fail_next("find", NoAnswer("HTTP 503", 503))

    broken = world.compare(fix=True)

    assert (broken.differences, broken.problems) == ([], ["HTTP 503"])
    assert world.ground.states() == {"ada": "issued", "bob": "issued"}


def test_a_refused_mend_does_not_keep_the_others_from_being_mended(world: World) -> None:
    world.held("X1")
    world.held("X2", "bob")

    class Stubborn(MemoryProvider):
        def revoke(
            self, revocations: Sequence[tuple[str, str]], before_send: Callable[[], None]
        ) -> Sequence[Refusal | None]:
            if revocations[0][0] == "X1":
                raise Refused(404, "no permission")
            return super().revoke(revocations, before_send)

    world.provider.__class__ = Stubborn

    assert world.found(fix=True) == [("duplicate", "ada", False), ("duplicate", "bob", True)]
