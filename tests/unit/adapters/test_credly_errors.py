"""What Credly's answers mean, and in which words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from worker.adapters.badgr.http import Answer
from worker.adapters.credly.errors import error_of, said_in
from worker.errors import NoAnswer, Refused, SignInRefused, Throttled, Unreachable

if TYPE_CHECKING:
    from worker.errors import BadgeWorkerError


def answer(status: int, body: object = b"", **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, Unreachable),
        (400, Refused),
        (401, SignInRefused),
        (403, SignInRefused),
        (404, Refused),
        (405, Refused),
        (408, NoAnswer),
        (409, Refused),
        (422, Refused),
        (429, Throttled),
        (500, NoAnswer),
        (503, NoAnswer),
    ],
)
def test_each_status_has_one_meaning(status: int, error: type[BadgeWorkerError]) -> None:
    assert type(error_of(answer(status), "x")) is error


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({"data": {"message": "No.\nReally."}}, "No. Really.", id="a-message"),
        pytest.param(
            {"data": {"message": "No", "errors": [{"attribute": "issued_at", "messages": ["is bad", "so"]}]}},
            "No; issued_at: is bad; issued_at: so",
            id="fields-in-a-list",
        ),
        pytest.param({"data": {"errors": {"locale": ["is bad"]}}}, "locale: is bad", id="fields-by-name"),
        pytest.param({"data": {"errors": ["is bad", {"a": "b"}]}}, "is bad; a: b", id="any-list"),
        pytest.param({"data": {"message": "Not ann@example.org"}}, "Not <address>", id="an-address"),
        pytest.param({"data": {"message": None, "errors": []}}, "no words, only HTTP 422", id="no-words"),
        pytest.param({"error": "no"}, "no", id="another-envelope"),
        pytest.param({"data": ["x"]}, "data: x", id="data-that-is-a-list"),
        pytest.param(b"<html><h1>Not now</h1></html>", "Not now", id="html"),
        pytest.param(b"", "no words, only HTTP 422", id="nothing"),
    ],
)
def test_its_words_are_found_in_every_shape(body: object, words: str) -> None:
    assert said_in(answer(422, body)) == words


def test_a_404_names_what_was_asked_for() -> None:
    error = error_of(answer(404, {"data": {"message": "not found"}}), "template t1")

    assert "template t1" in str(error)


def test_a_429_says_how_long() -> None:
    error = error_of(answer(429, {"data": {"message": "slowly"}}, retry_after="7"), "x")

    assert isinstance(error, Throttled)
    assert error.wait == 7
