"""Revoking at a provider (design.md 3): the calls, what they end with, and who makes them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from unittest.mock import Mock

import pytest

from tests.support.ground import ISSUER, Ground, now
from tests.support.outbox import admit, award_due, change, enrol_badge, lease, make_due, run_out, stored
from tests.support.running import Running
from worker.adapters.memory_provider import MemoryProvider
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.awards import Assertion, Call, Grant, Refusal, RevocationAnswer, Which
from worker.errors import BadgeWorkerError, NoAnswer, NoPermit, Refused, SignInRefused, Throttled, Unreachable
from worker.issuing import IssuerConnection, Issuing
from worker.revoking import HOPELESS, Revoking, ask
from worker.rules.definitions import Badge, Issuer

if TYPE_CHECKING:
    from worker.awards import Outcome

WHY = "awarded by mistake"


def revoke(ground: Ground) -> list[RevocationAnswer]:
    return [each.answer for each in ask(ground.database, Which("40"), WHY)]


def revocation(ground: Ground) -> Call:
    """Lease what is to be revoked for its one call."""
    call = lease(ground)
    assert call.revoke
    return call


class Office:
    """A dispatcher's work on one ground with one provider, made call by call."""

    def __init__(self, ground: Ground, provider: MemoryProvider) -> None:
        self.ground = ground
        self.provider = provider
        self.permits = MemoryPermits({"academy": RateLimit(calls=100, window=1, deadline=30)})

    def issuing(self) -> Issuing:
        database = self.ground.database

        def definition(badge_id: str) -> Badge:
            return Badge.model_validate(database.badge(badge_id))

        issuer = Issuer.model_validate(ISSUER)
        connection = IssuerConnection("academy", issuer, self.provider, definition, now)
        return Issuing(database, self.permits, connection)

    def revoking(self) -> Revoking:
        return Revoking(self.ground.database, self.permits, "academy", self.provider, 30.0)

    def work(self, call: Call) -> None:
        if call.revoke:
            self.revoking().revoke(call.lease_id)
        elif call.settle:
            self.issuing().settle(call.lease_id)
        else:
            self.issuing().issue(call.lease_id)

    def run(self) -> None:
        make_due(self.ground)
        for call in admit(self.ground):
            self.work(call)

    @property
    def live(self) -> list[str]:
        return [each.recipient for each in self.provider.assertions("class-40") if not each.revoked]


@pytest.fixture
def due(ground: Ground) -> Ground:
    """Ground on which one award of one badge is due: that of Ada."""
    ground.apply(**{"40": enrol_badge("40")})
    award_due(ground, "ada")
    return ground


@pytest.fixture
def office(due: Ground) -> Office:
    return Office(due, MemoryProvider())


def test_an_issued_award_is_revoked_at_the_provider(office: Office) -> None:
    office.run()
    revoke(office.ground)

    office.run()

    (held,) = office.provider.assertions("class-40")
    assert (held.revoked, held.revocation_reason) == (True, WHY)
    assert office.ground.states() == {"ada": "revoked"}
    assert office.ground.history("ada", "40")[-3:] == ["to be revoked", "revocation sent", "revoked"]


def test_what_was_revoked_over_there_counts_as_done(office: Office) -> None:
    office.run()
    office.provider.revoke_there(office.provider.assertions("class-40")[0].assertion_id, "by hand")
    revoke(office.ground)

    office.run()

    assert office.ground.states() == {"ada": "revoked"}


class Revoked(MemoryProvider):
    """A provider over which an operator asks for revocation while it makes a call."""

    ground: Ground
    answers: list[RevocationAnswer]

    def issue(
        self, badgeclass: str, grants: Sequence[Grant], before_send: Callable[[], None]
    ) -> Sequence[Outcome]:
        outcomes = super().issue(badgeclass, grants, before_send)
        self.answers = Running(lambda: revoke(self.ground)).result()
        return outcomes


def test_revoking_while_it_is_being_issued_waits_for_the_result(due: Ground) -> None:
    provider = Revoked()
    provider.ground = due
    office = Office(due, provider)

    office.run()
    after_issuing = due.states()
    office.run()

    assert provider.answers == [RevocationAnswer.REMEMBERED]
    assert after_issuing == {"ada": "revoking"}
    assert (due.states(), office.live) == ({"ada": "revoked"}, [])
    assert [method for method, *_ in provider.calls] == ["issue", "revoke"]


@pytest.mark.parametrize("saved", [0, 1])
def test_revoking_what_ended_uncertainly_waits_for_the_look_up(office: Office, saved: int) -> None:
    office.provider.fail_next("issue", NoAnswer("cut"), saving=saved)
    office.run()
    assert revoke(office.ground) == [RevocationAnswer.REMEMBERED]

    office.run()
    office.run()

    assert (office.ground.states(), office.live) == ({"ada": "revoked"}, [])
    asked = [method for method, *_ in office.provider.calls]
    assert asked == ["issue", "find", *(["revoke"] if saved else [])]


