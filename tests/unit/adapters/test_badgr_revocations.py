"""Revoking against answers that no good service gives, and what goes over the wire (S3-37, S3-38)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.adapters.wire import Wire, answers, envelope, problem
from worker.adapters.badgr.provider import BadgrProvider
from worker.adapters.badgr.sign_in import Credentials
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.adapters.tokens import MemoryTokens
from worker.awards import Refusal, RefusalKind
from worker.errors import NoAnswer, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

MARK = "mistake"


def revoke(wire: Wire, *assertions: str) -> Sequence[Refusal | None]:
    permits = MemoryPermits({"academy": RateLimit(100, 60, 30)})
    provider = BadgrProvider("academy", wire.url, Credentials(token="t"), permits, MemoryTokens(), 30)
    return provider.revoke([(each, MARK) for each in assertions], lambda: None)


def item(name: str, reason: str | None = None) -> dict[str, object]:
    told: dict[str, object] = {"revoked": reason is None, "entityId": name, "revocationReason": MARK}
    return told if reason is None else told | {"reason": reason}


def refused(words: str) -> Refusal:
    return Refusal(RefusalKind.PERMANENT, words)


def test_one_is_revoked_by_a_delete_with_the_reason_in_its_body() -> None:
    with Wire(answers(200, envelope(item("-a_/b")))).listening() as wire:
        assert revoke(wire, "-a_/b") == [None]

    assert wire.line() == "DELETE /v2/assertions/-a_%2Fb HTTP/1.1"
    assert wire.json() == {"revocation_reason": MARK}


def test_an_answer_without_a_body_is_a_success() -> None:
    with Wire(answers(204)).listening() as wire:
        assert revoke(wire, "a") == [None]


def test_many_are_revoked_by_one_post_with_the_reason_in_each_item() -> None:
    with Wire(answers(200, envelope(item("a"), item("b")))).listening() as wire:
        assert revoke(wire, "a", "b") == [None, None]

    assert wire.line() == "POST /v2/assertions/revoke HTTP/1.1"
    assert wire.json() == [
        {"entityId": "a", "revocationReason": MARK},
        {"entityId": "b", "revocationReason": MARK},
    ]


def test_a_delete_that_lost_its_body_on_the_way_is_made_as_a_post() -> None:
    lost = answers(400, problem("bad request", {"revocation_reason": "This field is required"}))
    with Wire(lost, answers(200, envelope(item("a")))).listening() as wire:
        assert revoke(wire, "a") == [None]

    assert [wire.line(0).split()[0], wire.line(1)] == ["DELETE", "POST /v2/assertions/revoke HTTP/1.1"]


def test_each_item_has_its_own_words() -> None:
    results = envelope(
        item("a", "['Assertion is already revoked']"),
        item("b", "permission denied or object not found"),
        item("c", "held by ann@example.org"),
    )
    with Wire(answers(200, results)).listening() as wire:
        refusals = revoke(wire, "a", "b", "c")

    assert refusals == [None, refused("permission denied or object not found"), refused("held by <address>")]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, problem("bad request", whole=["Not now"]), "Not now"),
        (
            404,
            problem("entity not found or insufficient privileges"),
            "assertion a is unknown to the provider, or these credentials may not revoke it",
        ),
    ],
)
def test_one_that_is_refused_has_the_words_of_the_answer(status: int, body: object, words: str) -> None:
    with Wire(answers(status, body)).listening() as wire:
        assert revoke(wire, "a") == [refused(words)]


def test_a_service_without_such_a_path_refuses_the_call() -> None:
    with (
        Wire(answers(404, "<html>Not Found</html>")).listening() as wire,
        pytest.raises(Refused, match="does not know this path"),
    ):
        revoke(wire, "a")


@pytest.mark.parametrize(
    "body",
    [envelope(), envelope(item("b")), envelope(item("b"), item("a")), "<html>", envelope({"revoked": True})],
    ids=["fewer", "fewer-and-others", "in-another-order", "no-json", "nameless"],
)
def test_an_answer_about_others_tells_nothing(body: object) -> None:
    with Wire(answers(200, body)).listening() as wire, pytest.raises(NoAnswer):
        revoke(wire, "a", "b")
