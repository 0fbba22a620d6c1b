"""From the award to the provider and back: whatever goes wrong on the way, one assertion each (design 3)."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bodies import updated
from tests.support.ground import ISSUER, Ground, now
from tests.support.outbox import award_due, enrol_badge, make_due, run_out, stored
from tests.support.running import Running
from worker.adapters.memory_provider import MemoryProvider
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.awards import Call
from worker.errors import BadgeWorkerError, NoAnswer, Throttled, Unreachable
from worker.issuing import IssuerConnection, Issuing, dispatch
from worker.rules.definitions import Badge, Issuer

if TYPE_CHECKING:
    from worker.awards import Grant, Outcome

CLASS = "class-40"
NO_ANSWER = NoAnswer("the answer did not come")


class Post:
    """Hands calls to whoever makes them next."""

    def __init__(self) -> None:
        self.calls: list[Call] = []

    def nudge(self) -> None:
        """Nobody listens here."""

    def send(self, call: Call) -> None:
        self.calls.append(call)


class Office:
    """A dispatcher and a caller for one ground and one provider."""

    def __init__(self, ground: Ground, provider: MemoryProvider) -> None:
        self.ground = ground
        self.provider = provider
        self.hours = 0
        limits = {"academy": RateLimit(calls=100, window=1, deadline=30)}
        self.permits = MemoryPermits(limits, clock=lambda: self.hours * 3600.0)

    def issuing(self) -> Issuing:
        database = self.ground.database

        def definition(badge_id: str) -> Badge:
            return Badge.model_validate(database.badge(badge_id))

        issuer = Issuer.model_validate(ISSUER)
        connection = IssuerConnection("academy", issuer, self.provider, definition, now)
        return Issuing(database, self.permits, connection)

    def run(self) -> list[str]:
        """Let the dispatcher run once and make its calls, out of any pause; return the kind of each."""
        self.hours += 1
        post = Post()
        dispatch(self.ground.database, self.permits, post)
        for call in post.calls:
            (self.issuing().settle if call.settle else self.issuing().issue)(call.lease_id)
        return ["settle" if call.settle else "issue" for call in post.calls]

    def run_until_settled(self) -> list[str]:
        """Let time pass and the dispatcher run until nothing is left to do."""
        runs: list[str] = []
        while set(self.ground.states().values()) & {"pending", "issuing"}:
            make_due(self.ground)
            runs += self.run()
            assert len(runs) < 50, self.ground.states()
        return runs

    def held(self) -> list[str]:
        return sorted(each.recipient for each in self.provider.assertions(CLASS))


@pytest.fixture
def office(ground: Ground) -> Office:
    return open_office(ground)


def open_office(ground: Ground, provider: MemoryProvider | None = None) -> Office:
    ground.apply(**{"40": enrol_badge("40")})
    award_due(ground, "ada", "bob")
    return Office(ground, provider or MemoryProvider())


BOTH = ["ada@example.org", "bob@example.org"]


def test_an_award_is_issued_and_its_assertion_recorded(office: Office) -> None:
    kinds = office.run()

    award = office.ground.award("ada", "40")
    assert award is not None
    (mine, _) = office.provider.assertions(CLASS)
    assert (kinds, award.state, award.attempts) == (["issue"], "issued", 1)
    assert (award.assertion_id, award.assertion_url) == (mine.assertion_id, mine.url)
    assert mine.issued_on == award.earned_at
    assert office.ground.history("ada", "40") == ["decided", "sent", "issued"]


def test_when_the_call_goes_out_its_sending_is_committed(ground: Ground) -> None:
    class Watching(MemoryProvider):
        seen: tuple[Any, ...] = ()

        def issue(
            self, badgeclass: str, grants: Sequence[Grant], before_send: Callable[[], None]
        ) -> Sequence[Outcome]:
            def then_look() -> None:
                before_send()
                look = Running(lambda: stored(ground, "ada", "state", "sent_at"))
                self.seen = look.result()

            return super().issue(badgeclass, grants, then_look)

    provider = Watching()
    office = open_office(ground, provider)

    office.run()

    state, sent_at = provider.seen
    assert state == "issuing"
    assert sent_at is not None


@pytest.mark.parametrize("saved", [0, 1, 2])
def test_what_ended_without_an_answer_is_looked_up_before_anything_is_repeated(
    office: Office, saved: int
) -> None:
    office.provider.fail_next("issue", NO_ANSWER, saving=saved)

    first = office.run()
    at_once = office.run()
    later = office.run_until_settled()

    assert (first, at_once) == (["issue"], [])
    assert later == (["settle"] if saved == 2 else ["settle", "issue"])
    assert office.held() == BOTH
    assert office.ground.states() == {"ada": "issued", "bob": "issued"}


def test_a_look_up_without_an_answer_is_repeated_and_nothing_issued_meanwhile(office: Office) -> None:
    office.provider.fail_next("issue", NO_ANSWER, saving=2)
    for _ in range(3):
        office.provider.fail_next("find", NO_ANSWER)

    kinds = office.run_until_settled()

    assert kinds == ["issue", "settle", "settle", "settle", "settle"]
    assert office.held() == BOTH


def test_a_caller_that_dies_after_sending_leaves_what_is_looked_up(office: Office) -> None:
    class Killed(BaseException):
        pass

    office.provider.fail_next("issue", Killed(), saving=1)  # type: ignore[arg-type]  # no error of ours

    with pytest.raises(Killed):
        office.run()
    run_out(office.ground)
    kinds = office.run_until_settled()

    assert kinds == ["settle", "issue"]
    assert office.held() == BOTH


def test_a_caller_that_dies_before_sending_leaves_what_is_simply_done_again(office: Office) -> None:
    post = Post()
    dispatch(office.ground.database, office.permits, post)
    office.ground.database.prepare(post.calls[0].lease_id)

    run_out(office.ground)
    kinds = office.run_until_settled()

    assert kinds == ["issue"]
    assert office.held() == BOTH


def test_a_task_that_comes_twice_sends_once(office: Office) -> None:
    post = Post()
    dispatch(office.ground.database, office.permits, post)
    (call,) = post.calls

    for _ in range(2):
        office.issuing().issue(call.lease_id)

    assert office.provider.calls == [("issue", CLASS, 2)]


def test_a_task_that_comes_after_its_lease_sends_nothing(office: Office) -> None:
    post = Post()
    dispatch(office.ground.database, office.permits, post)
    run_out(office.ground)

    office.issuing().issue(post.calls[0].lease_id)

    assert office.provider.calls == []
    assert office.ground.states() == {"ada": "pending", "bob": "pending"}


def test_what_was_revoked_over_there_is_not_issued_again(office: Office) -> None:
    office.provider.fail_next("issue", NO_ANSWER, saving=2)
    office.run()
    office.provider.revoke_there(office.provider.assertions(CLASS)[0].assertion_id, "by mistake")

    office.run_until_settled()

    assert office.ground.states() == {"ada": "revoked", "bob": "issued"}
    assert len(office.held()) == 2


def test_a_refused_duplicate_is_looked_up_and_adopted(office: Office) -> None:
    office.run()
    before = office.provider.assertions(CLASS)
    # As after a restore of our database from before the answers came.
    office.ground.set_awards(state="pending", assertion_id=None, assertion_url=None)

    kinds = office.run_until_settled()

    assert kinds == ["issue", "settle"]
    assert office.provider.assertions(CLASS) == before
    award = office.ground.award("ada", "40")
    assert award is not None
    assert award.assertion_id == before[0].assertion_id


def test_one_bad_address_holds_up_nobody_else(office: Office) -> None:
    office.ground.ingest(updated(9, "bob", email="not-an-address"))

    kinds = office.run_until_settled()

    assert kinds == ["issue", "issue"]
    assert office.ground.states() == {"ada": "issued", "bob": "failed"}
    award = office.ground.award("bob", "40")
    assert award is not None
    assert "valid email" in str(award.last_error)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_fails_in_whatever_order_everybody_ends_with_one_assertion(
    ground: Ground, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 # repeatable, not secret
    office = open_office(ground)
    award_due(ground, *(f"user-{number}" for number in range(8)))
    errors: list[Callable[[], BadgeWorkerError]] = [
        lambda: NoAnswer("cut off"),
        lambda: Unreachable("connection refused"),
        lambda: Throttled("slowly, please", 0.0),
    ]
    for _ in range(6):
        error = chance.choice(errors)()
        saving = chance.randint(0, 10) if isinstance(error, NoAnswer) else 0
        office.provider.fail_next("issue", error, saving=saving)
        office.provider.fail_next("find", chance.choice(errors)())

    office.run_until_settled()

    assert len(office.held()) == len(set(office.held())) == 10
    assert set(ground.states().values()) == {"issued"}
