"""From an award to a badge at Credly and back: the use cases over its client, against the sandbox."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.bodies import at, enrolled, updated
from tests.support.ground import Ground, badge, now, read
from tests.support.outbox import make_due, stored
from worker.adapters.credly import CredlyProvider
from worker.adapters.database.listings import AwardFilter
from worker.adapters.database.reconciling import Books
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.applying import apply
from worker.awards import Grant, Which
from worker.issuing import IssuerConnection, Issuing, dispatch
from worker.reconciling import Reconciling
from worker.revoking import Revoking, ask
from worker.rules.definitions import Badge, Issuer
from worker.sandbox import SandboxOptions, SeedTemplate, running
from worker.sandbox.credly import listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.awards import Call

ORG = "org-1"
SEEDS = (
    SeedTemplate("archery", "Archery", ORG),
    SeedTemplate("chess", "Chess", ORG, {"allow_duplicate_badges": True}),
    SeedTemplate("old", "Old", ORG, {"state": "archived"}),
)


@dataclass
class AtOnce:
    """Makes each call as soon as it is sent, and remembers how many awards it was for."""

    credly: Credly
    sent: list[int] = field(default_factory=list)

    def nudge(self) -> None:
        raise NotImplementedError("nobody else is there")

    def send(self, call: Call) -> None:
        self.sent.append(call.awards)
        self.credly.make(call)


class Credly:
    """Ground with one badge that Credly issues, and the worker's side of its issuing."""

    def __init__(self, ground: Ground, url: str, template: str) -> None:
        self.ground, self.url = ground, url
        written = badge(
            {"lp_enroll": {"learning_path_id": "40"}}, issue={"issuer": "partner", "template": template}
        )
        issuer = {"provider": "credly", "url": f"{url}/v1", "organization": ORG, "settle_after": "60s"}
        apply(ground.database, read({"issuers": {"partner": issuer}, "badges": {"40": written}}))
        self.permits = MemoryPermits({"partner": RateLimit(1000, 60, 30)})
        self.provider = CredlyProvider("partner", f"{url}/v1", ORG, "token", self.permits, 30)
        self.issuer, self.badge = Issuer.model_validate(issuer), Badge.model_validate(written)

    def make(self, call: Call) -> None:
        database = self.ground.database
        connection = IssuerConnection("partner", self.issuer, self.provider, lambda _: self.badge, now)
        issuing = Issuing(database, self.permits, connection)
        if call.revoke:
            Revoking(database, self.permits, "partner", self.provider, 30).revoke(call.lease_id)
        elif call.settle:
            issuing.settle(call.lease_id)
        else:
            issuing.issue(call.lease_id)

    def dispatch(self) -> list[int]:
        """Make every call that is due; return how many awards each was for."""
        sender = AtOnce(self)
        make_due(self.ground)
        dispatch(self.ground.database, self.permits, sender)
        return sender.sent

    def enrol(self, *user_ids: str) -> None:
        for user_id in user_ids:
            names = {"email": f"{user_id}@example.org", "first_name": user_id, "last_name": "Lee"}
            self.ground.ingest(updated(1, user_id, **names), enrolled(2, user_id))

    def held(self) -> list[dict[str, Any]]:
        """Return what the sandbox holds."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/sandbox/assertions").json()
        return found

    def fault(self, **rule: Any) -> None:
        httpx.post(f"{self.url}/sandbox/faults", json={"times": 1, **rule}).raise_for_status()

    def ending(self, user_id: str) -> tuple[str, str | None]:
        state, error = stored(self.ground, user_id, "state", "last_error")
        return str(state), error


@pytest.fixture
def url() -> Iterator[str]:
    with running(SandboxOptions(rate_limit=None, templates=SEEDS)) as url:
        yield url


@pytest.fixture
def credly(sqlite: Ground, url: str) -> Credly:
    return Credly(sqlite, url, "archery")


def test_each_award_goes_out_with_its_own_call_once_all_is_known(credly: Credly) -> None:
    credly.ground.ingest(enrolled(2, "cid"), updated(1, "cid", email="cid@example.org"))
    credly.enrol("ann", "bob")
    first = credly.dispatch()
    waiting = credly.ground.states()
    credly.ground.ingest(updated(3, "cid", first_name="Cid", last_name="Lee"))

    second = credly.dispatch()

    assert (first, second) == ([1, 1], [1])
    assert waiting == {"ann": "issued", "bob": "issued", "cid": "waiting"}
    assert credly.ground.states() == {"ann": "issued", "bob": "issued", "cid": "issued"}
    ann = credly.held()[0]
    assert (ann["recipient"], ann["earner"], ann["names"]) == ("ann@example.org", "ann", ["ann", "Lee"])
    assert ann["issuedOn"] == at(2).isoformat().replace("+00:00", "Z")
    assert stored(credly.ground, "ann", "assertion_id", "assertion_url") == (ann["entityId"], ann["url"])


@pytest.mark.parametrize("fault", ["error_after", "drop_after"])
def test_an_answer_that_is_lost_after_saving_leads_to_one_badge(credly: Credly, fault: str) -> None:
    credly.enrol("ann")
    credly.fault(fault=fault, method="POST", path="^/v1/")
    credly.dispatch()
    uncertain = stored(credly.ground, "ann", "state", "uncertain")

    calls = credly.dispatch()

    assert (uncertain, calls) == (("pending", True), [1])
    assert credly.ground.states() == {"ann": "issued"}
    assert len(credly.held()) == 1


@pytest.mark.parametrize("fault", ["error_before", "drop_before"])
def test_an_answer_that_is_lost_before_saving_leads_to_one_badge(credly: Credly, fault: str) -> None:
    credly.enrol("ann")
    credly.fault(fault=fault, method="POST", path="^/v1/")

    calls = [credly.dispatch() for _ in range(3)]

    assert calls == [[1], [1], [1]]  # issue, look up, issue again
    assert credly.ground.states() == {"ann": "issued"}
    assert len(credly.held()) == 1


def nothing() -> None:
    """Have no last word before the call."""


@pytest.mark.parametrize("template", ["archery", "chess"])
@pytest.mark.parametrize(
    "before",
    [
        pytest.param({"user_id": "ann"}, id="same-user-under-another-address"),
        pytest.param({"user_id": "somebody", "recipient": "ann@example.org"}, id="same-address"),
    ],
)
def test_a_badge_that_is_there_already_is_adopted(
    sqlite: Ground, url: str, template: str, before: dict[str, str]
) -> None:
    """Whether Credly refuses duplicates of the template, or we look first because it does not."""
    credly = Credly(sqlite, url, template)
    person: dict[str, Any] = {
        "recipient": "old@example.org",
        "first_name": "Ann",
        "last_name": "Lee",
        **before,
    }
    credly.provider.issue(template, [Grant(issued_on=at(0), **person)], nothing)
    credly.enrol("ann")

    credly.dispatch()

    (held,) = credly.held()
    assert credly.ground.states() == {"ann": "issued"}
    assert stored(credly.ground, "ann", "assertion_id") == (held["entityId"],)
    assert "found and adopted" in credly.ground.history("ann", "40")


def test_an_archived_template_fails_with_a_sentence(sqlite: Ground, url: str) -> None:
    credly = Credly(sqlite, url, "old")
    credly.enrol("ann")

    credly.dispatch()

    assert credly.ending("ann") == ("failed", "template old is archived: only active ones can be issued")
    assert credly.held() == []


def test_a_refused_token_fails_nobody(credly: Credly) -> None:
    credly.enrol("ann")
    credly.fault(fault="refuse_sign_in")

    credly.dispatch()
    paused = credly.dispatch()

    state, error = credly.ending("ann")
    assert (state, paused) == ("pending", [])
    assert error is not None
    assert error.startswith("HTTP 401")


def test_a_throttled_call_is_put_off(credly: Credly) -> None:
    credly.enrol("ann")
    credly.fault(fault="throttle", seconds=70)

    credly.dispatch()

    assert credly.ending("ann")[0] == "pending"
    assert credly.dispatch() == []
    assert credly.held() == []


def test_badges_are_revoked_one_by_one(credly: Credly) -> None:
    credly.enrol("ann", "bob")
    credly.dispatch()
    list(ask(credly.ground.database, Which(badge_id="40"), "mistake"))
    credly.fault(fault="drop_after", method="PUT")

    calls = [credly.dispatch(), credly.dispatch()]

    held = credly.held()
    assert calls == [[1, 1], [1]]
    assert credly.ground.states() == {"ann": "revoked", "bob": "revoked"}
    assert [(each["revoked"], each["revocationReason"]) for each in held] == [(True, "mistake")] * 2
    assert len(credly.ground.database.list_awards(AwardFilter())) == 2


# Comparing


def compare(credly: Credly) -> list[tuple[str, str | None, bool]]:
    report = Reconciling(Books(credly.ground.engine), credly.provider, "partner", fix=True).compare()
    assert (report.read, report.problems) == ("lists", [])
    return sorted((each.kind.value, each.user_id, each.mended) for each in report.differences)


def test_what_is_otherwise_at_credly_is_found_page_by_page_and_mended(
    credly: Credly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PER_PAGE", 2)
    credly.enrol("ann", "bob", "cid")
    credly.dispatch()
    held = {each["recipient"]: each["entityId"] for each in credly.held()}
    credly.provider.badges.revoke(held["ann@example.org"], "by hand")
    badges = f"{credly.url}/v1/organizations/{ORG}/badges"
    httpx.delete(f"{badges}/{held['bob@example.org']}", auth=("token", "")).raise_for_status()

    found = compare(credly)
    credly.dispatch()
    again = compare(credly)

    assert found == [("lost", "bob", True), ("revoked_there", "ann", True)]
    assert again == []
    assert credly.ground.states() == {"ann": "revoked", "bob": "issued", "cid": "issued"}
    live = [each["recipient"] for each in credly.held() if not each["revoked"]]
    assert sorted(live) == ["bob@example.org", "cid@example.org"]


def test_a_badge_that_was_adopted_at_another_address_is_not_lost(credly: Credly) -> None:
    names = {"first_name": "Ann", "last_name": "Lee"}
    grant = Grant("moved@example.org", at(2), user_id="ann", **names)  # type: ignore[arg-type] # names are texts
    credly.provider.issue("archery", [grant], lambda: None)
    credly.enrol("ann")
    credly.dispatch()

    assert credly.ground.states() == {"ann": "issued"}
    assert compare(credly) == []
    assert len(credly.held()) == 1
