"""What an answer means, and in which words: every shape of error that the service was seen to send."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from tests.unit.adapters.wire import problem
from worker.adapters.badgr.errors import error_of, retry_after, token_refused
from worker.adapters.badgr.http import Answer
from worker.adapters.badgr.refusals import DUPLICATE, TOO_EARLY, refusals_in
from worker.adapters.badgr.words import words_of
from worker.awards import NotMade, Refusal, RefusalKind
from worker.errors import NoAnswer, Refused, Throttled, Unreachable

if TYPE_CHECKING:
    from worker.errors import BadgeWorkerError

HTML = """<!doctype html><html><head><title>Page</title><style>p {color: red}</style></head>
<body><script>alert(1)</script><h1>Not Found</h1>
<p>The requested URL was <b>not</b> found.</p></body></html>"""
BAD_ADDRESS = {"recipient": {"non_field_errors": ["Enter a valid email address."]}}


def answer(status: int, body: object = b"", **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, Unreachable),
        (400, Refused),
        (403, Refused),
        (404, Refused),
        (405, Refused),
        (408, NoAnswer),
        (409, Refused),
        (413, Refused),
        (415, Refused),
        (429, Throttled),
        (500, NoAnswer),
        (502, NoAnswer),
        (503, NoAnswer),
        (504, NoAnswer),
    ],
)
def test_each_status_has_one_meaning(status: int, error: type[BadgeWorkerError]) -> None:
    assert type(error_of(answer(status))) is error


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param(problem("bad request", {"a": ["One."]}), "a: One.", id="list"),
        pytest.param(problem("bad request", {"a": "One."}), "a: One.", id="bare-string"),
        pytest.param(
            problem("bad request", BAD_ADDRESS), "recipient: Enter a valid email address.", id="dict"
        ),
        pytest.param(
            problem("bad request", [{}, BAD_ADDRESS]), "recipient: Enter a valid email address.", id="batch"
        ),
        pytest.param(
            problem("miscellaneous error", "Invalid cursor"), "Invalid cursor", id="fields-a-string"
        ),
        pytest.param(problem("bad request", {}, ["One.", "Two."]), "One.; Two.", id="whole"),
        pytest.param(problem("bad request", {"a": ["1"]}, ["2"]), "a: 1; 2", id="both"),
        pytest.param(problem("Issuer can not be deleted."), "Issuer can not be deleted.", id="description"),
        pytest.param({"error": "invalid client_secret"}, "invalid client_secret", id="sign-in"),
        pytest.param(
            {"error": "invalid_grant", "error_description": "Invalid credentials given."},
            "Invalid credentials given.; invalid_grant",
            id="sign-in-described",
        ),
        pytest.param({"issuers": "field is required"}, "issuers: field is required", id="no-envelope"),
        pytest.param(
            "Forgot password request limit exceeded.", "Forgot password request limit exceeded.", id="text"
        ),
        pytest.param(HTML.encode(), "Not Found The requested URL was not found.", id="html"),
        pytest.param(b"", "no words, only HTTP 400", id="empty"),
        pytest.param(b"\xff\xfe<>", "\ufffd\ufffd", id="no-text"),
        pytest.param([], "no words, only HTTP 400", id="empty-list"),
        pytest.param({}, "no words, only HTTP 400", id="empty-dict"),
    ],
)
def test_an_answer_is_told_in_its_own_words(body: object, words: str) -> None:
    assert words_of(answer(400, body)) == words


@pytest.mark.parametrize(
    "address",
    [
        "ann@example.org",
        "o'neil+tag@example.org",
        "ann%40example.org",
        "<ann@example.org>",
        "änn@exämple.org",
    ],
)
@pytest.mark.parametrize(
    "shape", ["{}", "https://badgr.test/?recipient={}&x=1", "The address '{}', is blocked."]
)
def test_nobody_s_address_is_told(address: str, shape: str) -> None:
    text = shape.format(address)

    told = [
        words_of(answer(400, body))
        for body in (problem("x", {"recipient": [text]}), text, f"<p>{text}</p>".encode())
    ]

    assert not any("nn" in each or "neil" in each for each in told)


@pytest.mark.parametrize("depth", [100, 900, 100_000])
def test_an_error_nested_without_end_is_borne(depth: int) -> None:
    body = b'{"fieldErrors": ' + b"[" * depth + b"]" * depth + b', "error": "x"}'

    told = words_of(answer(400, body))

    assert 0 < len(told) <= 400


@pytest.mark.parametrize(
    ("status", "body", "renewed"),
    [
        pytest.param(401, b"", True, id="unauthorized"),
        pytest.param(403, {"detail": "Invalid token."}, True, id="the-hosted-service-s-way"),
        pytest.param(403, problem("Token expired"), True, id="expired"),
        pytest.param(403, {"detail": "Authentication credentials were not provided."}, True, id="none"),
        pytest.param(403, {"detail": "You do not have permission to do this."}, False, id="rights"),
        pytest.param(403, HTML.encode(), False, id="a-page"),
        pytest.param(400, {"detail": "Invalid token."}, False, id="another-status"),
    ],
)
def test_a_call_that_failed_by_its_token_is_known(status: int, body: object, renewed: bool) -> None:
    assert token_refused(answer(status, body)) is renewed


def test_long_words_are_cut() -> None:
    assert len(words_of(answer(400, "word " * 1000))) == 400


def test_a_flood_of_tags_is_cut() -> None:
    assert len(words_of(answer(400, b"<script" * 100_000))) == 400


def test_an_unknown_badge_class_is_explained() -> None:
    body = problem("entity not found or insufficient privileges")

    error = error_of(answer(404, body), "badge class abc")

    assert "badge class abc is unknown to the provider, or these credentials may not use it" in str(error)


def test_an_unknown_path_is_a_hint_at_the_url() -> None:
    assert "url" in str(error_of(answer(404, HTML.encode()), "badge class abc"))


NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def http_date(seconds: float) -> str:
    return format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("given", "wait"),
    [
        pytest.param(answer(429, retry_after="17"), 17, id="seconds"),
        pytest.param(answer(503, retry_after="17"), 17, id="unavailable"),
        pytest.param(
            answer(429, retry_after=http_date(30), date=http_date(0)), 30, id="date-by-its-own-clock"
        ),
        pytest.param(answer(429, retry_after=http_date(-30), date=http_date(0)), None, id="date-passed"),
        pytest.param(
            answer(429, retry_after=http_date(900_000), date=http_date(0)), 86400, id="date-far-ahead"
        ),
        pytest.param(
            answer(429, retry_after="Sat, 22 Nov 19999 03:00:00 GMT"), None, id="date-beyond-the-calendar"
        ),
        pytest.param(answer(429, retry_after="0"), None, id="no-time"),
        pytest.param(answer(429, retry_after="1.5"), 1.5, id="fraction"),
        pytest.param(answer(429, retry_after="9" * 5000), 86400, id="more-digits-than-a-number-has"),
        pytest.param(answer(429, retry_after="\u0661\u0667"), None, id="digits-of-another-script"),
        pytest.param(answer(429, retry_after="17, 30"), None, id="two-of-them"),
        pytest.param(answer(429, b'{"expires": 1e400}'), 86400, id="body-without-end"),
        pytest.param(answer(429, b'{"expires": 1' + b"0" * 400 + b"}"), 86400, id="body-huge"),
        pytest.param(answer(429, b'{"expires": NaN}'), None, id="body-no-number"),
        pytest.param(answer(429, {"expires": True}), None, id="body-yes"),
        pytest.param(answer(429, {"expires": -4}), None, id="body-negative"),
        pytest.param(answer(429, {"expires": 4}), 4, id="sign-in"),
        pytest.param(answer(429, {"expires": 4}, retry_after="9"), 9, id="header-first"),
        pytest.param(answer(429, {"expires": 4}, retry_after="soon"), 4, id="unreadable-header"),
        pytest.param(answer(429, {"expires": "4"}), 4, id="body-a-text"),
        pytest.param(answer(429, {"expires": "soon"}), None, id="unreadable-body"),
        pytest.param(answer(429), None, id="nothing"),
        pytest.param(answer(429, retry_after="99999999"), 86400, id="absurd"),
        pytest.param(answer(429, retry_after="-5"), None, id="negative"),
        pytest.param(answer(200, retry_after="17"), None, id="no-failure"),
        pytest.param(answer(500, retry_after="17"), None, id="another-failure"),
    ],
)
def test_how_long_to_wait_is_found_wherever_it_stands(given: Answer, wait: float | None) -> None:
    assert retry_after(given) == wait


def test_a_date_without_the_server_s_clock_is_read_by_ours() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=1000), usegmt=True)

    wait = retry_after(answer(429, retry_after=soon))

    assert wait is not None
    assert 900 < wait <= 1000


def test_a_throttled_call_knows_its_wait() -> None:
    error = error_of(answer(429, {"error": "login attempts throttled", "expires": 8}))

    assert isinstance(error, Throttled)
    assert error.wait == 8


DUPLICATE_ITEM = {"non_field_errors": [DUPLICATE]}
EARLY_ITEM = {"issuedOn": [TOO_EARLY]}


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        pytest.param(DUPLICATE_ITEM, RefusalKind.DUPLICATE, id="duplicate"),
        pytest.param(EARLY_ITEM, RefusalKind.TOO_EARLY, id="early"),
        pytest.param({**EARLY_ITEM, **DUPLICATE_ITEM}, RefusalKind.DUPLICATE, id="duplicate-and-early"),
        pytest.param(BAD_ADDRESS, RefusalKind.PERMANENT, id="address"),
        pytest.param({**EARLY_ITEM, **BAD_ADDRESS}, RefusalKind.PERMANENT, id="early-and-address"),
        pytest.param({**DUPLICATE_ITEM, **BAD_ADDRESS}, RefusalKind.PERMANENT, id="duplicate-and-address"),
        pytest.param({"expires": [TOO_EARLY + " Really."]}, RefusalKind.PERMANENT, id="other-words"),
    ],
)
def test_the_words_decide_what_follows_a_refusal(errors: object, kind: RefusalKind) -> None:
    single = refusals_in(answer(400, problem("bad request", errors)), 1)
    batch = refusals_in(answer(400, problem("bad request", [{}, errors])), 2)

    assert single is not None
    assert isinstance(single[0], Refusal)
    assert single[0].kind is kind
    assert batch == [NotMade(), single[0]]


def test_a_duplicate_of_a_single_award_stands_beside_the_fields() -> None:
    found = refusals_in(answer(400, problem("bad request", {}, [DUPLICATE])), 1)

    assert found == [Refusal(RefusalKind.DUPLICATE, DUPLICATE)]


@pytest.mark.parametrize(
    ("body", "grants"),
    [
        pytest.param(b"", 1, id="empty"),
        pytest.param(HTML.encode(), 1, id="html"),
        pytest.param(["x"], 1, id="list"),
        pytest.param(problem("bad request"), 1, id="says-nothing"),
        pytest.param(problem("bad request", [{}, BAD_ADDRESS]), 3, id="too-short"),
        pytest.param(
            problem("bad request", {"assertions": ["This field is required."]}), 2, id="of-the-whole-call"
        ),
        pytest.param(problem("bad request", [{}, BAD_ADDRESS], ["Broken"]), 2, id="and-of-the-whole-call"),
        pytest.param(problem("bad request", [{}, {}]), 2, id="refuses-none"),
    ],
)
def test_a_400_that_names_no_grant_refuses_none(body: object, grants: int) -> None:
    assert refusals_in(answer(400, body), grants) is None
