"""The Badgr client over the wire, where the sandbox would not show it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.adapters.wire import Wire, answers, envelope, problem
from worker.adapters.badgr import BadgrProvider, Credentials
from worker.adapters.badgr.models.assertions import AssertionIn, RecipientIn
from worker.adapters.badgr.models.backpack import CollectionIn
from worker.adapters.badgr.models.badgeclasses import BadgeClassIn
from worker.adapters.badgr.models.users import UserIn
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens
from worker.awards import Refusal, RefusalKind
from worker.errors import ConfigurationError, NoAnswer, NoPermit, Refused, Throttled

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.adapters.badgr import BadgrClient

CLASS = BadgeClassIn(name="A", description="B", image="https://example.org/a.png")
ENTITY = {"entityId": "a", "name": "A"}


def at(wire: Wire, permits: MemoryPermits | None = None, patience: float = 0) -> BadgrClient:
    limits = permits or MemoryPermits({"academy": RateLimit(100, 60, 30)})
    credentials = Credentials(token="ready-made")
    return BadgrProvider("academy", wire.url, credentials, limits, MemoryTokens(), 30).client(patience)


def an_assertion(identity: str = "ann@example.org", **more: Any) -> AssertionIn:
    return AssertionIn(recipient=RecipientIn(identity=identity), **more)


# What is refused before any call


@pytest.mark.parametrize(
    ("call", "says"),
    [
        pytest.param(lambda c: c.badgeclasses.get(""), "an id", id="empty-id"),
        pytest.param(lambda c: c.badgeclasses.get(".."), "an id", id="dots"),
        pytest.param(lambda c: c.badgeclasses.create(CLASS), "issuer: missing", id="S1-14"),
        pytest.param(
            lambda c: c.badgeclasses.create_of_issuer("i", BadgeClassIn(name="A", description="B")),
            "image: missing",
            id="S1-24",
        ),
        pytest.param(
            lambda c: c.badgeclasses.create_of_issuer(
                "i", BadgeClassIn(name="A", description="B", image=CLASS.image, issuer="j")
            ),
            "issuer: another one",
            id="X-22",
        ),
        pytest.param(
            lambda c: c.badgeclasses.update("a", BadgeClassIn(name="A", description="B", issuer="i")),
            "issuer: a badge class stays",
            id="S1-30",
        ),
        pytest.param(lambda c: c.badgeclasses.duplicate("a", ""), "new_name: ", id="S1-15"),
        pytest.param(
            lambda c: c.badgeclasses.delete("a", hard_delete=True, archival_note="x"),
            "archival_note",
            id="note",
        ),
        pytest.param(
            lambda c: c.assertions.issue("a", an_assertion(badgeclass="b")),
            "badgeclass: the badge",
            id="S3-30",
        ),
        pytest.param(lambda c: c.assertions.issue_by_issuer("i", an_assertion()), "exactly one", id="S3-29"),
        pytest.param(
            lambda c: c.assertions.issue_by_issuer("i", an_assertion(badgeclass="b", badgeclass_name="B")),
            "exactly one",
            id="S3-29-two",
        ),
        pytest.param(
            lambda c: c.assertions.issue_many("a", [an_assertion(), an_assertion("ANN@example.org")]),
            "1.recipient: the same as of 0",
            id="S3-31",
        ),
        pytest.param(lambda c: c.assertions.revoke_many([("", "x")]), "the id of an assertion", id="S3-38"),
        pytest.param(
            lambda c: c.collections.create(CollectionIn(name="x", assertions=["a"])),
            "assertions: ",
            id="S3-07",
        ),
        pytest.param(lambda c: c.users.create("x", UserIn(first_name="A")), "last_name", id="S3-06"),
        pytest.param(lambda c: c.tokens.of_issuers([]), "which ones", id="S3-35"),
        pytest.param(lambda c: c.recovery.request("nobody"), "e-mail address", id="S3-34"),
        pytest.param(lambda c: c.recovery.set_password("x", ""), "new password", id="S3-32"),
    ],
)
def test_what_cannot_be_right_calls_nobody(call: Callable[[BadgrClient], Any], says: str) -> None:
    with (
        Wire(answers(200, envelope(ENTITY))).listening() as wire,
        pytest.raises(ConfigurationError) as caught,
    ):
        call(at(wire))

    assert says in str(caught.value)
    assert wire.requests == []


def test_the_same_recipient_twice_goes_where_duplicates_are_meant() -> None:
    twice = [an_assertion(allow_duplicate_awards=True)] * 2
    made = {"entityId": "a", "recipient": {"plaintextIdentity": "ann@example.org"}}

    with Wire(answers(201, envelope(made, made))).listening() as wire:
        assert len(at(wire).assertions.issue_many("a", twice)) == 2


def test_issuing_to_nobody_calls_nobody() -> None:
    with Wire(answers(201, envelope())).listening() as wire:
        assert at(wire).assertions.issue_many("a", []) == []

    assert wire.requests == []


# What goes over the wire


def test_a_call_without_a_body_says_so() -> None:
    with Wire(answers(200, envelope(ENTITY))).listening() as wire:
        at(wire).badgeclasses.reactivate("a")

    assert wire.header("content-length") == "0"
    assert wire.header("content-type") is None


def test_ids_cannot_lead_to_another_path() -> None:
    with Wire(answers(200, envelope({"code": "a"}))).listening() as wire:
        at(wire).claim_codes.enable("../x?y", "a/b#c")

    assert wire.line() == "PATCH /v2/badgeclasses/..%2Fx%3Fy/claim-codes/a%2Fb%23c/enable HTTP/1.1"


def test_an_open_badge_id_goes_in_base64_and_fits_into_a_path() -> None:
    with Wire(answers(200, envelope(ENTITY))).listening() as wire:
        at(wire).badgeclasses.get_by_ref("https://x.org/public/badges/?>~")

    assert wire.line() == (
        "GET /v2/badgeclasses/ref/aHR0cHM6Ly94Lm9yZy9wdWJsaWMvYmFkZ2VzLz8%2Bfg%3D%3D HTTP/1.1"
    )


def test_recovering_an_account_needs_no_token() -> None:
    with Wire(answers(200, envelope({}))).listening() as wire:
        at(wire).recovery.request(" ann@example.org ")

    assert wire.header("authorization") is None
    assert wire.json() == {"email": "ann@example.org"}


# What comes back


def test_deletions_may_be_answered_with_anything_good() -> None:
    with Wire(answers(200, envelope()), answers(204)).listening() as wire:
        client = at(wire)
        client.badgeclasses.delete("a")
        client.issuers.delete("a")

    assert len(wire.requests) == 2


def test_a_service_that_archives_nothing_is_not_told_to_delete() -> None:
    with (
        Wire(answers(200, envelope(ENTITY))).listening() as wire,
        pytest.raises(ConfigurationError, match="archives nothing"),
    ):
        at(wire).badgeclasses.archive("a", "old")

    assert [wire.line(number).split()[0] for number in range(len(wire.requests))] == ["GET"]


def test_a_refused_batch_that_tells_nothing_apart_is_refused_as_a_whole() -> None:
    refusal = problem("bad request", whole=["JSON parse error"])

    with Wire(answers(400, refusal)).listening() as wire, pytest.raises(Refused, match="JSON parse error"):
        at(wire).assertions.issue_many("a", [an_assertion(), an_assertion("bob@example.org")])


def test_the_hosted_service_s_own_list_of_errors_is_read() -> None:
    words = "A previous award of this badge already exists for this recipient."
    refusal = {**problem("bad request"), "nonFieldErrors": [words]}

    with Wire(answers(400, refusal)).listening() as wire:
        client = at(wire)
        (outcome,) = client.assertions.issue_many("a", [an_assertion()])
        with pytest.raises(Refused) as caught:
            client.assertions.issue("a", an_assertion())

    assert outcome == Refusal(RefusalKind.DUPLICATE, words)
    assert caught.value.words == words


def test_a_batch_answered_with_another_number_of_assertions_tells_nothing() -> None:
    with Wire(answers(201, envelope())).listening() as wire, pytest.raises(NoAnswer):
        at(wire).assertions.issue_many("a", [an_assertion()])


@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_upload_is_refused_for_good_by_a_500_alone(status: int) -> None:
    expected = Refused if status == 500 else NoAnswer

    with Wire(answers(status, "<h1>Server Error</h1>")).listening() as wire, pytest.raises(expected):
        at(wire).backpack.upload(an_assertion())


def test_a_second_mail_too_soon_is_throttled_though_the_answer_is_a_bare_text() -> None:
    with (
        Wire(answers(429, '"Forgot password request limit exceeded."')).listening() as wire,
        pytest.raises(Throttled, match="limit exceeded"),
    ):
        at(wire).recovery.request("ann@example.org")


# Permits


def test_without_patience_a_call_without_a_permit_is_handed_back() -> None:
    permits = MemoryPermits({"academy": RateLimit(100, 60, 30)})
    permits.pause("academy", 60)

    with Wire(answers(200, envelope(ENTITY))).listening() as wire, pytest.raises(NoPermit):
        at(wire, permits).issuers.get("a")

    assert wire.requests == []


@pytest.mark.parametrize("unsigned", [False, True])
def test_patience_outlasts_a_limit_that_is_used_up(unsigned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    permits = MemoryPermits({"academy": RateLimit(100, 60, 30)})
    acquire = permits.acquire

    def acquired(issuer: str, wait: float) -> Any:
        if len(slept) < 2:
            raise NoPermit(issuer, 20)
        return acquire(issuer, wait)

    monkeypatch.setattr(permits, "acquire", acquired)
    monkeypatch.setattr(time, "sleep", slept.append)

    with Wire(answers(200, envelope(ENTITY))).listening() as wire:
        client = at(wire, permits, patience=70)
        if unsigned:
            client.recovery.request("ann@example.org")
        else:
            client.issuers.get("a")

    assert slept == [20, 20]


def test_patience_ends() -> None:
    permits = MemoryPermits({"academy": RateLimit(100, 60, 30)})
    permits.pause("academy", 600)

    with Wire(answers(200, envelope(ENTITY))).listening() as wire, pytest.raises(NoPermit):
        at(wire, permits, patience=70).issuers.get("a")
