"""Once only, end to end: a database, the Badgr client, and the assertions that the sandbox holds in the end.

Each way to lose an answer or to send twice: design.md section 3; facts/badgr-api.md section 1, 1 to 3.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.support.ground import ISSUER, Ground, now
from tests.support.outbox import admit, award_due, make_due, run_out
from tests.support.running import Running
from tests.support.waiting import wait_until
from worker.adapters.badgr.provider import BadgrProvider
from worker.adapters.badgr.sign_in import Credentials
from worker.adapters.database.store import Database
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens
from worker.awards import Call, Ending
from worker.issuing import IssuerConnection, Issuing
from worker.rules.definitions import Badge, Issuer
from worker.sandbox import SandboxOptions, SeedBadgeClass, running

if TYPE_CHECKING:
    from collections.abc import Iterator

PEOPLE = ["ada@example.org", "bob@example.org", "cid@example.org"]
AWARDING = r"/(issue|assertions)$"


class Killed(BaseException):
    """Ends a process without another word."""


class Desk:
    """All that it takes to issue, with a sandbox at the other end; a call may take `deadline` seconds."""

    def __init__(self, ground: Ground, url: str, deadline: float = 30.0) -> None:
        self.ground = ground
        self.url = url
        self.deadline = deadline
        self.permits = MemoryPermits({"academy": RateLimit(100_000, 60, deadline)})
        account = Credentials(username="academy", password="any")
        self.provider = BadgrProvider("academy", url, account, self.permits, MemoryTokens(), deadline)

    def issuing(self, database: Database | None = None) -> Issuing:
        def definition(badge_id: str) -> Badge:
            return Badge.model_validate(self.ground.database.badge(badge_id))

        issuer = Issuer.model_validate({**ISSUER, "timeout": f"{self.deadline}s"})
        connection = IssuerConnection("academy", issuer, self.provider, definition, now)
        return Issuing(database or self.ground.database, self.permits, connection)

    def work(self, call: Call) -> None:
        (self.issuing().settle if call.settle else self.issuing().issue)(call.lease_id)

    def settle_down(self) -> list[str]:
        """Let time pass until nothing is left to do; return the kind of each call that this took."""
        kinds: list[str] = []
        while set(self.ground.states().values()) & {"pending", "issuing"}:
            make_due(self.ground)
            for call in admit(self.ground):
                kinds.append("settle" if call.settle else "issue")
                self.work(call)
            assert len(kinds) < 10, self.ground.states()
        return kinds

    # Over there

    def fault(self, fault: str, **more: object) -> None:
        rule = {"fault": fault, "method": "POST", "path": AWARDING, "times": 1, **more}
        httpx.post(f"{self.url}/sandbox/faults", json=rule).raise_for_status()

    def held(self) -> list[str]:
        rows = httpx.get(f"{self.url}/sandbox/assertions").raise_for_status().json()
        return sorted(row["recipient"] for row in rows)

    def awarding_calls(self) -> list[int | None]:
        """Return the status of each call that awarded or was to."""
        rows = httpx.get(f"{self.url}/sandbox/calls").raise_for_status().json()
        return [row["status"] for row in rows if row["method"] == "POST" and "/v2/" in row["path"]]


@pytest.fixture
def desk(one_badge: Ground) -> Iterator[Desk]:
    """Three people have an award each that is due."""
    award_due(one_badge, "ada", "bob", "cid")
    classes = [SeedBadgeClass("class-40", "Forty", "academy")]
    with running(SandboxOptions(rate_limit=None, badgeclasses=classes)) as url:
        yield Desk(one_badge, url)


def issued(desk: Desk) -> bool:
    return set(desk.ground.states().values()) == {"issued"}


def test_a_message_that_comes_three_times_at_once_sends_once(desk: Desk) -> None:
    (call,) = admit(desk.ground)
    together = threading.Barrier(3)

    def deliver() -> None:
        together.wait(20)
        desk.work(call)

    for each in [Running(deliver) for _ in range(3)]:
        each.result()

    assert desk.awarding_calls() == [201]
    assert desk.held() == PEOPLE
    assert issued(desk)


def test_a_call_slower_than_its_deadline_is_looked_up_when_the_provider_is_done(desk: Desk) -> None:
    slow = Desk(desk.ground, desk.url, deadline=1.0)
    slow.fault("slow", seconds=2.0)  # it saves after we have hung up
    (call,) = admit(slow.ground)

    slow.work(call)
    gone = slow.held()
    wait_until(lambda: slow.held() == PEOPLE, 20)
    kinds = slow.settle_down()

    assert gone == []
    assert kinds == ["settle"]
    assert slow.held() == PEOPLE
    assert len(slow.awarding_calls()) == 1
    assert issued(slow)


@pytest.mark.parametrize("saved", [1, 3])
def test_a_call_cut_off_in_the_middle_is_settled_by_one_look(desk: Desk, saved: int) -> None:
    desk.fault("drop_after", saved=saved)

    kinds = desk.settle_down()

    assert kinds == ["issue", "settle", "issue"][: 2 + (saved < 3)]
    assert desk.held() == PEOPLE
    assert issued(desk)


def test_who_lost_the_lease_before_sending_sends_nothing(desk: Desk) -> None:
    class Stalls(Database):
        """Loses its lease after it has read it, as a process that stood still does."""

        def mark_sent(self, lease_id: str, awards: int, deadline: float, before: datetime | None) -> datetime:
            run_out(desk.ground)
            desk.settle_down()
            return super().mark_sent(lease_id, awards, deadline, before)

    (call,) = admit(desk.ground)

    desk.issuing(Stalls(desk.ground.engine)).issue(call.lease_id)

    assert desk.awarding_calls() == [201]
    assert desk.held() == PEOPLE
    assert issued(desk)


def test_who_loses_the_lease_while_the_call_is_under_way_doubles_nothing(desk: Desk) -> None:
    desk.fault("slow", seconds=1.0, when="after")
    (call,) = admit(desk.ground)
    late = Running(lambda: desk.work(call))
    wait_until(lambda: desk.held() == PEOPLE, 20)

    run_out(desk.ground)
    kinds = desk.settle_down()
    late.result()

    assert kinds == ["settle"]
    assert desk.awarding_calls() == [201]
    assert desk.held() == PEOPLE
    assert issued(desk)


def test_a_worker_killed_between_the_answer_and_our_commit_doubles_nothing(desk: Desk) -> None:
    class Dies(Database):
        def end(self, lease_id: str, endings: Mapping[str, Ending]) -> None:
            del lease_id, endings
            raise Killed

    (call,) = admit(desk.ground)
    with pytest.raises(Killed):
        desk.issuing(Dies(desk.ground.engine)).issue(call.lease_id)
    run_out(desk.ground)

    kinds = desk.settle_down()

    assert kinds == ["settle"]
    assert desk.awarding_calls() == [201]
    assert desk.held() == PEOPLE
    assert issued(desk)


@pytest.mark.parametrize(
    ("times", "answers"),
    [
        pytest.param(1, [401, 201], id="once"),
        pytest.param(2, [401, 401, 401, 201], id="the-new-one-too"),  # given up for now, then renewed again
    ],
)
def test_a_token_that_runs_out_with_a_batch_under_way_costs_no_award(
    desk: Desk, times: int, answers: list[int]
) -> None:
    desk.fault("expire_tokens", times=times)

    kinds = desk.settle_down()

    assert kinds == ["issue"] * times
    assert desk.awarding_calls() == answers
    assert desk.held() == PEOPLE
    assert issued(desk)


def test_redirects_are_not_followed_and_nothing_is_taken_for_done(desk: Desk) -> None:
    desk.fault("maintenance")
    (call,) = admit(desk.ground)

    desk.work(call)
    held = desk.held()
    desk.settle_down()

    assert held == []
    assert desk.held() == PEOPLE
    assert issued(desk)
