"""Whatever a service answers: a result that fits what was asked, or an error of ours that names nobody."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.adapters.wire import envelope
from worker.adapters.badgr import BadgrProvider, Credentials
from worker.adapters.badgr.http import Answer, Http
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens
from worker.awards import Grant
from worker.errors import BadgeWorkerError, ConfigurationError

if TYPE_CHECKING:
    from worker.adapters.badgr.deadline import Deadline
    from worker.adapters.badgr.http import Request

ANN, BOB = "ann@example.org", "bob@example.org"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
FIXTURES = [
    json.loads(file.read_text())["body"]
    for file in sorted((Path(__file__).parents[2] / "fixtures" / "badgr").glob("*.json"))
]
BODIES = [each for each in FIXTURES if isinstance(each, dict | list)]

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(["", ANN, "\0", "\ud800", "9" * 50, "2026-01-31T12:00:00Z", "https://x.org/a?b=c"]),
    st.text(max_size=5),
)
anything = st.recursive(
    odd,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["status", "result", "fieldErrors", "validationErrors", "recipient", "entityId", "error"]
            )
            | st.text(max_size=3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """Draw a captured answer of which some part is something else."""
    body = json.loads(json.dumps(draw(st.sampled_from(BODIES))))
    for _ in range(draw(st.integers(1, 3))):
        _spoil(draw, body)
    return body


def _spoil(draw: st.DrawFn, part: Any) -> None:
    while isinstance(part, dict | list) and part:
        key = draw(st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part))))
        if draw(st.booleans()) or not isinstance(part[key], dict | list):
            part[key] = draw(anything)
            return
        part = part[key]


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    body = draw(
        st.one_of(
            st.binary(max_size=40),
            anything.map(lambda each: json.dumps(each).encode()),
            anything.map(lambda each: json.dumps(envelope(each)).encode()),
            spoilt().map(lambda each: json.dumps(each).encode()),
            spoilt().map(lambda each: json.dumps(each).encode()[:-7]),
        )
    )
    headers = draw(
        st.dictionaries(
            st.sampled_from(["retry-after", "date", "link", "content-type"]),
            st.sampled_from(
                ["0", "-1", "soon", "Fri, 31 Jan 2026 12:00:00 GMT", '<x?cursor=a>; rel="next"', "<"]
            ),
            max_size=3,
        )
    )
    status = draw(
        st.sampled_from([200, 201, 204, 302, 400, 401, 403, 404, 408, 409, 418, 422, 429, 500, 503, 599])
    )
    return Answer(status, headers, body)


class Service(Http):
    """Signs in at the first call, and answers the same to all others."""

    answer: Answer

    def send(self, request: Request, deadline: Deadline, token: str | None = None) -> Answer:
        del deadline, token
        if request.path == "/o/token" and not self.answer.headers.get("sign-in"):
            return Answer(200, {}, b'{"access_token": "t0ken", "expires_in": 86400}')
        return self.answer


def provider_at(answer: Answer) -> BadgrProvider:
    permits = MemoryPermits({"academy": RateLimit(10_000, 60, 30)}, sleep=lambda _: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("worker.adapters.badgr.provider.Http", Service)
        account = Credentials(username="ann", password="s3cret")
        made = BadgrProvider("academy", "https://badgr.test", account, permits, MemoryTokens(), 30)
    Service.answer = answer
    return made


CALLS: dict[str, Callable[[BadgrProvider], Any]] = {
    "issue-one": lambda academy: academy.issue("c", [Grant(ANN, NOON)], lambda: None),
    "issue-two": lambda academy: academy.issue("c", [Grant(ANN, NOON), Grant(BOB, NOON)], lambda: None),
    "find": lambda academy: academy.find("c", [ANN, BOB]),
    "revoke-one": lambda academy: academy.revoke([("a", "why")], lambda: None),
    "revoke-two": lambda academy: academy.revoke([("a", "why"), ("b", "why")], lambda: None),
    "held": lambda academy: list(academy.held("c")),
    "changed": lambda academy: list(academy.changed(NOON)),
    "check": lambda academy: academy.check(),
    "exists": lambda academy: academy.badgeclass_exists("c"),
    "issuers": lambda academy: list(academy.client().issuers.all()),
    "badge-classes": lambda academy: list(academy.client().badgeclasses.all()),
    "tokens": lambda academy: list(academy.client().tokens.all()),
    "me": lambda academy: academy.client().users.get(),
    "backpack": lambda academy: list(academy.client().backpack.all()),
}


def result_or_error(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except BadgeWorkerError as error:
        return error


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(call=st.sampled_from(sorted(CALLS)), answer=answers())
def test_any_answer_is_a_result_or_an_error_of_ours(call: str, answer: Answer) -> None:
    academy = provider_at(answer)

    result = result_or_error(lambda: CALLS[call](academy))

    if isinstance(result, BadgeWorkerError):
        assert not isinstance(result, ConfigurationError)
        assert "example.org" not in str(result)
        assert "t0ken" not in str(result)
    elif call.startswith("issue-"):
        assert len(result) == (1 if call == "issue-one" else 2)
    elif call == "find":
        assert {each.recipient for each in result} <= {ANN, BOB}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
@given(answer=answers())
def test_any_answer_to_a_sign_in_is_a_token_or_an_error_of_ours(answer: Answer) -> None:
    signing_in = Answer(answer.status, {**answer.headers, "sign-in": "yes"}, answer.body)
    academy = provider_at(signing_in)

    with pytest.raises(BadgeWorkerError) as caught:
        academy.issue("c", [Grant(ANN, NOON)], lambda: None)

    assert "s3cret" not in str(caught.value)
    assert "example.org" not in str(caught.value)
