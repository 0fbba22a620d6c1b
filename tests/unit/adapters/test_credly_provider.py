"""The Credly provider against answers that only a wire can give, and in an order that only a test can set."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.adapters.wire import Wire, answers, hangs_up
from worker.adapters.credly import BadgeFilter, CredlyProvider, KnownTemplates
from worker.adapters.credly.models import Template
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.awards import Assertion, Grant, Refusal, RefusalKind
from worker.errors import BadgeWorkerError, NoAnswer, NoPermit, SignInRefused, Throttled

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.unit.adapters.wire import Script

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANN = "ann@example.org"
TOKEN = "the-token"
GRANT = Grant(ANN, NOON, user_id="ann", first_name="Ann", last_name="Lee")
BADGE: dict[str, Any] = {
    "id": "b1",
    "state": "pending",
    "badge_template": {"id": "t1"},
    "recipient_email": "Ann@Example.org",
    "issuer_earner_id": "ann",
    "issued_at": "2026-01-31T12:00:00.000Z",
    "accept_badge_url": "https://www.credly.com/badges/b1/accept",
}


def template(**fields: Any) -> Script:
    return answers(200, {"data": {"id": "t1", "state": "active", **fields}})


def made(**fields: Any) -> Script:
    return answers(201, {"data": BADGE | fields})


def listed(*badges: dict[str, Any], **metadata: Any) -> Script:
    stands: dict[str, Any] = {"current_page": 1, "total_pages": 1}
    return answers(200, {"data": list(badges), "metadata": stands | metadata})


def refused(message: str = "No.") -> Script:
    return answers(422, {"data": {"message": message}})


def provider(wire: Wire, calls: int = 100, known: KnownTemplates | None = None) -> CredlyProvider:
    permits = MemoryPermits({"partner": RateLimit(calls, 60, 30)})
    return CredlyProvider("partner", f"{wire.url}/v1", "org-1", TOKEN, permits, 5, known)


def issue(wire: Wire, before_send: Callable[[], None] = lambda: None, grant: Grant = GRANT) -> Any:
    (outcome,) = provider(wire).issue("t1", [grant], before_send)
    return outcome


def lines(wire: Wire) -> list[str]:
    return [wire.line(number).split("?")[0].removesuffix(" HTTP/1.1") for number in range(len(wire.requests))]


def test_the_last_word_comes_right_before_the_badge_is_sent() -> None:
    said: list[int] = []
    with Wire(template(), made()).listening() as wire:
        outcome = issue(wire, lambda: said.append(len(wire.requests)))

    assert said == [1]
    assert outcome == Assertion("b1", "https://www.credly.com/badges/b1/accept", ANN, NOON)
    assert lines(wire) == [
        "GET /v1/organizations/org-1/badge_templates/t1",
        "POST /v1/organizations/org-1/badges",
    ]


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({"badge_url": "https://example.org/b1"}, "https://example.org/b1"),
        ({"badge_url": None, "accept_badge_url": None}, "https://www.credly.com/badges/b1"),
    ],
)
def test_an_assertion_has_the_best_url_that_there_is(fields: dict[str, Any], url: str) -> None:
    with Wire(template(), made(**fields)).listening() as wire:
        assert issue(wire).url == url


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(made(recipient_email="bob@example.org"), id="another-address"),
        pytest.param(made(badge_template={"id": "t2"}), id="another-template"),
        pytest.param(answers(201, {"data": {}}), id="no-badge"),
        pytest.param(answers(201, b"<html>"), id="no-json"),
        pytest.param(answers(200), id="nothing"),
        pytest.param(answers(503, b""), id="overloaded"),
        pytest.param(hangs_up, id="cut"),
    ],
)
def test_an_answer_that_does_not_confirm_the_badge_leaves_it_open(script: Script) -> None:
    with Wire(template(), script).listening() as wire, pytest.raises(NoAnswer):
        issue(wire)


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_is_not_accepted_is_a_matter_of_credentials(status: int) -> None:
    with Wire(answers(status, {"data": {"message": "no"}})).listening() as wire:
        with pytest.raises(SignInRefused, match=f"HTTP {status}: no"):
            provider(wire).check()

        assert wire.header("Authorization") == "Basic dGhlLXRva2VuOg=="


def test_a_throttled_call_holds_all_calls_of_the_issuer_back() -> None:
    with Wire(answers(429, b"", {"Retry-After": "70"})).listening() as wire:
        one = provider(wire)
        with pytest.raises(Throttled) as caught:
            one.check()
        with pytest.raises(NoPermit):
            one.check()

    assert caught.value.wait == 70
    assert len(wire.requests) == 1


def test_a_422_is_a_duplicate_if_a_live_badge_is_found() -> None:
    old = BADGE | {"id": "b0", "recipient_email": "old@example.org"}
    with Wire(template(), refused("Already there"), listed(old)).listening() as wire:
        outcome = issue(wire)

    assert isinstance(outcome, Refusal)
    assert (outcome.kind, outcome.words) == (RefusalKind.DUPLICATE, "Already there")
    assert outcome.found is not None
    assert (outcome.found.assertion_id, outcome.found.recipient) == ("b0", "old@example.org")


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"state": "revoked"}, id="revoked"),
        pytest.param({"expires_at": "2020-01-01T00:00:00.000Z"}, id="expired"),
        pytest.param({"badge_template": {"id": "t2"}}, id="another-template"),
        pytest.param({"issuer_earner_id": "bob", "recipient_email": "bob@example.org"}, id="somebody-elses"),
    ],
)
def test_what_else_stands_in_a_list_is_no_duplicate(other: dict[str, Any]) -> None:
    """A service that does not know a filter answers with everything it has."""
    everything = listed(BADGE | other)
    with Wire(template(), refused(), everything, everything, template()).listening() as wire:
        assert issue(wire) == Refusal(RefusalKind.PERMANENT, "No.")


def test_a_template_that_was_archived_meanwhile_is_said_to_be() -> None:
    scripts = template(), refused(), listed(), listed(), template(state="archived")
    with Wire(*scripts).listening() as wire:
        outcome = issue(wire)

    words = "template t1 is archived: only active ones can be issued"
    assert outcome == Refusal(RefusalKind.PERMANENT, words)


def test_without_a_user_id_only_the_address_is_looked_for() -> None:
    grant = Grant(ANN, NOON, first_name="Ann", last_name="Lee")
    with Wire(template(allow_duplicate_badges=True), listed(), made()).listening() as wire:
        issue(wire, grant=grant)

    assert "issuer_earner_id" not in wire.line(1)
    assert "issuer_earner_id" not in wire.json(2)


def test_what_is_found_of_an_address_is_asked_for_page_by_page() -> None:
    first = listed(BADGE, total_pages=2)
    second = listed(BADGE | {"id": "b2", "state": "revoked"}, current_page=2, total_pages=2)
    with Wire(template(), first, second).listening() as wire:
        found = provider(wire).find("t1", [ANN])

    assert [(each.assertion_id, each.revoked) for each in found] == [("b1", False), ("b2", True)]


def test_a_list_that_cannot_be_read_tells_nothing() -> None:
    with Wire(answers(200, {"data": [{"id": ""}]})).listening() as wire, pytest.raises(NoAnswer):
        list(provider(wire).badges.all(BadgeFilter()))


def test_a_path_that_the_service_does_not_know_is_no_unknown_template() -> None:
    unknown = pytest.raises(BadgeWorkerError, match="is the issuer's url right")
    with Wire(answers(404, b"<html>")).listening() as wire, unknown:
        provider(wire).badgeclass_exists("t1")


@pytest.mark.parametrize("seconds", [10.0, 299.0])
def test_an_active_template_is_remembered_for_a_while(seconds: float) -> None:
    now = [0.0]
    known = KnownTemplates(300, lambda: now[0])
    known.put("partner", Template(id="t1", state="active"))

    now[0] = seconds

    assert known.get("partner", "t1") == Template(id="t1", state="active")
    assert known.get("other", "t1") is None
    now[0] = 300.0
    assert known.get("partner", "t1") is None


def test_a_template_that_is_not_active_is_forgotten() -> None:
    known = KnownTemplates()
    known.put("partner", Template(id="t1", state="active"))

    known.put("partner", Template(id="t1", state="draft"))

    assert known.get("partner", "t1") is None


def test_providers_of_a_process_share_what_they_know() -> None:
    known = KnownTemplates()
    with Wire(template(), made(), made()).listening() as wire:
        for _ in range(2):
            provider(wire, known=known).issue("t1", [GRANT], lambda: None)

    assert len(wire.requests) == 3


def test_nobodys_address_or_token_stands_in_what_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    with Wire(template(), refused(f"{ANN} has it"), listed(), listed(), template()).listening() as wire:
        one = provider(wire)
        (outcome,) = one.issue("t1", [GRANT], lambda: None)
        shown = [repr(one), repr(one.badges), repr(outcome), repr(one.templates), caplog.text]

    broken = answers(201, json.dumps({"data": BADGE | {"issued_at": ANN}}).encode())
    with Wire(template(), broken).listening() as wire, pytest.raises(NoAnswer) as caught:
        issue(wire)
    shown += [str(caught.value), repr(caught.value), repr(caught.value.__cause__)]

    assert not any(ANN in text or TOKEN in text for text in shown)


def test_unknown_fields_are_ignored_and_null_is_nothing() -> None:
    fields = {"skills": None, "public": None, "owner": None, "tomorrow": {"deep": ["down"]}}
    with Wire(template(**fields)).listening() as wire:
        found = provider(wire).templates.get("t1")

    assert found is not None
    assert (found.skills, found.public, found.owner) == ((), False, None)


def test_a_badge_of_which_little_is_told_does_not_spoil_the_list() -> None:
    bare = {"id": "b2", "state": None, "recipient_email": None, "badge_template": None}
    with Wire(template(), listed(bare, BADGE)).listening() as wire:
        found = [each.assertion.assertion_id for each in provider(wire).held("t1")]

    assert found == ["b1"]


def test_a_list_that_does_not_say_how_many_pages_it_has_goes_on_to_where_its_next_page_is() -> None:
    first = listed(BADGE, total_pages=None, next_page_url="https://api.credly.com/v1/whatever?page=2")
    second = listed(BADGE | {"id": "b2"}, total_pages=None, next_page_url=None)
    with Wire(first, second).listening() as wire:
        found = [each.id for each in provider(wire).badges.all(BadgeFilter())]

    assert found == ["b1", "b2"]
    assert "page=2" in wire.line(1)


def test_an_expiry_ahead_of_now_is_no_end_yet() -> None:
    ahead = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    with Wire(template(), refused(), listed(BADGE | {"expires_at": ahead})).listening() as wire:
        assert issue(wire).kind is RefusalKind.DUPLICATE
