"""Revoking and reconciling end to end: a database, the Badgr client, and the sandbox that it calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.ground import ISSUER, Ground, now
from tests.support.outbox import admit, award_due, make_due, run_out
from worker.adapters.badgr import holdings
from worker.adapters.badgr.provider import BadgrProvider
from worker.adapters.badgr.sign_in import Credentials
from worker.adapters.database.reconciling import Books
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens
from worker.awards import Call, RevocationAnswer, Which
from worker.comparison import Comparison
from worker.issuing import IssuerConnection, Issuing
from worker.reconciling import Reconciling
from worker.revoking import Revoking, ask
from worker.rules.definitions import Badge, Issuer
from worker.sandbox import SandboxOptions, SeedBadgeClass, running

if TYPE_CHECKING:
    from collections.abc import Iterator

WHY = "awarded by mistake"


class Desk:
    """All that it takes to issue, revoke and compare, with a sandbox at the other end."""

    def __init__(self, ground: Ground, url: str) -> None:
        self.ground = ground
        self.url = url
        self.permits = MemoryPermits({"academy": RateLimit(100_000, 60, 30)})
        self.sign_in(Credentials(username="academy", password="any"))

    def sign_in(self, account: Credentials) -> None:
        self.provider = BadgrProvider("academy", self.url, account, self.permits, MemoryTokens(), 30)

    def work(self, call: Call) -> None:
        database = self.ground.database
        if call.revoke:
            Revoking(database, self.permits, "academy", self.provider, 30.0).revoke(call.lease_id)
            return

        def definition(badge_id: str) -> Badge:
            return Badge.model_validate(database.badge(badge_id))

        issuer = Issuer.model_validate(ISSUER)
        connection = IssuerConnection("academy", issuer, self.provider, definition, now)
        issuing = Issuing(database, self.permits, connection)
        (issuing.settle if call.settle else issuing.issue)(call.lease_id)

    def run(self) -> None:
        """Let the dispatcher run once, and make its calls."""
        make_due(self.ground)
        for call in admit(self.ground):
            self.work(call)

    def revoke(self) -> set[RevocationAnswer]:
        return {each.answer for each in ask(self.ground.database, Which("40"), WHY)}

    def compare(self, *, fix: bool = False) -> Comparison:
        return Reconciling(Books(self.ground.engine), self.provider, "academy", fix=fix).compare()

    # Over there

    def fault(self, fault: str, path: str, times: int = 1, **more: object) -> None:
        self._ask("POST", "/sandbox/faults", {"fault": fault, "path": path, "times": times, **more})

    def held(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self._ask("GET", "/sandbox/assertions")
        return rows

    def live(self) -> list[str]:
        return sorted(row["recipient"] for row in self.held() if not row["revoked"])

    def calls(self, path: str) -> list[tuple[str, int]]:
        """Return the calls to paths that have this in them, each with the status of its answer."""
        rows = self._ask("GET", "/sandbox/calls")
        return [(row["method"], row["status"]) for row in rows if path in row["path"]]

    def issuer_token(self) -> str:
        """Return a token that may do everything for the one issuer, and nothing else."""
        account = {"username": "academy", "password": "any"}
        token = httpx.post(f"{self.url}/o/token", data=account).json()["access_token"]
        (made,) = self._ask("POST", "/v2/tokens/issuers", {"issuers": ["academy"]}, token)["result"]
        return str(made["token"])

    def _ask(self, method: str, path: str, body: object = None, token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.request(method, self.url + path, json=body, headers=headers).raise_for_status().json()


@pytest.fixture
def desk(one_badge: Ground) -> Iterator[Desk]:
    """Three people have an issued award each."""
    classes = [SeedBadgeClass("class-40", "Forty", "academy")]
    with running(SandboxOptions(rate_limit=None, badgeclasses=classes)) as url:
        made = Desk(one_badge, url)
        award_due(one_badge, "ada", "bob", "cid")
        made.run()
        assert made.live() == ["ada@example.org", "bob@example.org", "cid@example.org"]
        yield made


def states(desk: Desk) -> set[str]:
    return set(desk.ground.states().values())


def test_all_awards_of_a_badge_are_revoked_in_one_call(desk: Desk) -> None:
    answers = desk.revoke()

    desk.run()

    assert answers == {RevocationAnswer.QUEUED}
    assert (states(desk), desk.live()) == ({"revoked"}, [])
    assert {row["revocationReason"] for row in desk.held()} == {WHY}
    assert desk.calls("/v2/assertions") == [("POST", 200)]


@pytest.mark.parametrize("fault", ["error_before", "error_after", "drop_before", "drop_after"])
def test_a_revocation_without_an_answer_is_made_again_and_counts_once(desk: Desk, fault: str) -> None:
    desk.revoke()
    desk.fault(fault, "assertions/revoke")

    desk.run()
    after_the_fault = states(desk)
    desk.run()

    assert after_the_fault == {"revoking"}
    assert (states(desk), desk.live()) == ({"revoked"}, [])


def test_some_saved_before_it_broke_are_no_harm(desk: Desk) -> None:
    desk.revoke()
    desk.fault("drop_after", "assertions/revoke", saved=1)

    desk.run()
    desk.run()

    assert (states(desk), desk.live()) == ({"revoked"}, [])


def test_a_worker_that_died_between_answer_and_commit_does_no_harm(desk: Desk) -> None:
    desk.revoke()
    (call,) = admit(desk.ground)
    leased = desk.ground.database.prepare_revocations(call.lease_id)
    desk.ground.database.mark_sent(call.lease_id, len(leased), 30.0, None)
    desk.provider.revoke([(each.assertion_id, each.reason) for each in leased], lambda: None)

    run_out(desk.ground)
    desk.run()

    assert (states(desk), desk.live()) == ({"revoked"}, [])
    assert len(desk.calls("assertions/revoke")) == 2


@pytest.mark.parametrize("saved", [True, False])
def test_what_ended_uncertainly_is_looked_up_and_then_revoked(desk: Desk, saved: bool) -> None:
    award_due(desk.ground, "dan")
    desk.fault("drop_after" if saved else "drop_before", "class-40/assertions", method="POST")
    desk.run()
    asked = desk.revoke()

    for _ in range(3):
        desk.run()

    assert asked == {RevocationAnswer.QUEUED, RevocationAnswer.REMEMBERED}
    assert (states(desk), desk.live()) == ({"revoked"}, [])
    assert len(desk.held()) == 3 + saved


def test_expired_tokens_and_too_many_calls_delay_a_revocation(desk: Desk) -> None:
    desk.revoke()
    desk.fault("expire_tokens", "assertions/revoke")
    desk.fault("throttle", "assertions/revoke", seconds=0)

    for _ in range(3):
        desk.run()

    assert (states(desk), desk.live()) == ({"revoked"}, [])


def test_a_comparison_reads_the_feed_and_mends(desk: Desk) -> None:
    ada, bob, _ = desk.held()
    desk.provider.revoke([(ada["entityId"], "by hand")], lambda: None)

    first = desk.compare()
    second = desk.compare(fix=True)
    third = desk.compare()

    found = [(each.kind.value, each.user_id, each.mended) for each in first.differences]
    assert (found, first.read, first.compared) == ([("revoked_there", "ada", False)], "changes", 3)
    assert [each.mended for each in second.differences] == [True]
    assert third.differences == []
    assert third.since is not None
    assert desk.ground.states() == {"ada": "revoked", "bob": "issued", "cid": "issued"}
    assert bob["revoked"] is False


def test_awards_whose_record_is_lost_here_are_found_again_over_there(desk: Desk) -> None:
    desk.ground.set_awards(state="failed", assertion_id=None, assertion_url=None)

    report = desk.compare(fix=True)

    assert {(each.kind.value, each.mended) for each in report.differences} == {("unlinked", True)}
    assert states(desk) == {"issued"}
    assert desk.compare().differences == []


def test_with_a_token_that_sees_no_feed_the_lists_are_read_and_what_is_lost_is_issued_again(
    desk: Desk,
) -> None:
    ada, *_ = desk.held()
    desk.provider.revoke([(ada["entityId"], "to make room")], lambda: None)
    with desk.ground.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE awards SET assertion_id = 'gone' WHERE user_id = 'ada'")
    desk.sign_in(Credentials(token=desk.issuer_token()))

    report = desk.compare(fix=True)
    desk.run()

    assert (report.read, report.problems) == ("lists", [])
    assert [(each.kind.value, each.user_id, each.mended) for each in report.differences] == [
        ("lost", "ada", True)
    ]
    assert (states(desk), len(desk.live())) == ({"issued"}, 3)


def test_a_comparison_that_cannot_read_says_so(desk: Desk) -> None:
    desk.fault("error_before", "assertions/changed")

    broken = desk.compare()

    assert broken.problems == ["HTTP 500, which does not say whether it was done"]
    assert desk.compare().since is None


@pytest.mark.parametrize("full", [False, True], ids=["feed", "lists"])
def test_what_differs_is_found_on_every_page(desk: Desk, monkeypatch: pytest.MonkeyPatch, full: bool) -> None:
    monkeypatch.setattr(holdings, "_PAGE", 2)
    last = next(row for row in desk.held() if row["recipient"] == "cid@example.org")
    first = next(row for row in desk.held() if row["recipient"] == "ada@example.org")
    for each in (first, last):
        desk.provider.revoke([(each["entityId"], "by hand")], lambda: None)
    if full:
        desk.sign_in(Credentials(token=desk.issuer_token()))

    report = desk.compare(fix=True)

    assert (report.read, report.compared, report.problems) == ("lists" if full else "changes", 3, [])
    assert {each.user_id for each in report.differences if each.mended} == {"ada", "cid"}
    pages = desk.calls("class-40/assertions" if full else "assertions/changed")
    assert len([each for each in pages if each == ("GET", 200)]) == 2
