"""The vectors 28 to 32 (facts section 14), from the awards in the database to what the provider holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.ground import ISSUER, Ground, now
from tests.support.outbox import award_due, change, make_due
from worker.adapters.badgr.provider import BadgrProvider
from worker.adapters.badgr.sign_in import Credentials
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens
from worker.awards import Assertion, Call, Grant, Which
from worker.errors import NoPermit
from worker.issuing import IssuerConnection, Issuing, dispatch
from worker.revoking import Revoking, ask
from worker.rules.definitions import Badge, Issuer
from worker.sandbox import SandboxOptions, SeedBadgeClass, running

if TYPE_CHECKING:
    from collections.abc import Iterator

CLASS = "class-40"


@dataclass
class Clock:
    """The time of the rate limit, which passes when it is told to."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Sender:
    """Keeps what the dispatcher sends."""

    calls: list[Call] = field(default_factory=list)

    def send(self, call: Call) -> None:
        self.calls.append(call)

    def nudge(self) -> None:
        """Wake nobody: the test runs the dispatcher itself."""


class Desk:
    """A dispatcher and a task worker with a sandbox at the other end."""

    def __init__(self, ground: Ground, url: str) -> None:
        self.ground, self.url, self.clock = ground, url, Clock()
        limits = {"academy": RateLimit(100, 60, 30)}
        self.permits = MemoryPermits(limits, clock=self.clock, sleep=self.clock.sleep)
        account = Credentials(username="academy", password="any")
        self.provider = BadgrProvider("academy", url, account, self.permits, MemoryTokens(), 30)

    def run(self) -> int:
        """Let the dispatcher run and its calls be made; return how many those were."""
        sender = Sender()
        dispatch(self.ground.database, self.permits, sender)
        for call in sender.calls:
            self._work(call)
        return len(sender.calls)

    def _work(self, call: Call) -> None:
        database = self.ground.database
        if call.revoke:
            Revoking(database, self.permits, "academy", self.provider, 30.0).revoke(call.lease_id)
            return

        def definition(badge_id: str) -> Badge:
            return Badge.model_validate(database.badge(badge_id))

        issuer = Issuer.model_validate(ISSUER)
        issuing = Issuing(
            database, self.permits, IssuerConnection("academy", issuer, self.provider, definition, now)
        )
        (issuing.settle if call.settle else issuing.issue)(call.lease_id)

    # Over there

    def throttle(self, seconds: float) -> None:
        fault = {"fault": "throttle", "path": CLASS, "times": 1, "seconds": seconds}
        httpx.post(f"{self.url}/sandbox/faults", json=fault).raise_for_status()

    def awarded(self) -> list[int]:
        """Return the status of each call that asked for assertions, revocations left out."""
        asked: list[dict[str, Any]] = httpx.get(f"{self.url}/sandbox/calls").json()
        return [each["status"] for each in asked if each["method"] == "POST" and CLASS in each["path"]]

    def statuses(self) -> list[int]:
        return [each["status"] for each in httpx.get(f"{self.url}/sandbox/calls").json()]

    def live(self) -> dict[str, str]:
        """Return the good assertions, by address."""
        held = httpx.get(f"{self.url}/sandbox/assertions").json()
        return {row["recipient"]: row["entityId"] for row in held if not row["revoked"]}


@pytest.fixture
def desk(one_badge: Ground) -> Iterator[Desk]:
    """One badge and nobody who has it, at a service that counts 100 calls in a minute."""
    with running(SandboxOptions(badgeclasses=[SeedBadgeClass(CLASS, "Forty", "academy")])) as url:
        yield Desk(one_badge, url)


def test_vector_28_a_429_with_retry_after_7_lets_no_call_out_before_7_seconds(desk: Desk) -> None:
    award_due(desk.ground, "ada")
    desk.throttle(7)

    desk.run()
    earned = desk.ground.award("ada", "40")
    make_due(desk.ground)
    desk.clock.at += 6.9
    too_early = desk.run()
    desk.clock.at += 0.2
    in_time = desk.run()

    assert earned is not None
    assert earned.state == "pending"
    assert (too_early, in_time) == (0, 1)
    assert desk.awarded() == [429, 201]
    assert desk.ground.states() == {"ada": "issued"}


def test_vector_29_of_101_issues_in_a_minute_100_requests_go_out_and_none_is_too_many(desk: Desk) -> None:
    def issue(number: int) -> bool:
        grant = Grant(f"user-{number}@example.org", now())
        try:
            (made,) = desk.provider.issue(CLASS, [grant], lambda: None)
        except NoPermit:
            return False
        return isinstance(made, Assertion)

    issued = [issue(number) for number in range(101)]
    room = desk.permits.room("academy", 59)
    desk.clock.at += 60.1

    # The sign-in is one of the hundred.
    assert (issued.count(True), issued[99:], room) == (99, [False, False], 0)
    statuses = desk.statuses()
    assert (len(statuses), 429 in statuses) == (100, False)
    assert desk.permits.room("academy", 0) == 100


def test_vector_30_a_previous_award_counts_as_issued_and_is_linked(desk: Desk) -> None:
    award_due(desk.ground, "ada")
    (theirs,) = desk.provider.issue(CLASS, [Grant("ada@example.org", now())], lambda: None)
    assert isinstance(theirs, Assertion)

    for _ in range(2):  # refused as a duplicate; looked up
        desk.run()
        make_due(desk.ground)

    assert desk.awarded() == [201, 400]
    assert desk.live() == {"ada@example.org": theirs.assertion_id}
    assert desk.ground.column("state") == {"ada": "issued"}
    assert desk.ground.column("assertion_id") == {"ada": theirs.assertion_id}


def test_vector_31_one_bad_recipient_fails_alone_and_the_good_ones_go_again(desk: Desk) -> None:
    award_due(desk.ground, "ada", "cid")
    award_due(desk.ground, "bob", address=f"{'x' * 65}@-.example.org")

    for _ in range(2):
        desk.run()

    assert desk.awarded() == [400, 201]
    assert desk.ground.states() == {"ada": "issued", "bob": "failed", "cid": "issued"}
    assert sorted(desk.live()) == ["ada@example.org", "cid@example.org"]
    assert "valid email address" in str(desk.ground.column("last_error")["bob"])


def test_vector_32_a_bulk_revocation_ends_each_award_by_its_own_result(desk: Desk) -> None:
    award_due(desk.ground, "ada", "bob")
    desk.run()
    change(desk.ground, ["bob"], assertion_id="unknown")

    list(ask(desk.ground.database, Which("40"), "mistake"))
    calls = desk.run()

    assert calls == 1
    assert desk.ground.states() == {"ada": "revoked", "bob": "failed"}
    assert desk.ground.column("last_error") == {
        "ada": None,
        "bob": "permission denied or object not found",
    }
    assert list(desk.live()) == ["bob@example.org"]
