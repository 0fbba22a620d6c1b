"""Assertions over the wire: what is asked for, and what is made of the answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.unit.adapters.wire import Wire, answers, envelope, problem
from worker.adapters.badgr.assertions import Assertions
from worker.adapters.badgr.calls import Calls
from worker.adapters.badgr.connection import Connection
from worker.adapters.badgr.http import Http
from worker.adapters.badgr.sign_in import Credentials, SignIn
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens
from worker.errors import ConfigurationError, NoAnswer, Refused

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
ANN = "ann@example.org"


def shown(name: str = "a", **more: object) -> dict[str, Any]:
    return {"entityId": name, "recipient": {"plaintextIdentity": ANN}, **more}


def at(wire: Wire) -> Assertions:
    permits = MemoryPermits({"academy": RateLimit(100, 60, 30)})
    calls = Calls("academy", Http(wire.url), permits, 30)
    sign_in = SignIn(calls, Credentials(token="ready-made"), wire.url, MemoryTokens(), 30)
    return Assertions(Connection(calls, sign_in))


def test_revoking_sends_its_reason_in_the_body_of_the_delete() -> None:
    with Wire(answers(200, envelope(shown(revoked=True, image=None)))).listening() as wire:
        revoked = at(wire).revoke("-a_", "mistake")

    assert wire.line() == "DELETE /v2/assertions/-a_ HTTP/1.1"
    assert wire.json() == {"revocation_reason": "mistake"}
    assert revoked is not None
    assert revoked.revoked


def test_revoking_may_be_answered_with_nothing() -> None:
    with Wire(answers(204)).listening() as wire:
        assert at(wire).revoke("a", "mistake") is None


def test_what_was_revoked_before_is_refused_in_the_service_s_words() -> None:
    refusal = problem("bad request", whole=["Assertion is already revoked"])

    with Wire(answers(400, refusal)).listening() as wire, pytest.raises(Refused) as caught:
        at(wire).revoke("a", "mistake")

    assert caught.value.words == "Assertion is already revoked"


@pytest.mark.parametrize("reason", ["", " \n"])
def test_nothing_is_revoked_without_a_reason(reason: str) -> None:
    with Wire(answers(204)).listening() as wire:
        with pytest.raises(ConfigurationError, match="reason"):
            at(wire).revoke("a", reason)
        with pytest.raises(ConfigurationError, match="reason"):
            at(wire).revoke_many([("a", reason)])

    assert wire.requests == []


def test_many_are_revoked_each_with_its_own_result() -> None:
    result = [
        {"revoked": True, "entityId": "a", "revocationReason": "x"},
        {"revoked": False, "id": "b", "revocationReason": "y", "reason": "['Assertion is already revoked']"},
    ]

    with Wire(answers(200, envelope(*result))).listening() as wire:
        done, not_done = at(wire).revoke_many([("a", "x"), ("b", "y")])

    assert wire.line() == "POST /v2/assertions/revoke HTTP/1.1"
    assert wire.json() == [
        {"entityId": "a", "revocationReason": "x"},
        {"entityId": "b", "revocationReason": "y"},
    ]
    assert (done.entity_id, done.revoked, done.words) == ("a", True, None)
    assert (not_done.entity_id, not_done.revoked) == ("b", False)
    assert not_done.words == "Assertion is already revoked"


def test_results_for_others_than_were_to_be_revoked_tell_nothing() -> None:
    result = {"revoked": True, "entityId": "b", "revocationReason": "x"}

    with Wire(answers(200, envelope(result))).listening() as wire, pytest.raises(NoAnswer):
        at(wire).revoke_many([("a", "x")])


def test_revoking_nothing_calls_nobody() -> None:
    with Wire(answers(200, envelope())).listening() as wire:
        assert at(wire).revoke_many([]) == []

    assert wire.requests == []


def test_a_list_asks_for_what_it_is_told_to() -> None:
    with Wire(answers(200, envelope(shown(badgeclass="class-1")))).listening() as wire:
        (found,) = at(wire).of_badgeclass(
            "class-1", ["Ann+x@example.org"], include_expired=True, include_revoked=True, num=7
        )

    asked = urlsplit(wire.line().split()[1])
    assert asked.path == "/v2/badgeclasses/class-1/assertions"
    assert parse_qsl(asked.query) == [
        ("recipient", "ann+x@example.org"),
        ("include_expired", "1"),
        ("include_revoked", "1"),
        ("num", "7"),
    ]
    assert (found.badgeclass, found.recipient.address()) == ("class-1", ANN)


def test_a_page_is_called_for_when_it_is_wanted() -> None:
    link = {"Link": "<http://inside/v2/x?num=1&cursor=b%3D>; rel=next"}

    with Wire(
        answers(200, envelope(shown("a")), link), answers(200, envelope(shown("b")))
    ).listening() as wire:
        found = at(wire).of_issuer("issuer-1", num=1)
        first = next(found)
        called = len(wire.requests)
        rest = list(found)

    assert (first.entity_id, called) == ("a", 1)
    assert [each.entity_id for each in rest] == ["b"]
    assert wire.line(1) == "GET /v2/issuers/issuer-1/assertions?num=1&cursor=b%3D HTTP/1.1"


def test_a_feed_is_read_to_its_end_and_tells_where_to_go_on() -> None:
    def page(name: str, after: str | None, timestamp: str) -> dict[str, Any]:
        pagination = {"hasNext": after is not None, "nextResults": after, "hasPrevious": False}
        return {**envelope(shown(name)), "pagination": pagination, "timestamp": timestamp}

    with Wire(
        answers(200, page("a", "http://inside/v2/x?cursor=b", "2026-01-31T12:00:00+00:00")),
        answers(200, page("b", None, "2026-01-31T12:00:05+00:00")),
    ).listening() as wire:
        feed = at(wire).changed(NOON, num=1)
        found = [each.entity_id for each in feed]

    assert found == ["a", "b"]
    assert feed.timestamp == NOON
    assert wire.line(0).split()[1] == "/v2/assertions/changed?num=1&since=2026-01-31T12%3A00%3A00.000000Z"
    assert wire.line(1).split()[1] == "/v2/assertions/changed?cursor=b"


@pytest.mark.parametrize(
    "body", [[], {**envelope(), "pagination": {"hasNext": "perhaps"}}, {**envelope(), "timestamp": "soon"}]
)
def test_a_feed_that_cannot_be_read_tells_nothing(body: object) -> None:
    with Wire(answers(200, body)).listening() as wire, pytest.raises(NoAnswer):
        list(at(wire).changed())


def test_a_page_holds_something() -> None:
    with Wire(answers(200, envelope())).listening() as wire, pytest.raises(ConfigurationError, match="num"):
        at(wire).of_issuer("issuer-1", num=0)