def test_a_worker_that_died_before_its_commit_lets_another_revoke_again(office: Office) -> None:
    office.run()
    revoke(office.ground)
    call = revocation(office.ground)
    (leased_one,) = office.ground.database.prepare_revocations(call.lease_id)
    office.ground.database.mark_sent(call.lease_id, 1, 30.0, None)
    office.provider.revoke([(leased_one.assertion_id, WHY)], lambda: None)

    run_out(office.ground)
    office.run()

    assert (office.ground.states(), office.live) == ({"ada": "revoked"}, [])
    assert stored(office.ground, "ada", "attempts") == (2,)


def test_a_message_that_comes_three_times_revokes_once(office: Office) -> None:
    office.run()
    revoke(office.ground)
    call = revocation(office.ground)

    for _ in range(3):
        office.work(call)

    assert [method for method, *_ in office.provider.calls] == ["issue", "revoke"]


@pytest.mark.parametrize(
    ("error", "attempts", "what"),
    [
        (NoAnswer("cut"), 1, "uncertain"),
        (Unreachable("refused"), 1, "not sent"),
        (Throttled("slowly", 0.0), 0, "throttled"),
        (SignInRefused("no"), 0, "not signed in"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_what_time_mends_is_revoked_later(
    office: Office, error: BadgeWorkerError, attempts: int, what: str
) -> None:
    office.run()
    revoke(office.ground)
    office.provider.fail_next("revoke", error, saving=1)

    office.run()

    assert stored(office.ground, "ada", "state", "attempts", "uncertain") == ("revoking", attempts, False)
    assert office.ground.history("ada", "40")[-1] == what
    office.permits = MemoryPermits({"academy": RateLimit(calls=100, window=1, deadline=30)})
    office.run()
    assert office.ground.states() == {"ada": "revoked"}


def test_what_a_person_must_mend_is_failed_with_the_provider_s_words(office: Office) -> None:
    office.run()
    revoke(office.ground)
    office.provider.fail_next("revoke", Refused(404, "no permission"))

    office.run()

    assert stored(office.ground, "ada", "state", "last_error") == (
        "failed",
        "refused with HTTP 404: no permission",
    )


def test_each_award_of_a_call_ends_by_its_own_result(office: Office) -> None:
    award_due(office.ground, "bob")
    office.run()
    change(office.ground, ["bob"], assertion_id="gone")
    revoke(office.ground)

    office.run()

    assert office.ground.states() == {"ada": "revoked", "bob": "failed"}
    assert stored(office.ground, "bob", "last_error") == ("permission denied or object not found",)


class Broken(MemoryProvider):
    """A provider that a certain assertion breaks, and everything that is asked for with it."""

    poison = ""

    def revoke(
        self, revocations: Sequence[tuple[str, str]], before_send: Callable[[], None]
    ) -> Sequence[Refusal | None]:
        if self.poison in [name for name, _ in revocations]:
            self.fail_next("revoke", NoAnswer("HTTP 500", 500))
        return super().revoke(revocations, before_send)


def test_one_that_breaks_the_provider_is_left_alone_and_at_last_given_up(due: Ground) -> None:
    provider = Broken()
    office = Office(due, provider)
    award_due(due, *(f"user-{number}" for number in range(20)))
    office.run()
    provider.poison = next(
        each.assertion_id for each in provider.assertions("class-40") if "ada" in each.recipient
    )
    revoke(due)

    for _ in range(HOPELESS + 1):
        office.permits = MemoryPermits({"academy": RateLimit(calls=100, window=1, deadline=30)})
        make_due(due)
        while calls := admit(due):
            office.work(calls[0])

    states = due.states()
    assert states.pop("ada") == "failed"
    assert set(states.values()) == {"revoked"}
    assert stored(due, "ada", "last_error") == (f"tried {HOPELESS} times in vain; the last time: HTTP 500",)
    together = [number for method, _, number in provider.calls if method == "revoke"]
    assert together[-1] == 1


def test_without_a_permit_the_revocation_is_handed_back(office: Office) -> None:
    office.run()
    revoke(office.ground)
    call = revocation(office.ground)

    office.provider.revoke = Mock(side_effect=NoPermit("academy", 9))  # type: ignore[method-assign] # full

    office.work(call)

    assert stored(office.ground, "ada", "state", "attempts", "sent_at") == ("revoking", 0, None)
    assert revocation(office.ground).awards == 1


def test_an_adopted_assertion_is_what_is_revoked(office: Office) -> None:
    office.provider.fail_next("issue", NoAnswer("cut"), saving=1)
    office.run()
    office.run()
    revoke(office.ground)

    office.run()

    (held,) = office.provider.assertions("class-40")
    assert isinstance(held, Assertion)
    assert stored(office.ground, "ada", "assertion_id") == (held.assertion_id,)
    assert held.revoked
