"""The client reads what the real service was seen to answer (tests/fixtures/badgr)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.adapters.wire import Wire, answers
from worker.adapters.badgr.calls import Calls
from worker.adapters.badgr.errors import error_of, retry_after
from worker.adapters.badgr.http import Answer, Http
from worker.adapters.badgr.models.grants import assertions_in
from worker.adapters.badgr.refusals import refusals_in
from worker.adapters.badgr.sign_in import Credentials, SignIn
from worker.adapters.badgr.words import words_of
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens
from worker.awards import NotMade, Refusal, RefusalKind
from worker.errors import NoAnswer, Refused, SignInRefused, Throttled

FOLDER = Path(__file__).parents[2] / "fixtures" / "badgr"
CAPTURED = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
FAILED = [name for name, captured in CAPTURED.items() if captured["status"] >= 400]
SIGN_INS_REFUSED = [name for name in FAILED if name.startswith("token-") and CAPTURED[name]["status"] != 429]

DUPLICATE = "A previous award of this badge already exists for this recipient."
BAD_ADDRESS = Refusal(RefusalKind.PERMANENT, "recipient: Enter a valid email address.")


def body(captured: dict[str, Any]) -> bytes:
    given = captured["body"]
    return given.encode() if isinstance(given, str) else b"" if given is None else json.dumps(given).encode()


def answer(name: str) -> Answer:
    captured = CAPTURED[name]
    headers = {key.lower(): value for key, value in captured.get("headers", {}).items()}
    return Answer(captured["status"], headers, body(captured))


@pytest.mark.parametrize("name", FAILED)
def test_every_failure_has_the_meaning_of_its_status(name: str) -> None:
    error = error_of(answer(name), "badge class x")

    kinds = {429: Throttled, 500: NoAnswer}
    assert type(error) is kinds.get(CAPTURED[name]["status"], Refused)


@pytest.mark.parametrize("name", FAILED)
def test_every_failure_has_words_on_one_line_without_addresses(name: str) -> None:
    words = words_of(answer(name))

    assert words
    assert not {"\n", "<", "@", "%40"} & set(words.replace("<address>", ""))


@pytest.mark.parametrize(
    "name", ["award", "award-full", "award-many", "list-by-recipient", "assertion", "revoked"]
)
def test_every_assertion_can_be_read(name: str) -> None:
    captured = CAPTURED[name]["body"]["result"]

    read = assertions_in(answer(name), [])

    assert [each.assertion_id for each in read] == [each["entityId"] for each in captured]
    assert [each.url for each in read] == [each["openBadgeId"] for each in captured]
    assert [each.recipient for each in read] == [each["recipient"]["plaintextIdentity"] for each in captured]
    assert [each.revoked for each in read] == [each["revoked"] for each in captured]


@pytest.mark.parametrize("name", ["award", "award-many", "list-by-recipient"])
def test_an_assertion_is_found_by_its_hash_alone(name: str) -> None:
    captured = json.loads(json.dumps(CAPTURED[name]["body"]))
    people = [each["recipient"].pop("plaintextIdentity") for each in captured["result"]]

    read = assertions_in(Answer(200, {}, json.dumps(captured).encode()), {"nobody@example.org", *people})

    assert [each.recipient for each in read] == people


@pytest.mark.parametrize(
    ("name", "refusals"),
    [
        ("duplicate", [Refusal(RefusalKind.DUPLICATE, DUPLICATE)]),
        ("award-many-duplicate", [Refusal(RefusalKind.DUPLICATE, DUPLICATE), NotMade()]),
        ("award-many-refused", [NotMade(), BAD_ADDRESS, NotMade()]),
        ("bad-email", [BAD_ADDRESS]),
        ("bad-email-idn", [BAD_ADDRESS]),
        ("bad-email-local", [BAD_ADDRESS]),
        (
            "issued-on-future",
            [Refusal(RefusalKind.TOO_EARLY, "issuedOn: Only issuedOn dates in the past are acceptable.")],
        ),
        ("evidence-bad-url", [Refusal(RefusalKind.PERMANENT, "evidence.url: Enter a valid URL.")]),
        ("narrative-image", [Refusal(RefusalKind.PERMANENT, "narrative: Images not supported in markdown")]),
        ("no-recipient", [Refusal(RefusalKind.PERMANENT, "recipient: This field is required")]),
        ("batch-empty-body", None),
    ],
)
def test_every_refusal_names_its_grant_and_what_follows(name: str, refusals: list[object] | None) -> None:
    grants = len(CAPTURED[name]["body"]["fieldErrors"]) if name.startswith("award-many") else 1

    assert refusals_in(answer(name), grants) == refusals


def test_a_throttled_call_and_a_throttled_sign_in_say_how_long() -> None:
    throttled = CAPTURED["token-throttled"]["body"]["expires"]

    assert retry_after(answer("rate-limited")) == 60
    assert retry_after(answer("token-throttled")) == throttled


def sign_in(wire: Wire) -> str:
    calls = Calls("academy", Http(wire.url), MemoryPermits({"academy": RateLimit(100, 60, 30)}), 10)
    credentials = Credentials(username="ann", password="secret")
    return SignIn(calls, credentials, wire.url, MemoryTokens(), 10).token()


@pytest.mark.parametrize("name", ["token-password", "token-refreshed", "token-client-credentials"])
def test_every_sign_in_gives_its_token(name: str) -> None:
    with Wire(answers(200, body(CAPTURED[name]))).listening() as wire:
        assert sign_in(wire) == CAPTURED[name]["body"]["access_token"]


@pytest.mark.parametrize("name", SIGN_INS_REFUSED)
def test_every_refused_sign_in_needs_a_person(name: str) -> None:
    given = answers(CAPTURED[name]["status"], body(CAPTURED[name]))

    with Wire(given).listening() as wire, pytest.raises(SignInRefused):
        sign_in(wire)
