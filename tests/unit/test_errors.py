"""The errors: drawn as they are, and every one says by its class what happens next."""

from __future__ import annotations

import inspect
import re

import pytest

from worker import errors
from worker.errors import (
    BadgeWorkerError,
    InvalidDefinition,
    NoAnswer,
    NoPermit,
    PermanentError,
    Refused,
    Throttled,
    TransientError,
    UncertainError,
)

ALL = [each for _, each in inspect.getmembers(errors, inspect.isclass) if each.__module__ == errors.__name__]
CLASSES = (PermanentError, TransientError, UncertainError)


def drawn() -> dict[str, str]:
    """Return each error of the drawn tree with the one above it."""
    above: dict[int, str] = {}
    found: dict[str, str] = {}
    for line in (errors.__doc__ or "").splitlines():
        if match := re.match(r"([│├└─ ]*)([A-Z]\w+)( |$)", line):
            depth = len(match[1]) // 4
            above[depth] = match[2]
            if depth:
                found[match[2]] = above[depth - 1]
    return found


def test_the_tree_at_the_top_is_the_one_that_is_there() -> None:
    there = {each.__name__: each.__base__.__name__ for each in ALL if each is not BadgeWorkerError}  # type: ignore[union-attr]  # every class but object has a base

    assert drawn() == there


@pytest.mark.parametrize("error", [each for each in ALL if each not in {BadgeWorkerError, *CLASSES}])
def test_every_error_is_of_exactly_one_class(error: type[BadgeWorkerError]) -> None:
    assert sum(issubclass(error, each) for each in CLASSES) == 1


@pytest.mark.parametrize("error", ALL)
def test_every_error_says_what_it_means(error: type[BadgeWorkerError]) -> None:
    assert (error.__doc__ or "").strip().endswith((".", "``"))


@pytest.mark.parametrize(
    ("error", "text", "facts"),
    [
        pytest.param(
            InvalidDefinition(["one: wrong", "two: wrong"]),
            "one: wrong\ntwo: wrong",
            {"problems": ["one: wrong", "two: wrong"]},
            id="one-line-a-problem",
        ),
        pytest.param(
            Refused(400, "No such badge"),
            "refused with HTTP 400: No such badge",
            {"status": 400, "words": "No such badge"},
            id="the-providers-words",
        ),
        pytest.param(
            NoPermit("a", 2.26),
            "issuer a: no permit for another 2.3 s",
            {"wait": 2.26},
            id="wait",
        ),
        pytest.param(Throttled("slowly"), "slowly", {"wait": None}, id="throttled-without-a-time"),
        pytest.param(Throttled("slowly", 7), "slowly", {"wait": 7}, id="throttled-for-a-time"),
        pytest.param(NoAnswer("HTTP 502", 502), "HTTP 502", {"status": 502}, id="bad-answer"),
        pytest.param(NoAnswer("time-out"), "time-out", {"status": None}, id="no-answer"),
    ],
)
def test_an_error_carries_its_facts(error: BadgeWorkerError, text: str, facts: dict[str, object]) -> None:
    assert str(error) == text
    assert {name: getattr(error, name) for name in facts} == facts
