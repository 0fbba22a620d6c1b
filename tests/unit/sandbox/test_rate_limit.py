"""Exactly so many calls in any span of so many seconds, for each connection (contract section 6, S3-03)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.sandbox.limits import MovingWindow
from worker.sandbox.options import RateLimit, SandboxOptions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.sandbox.conftest import Sandboxes, Tried


def statuses(tried: Tried, count: int, account: str = "me") -> list[int]:
    path = f"/v2/badgeclasses/{tried.badgeclass}"
    return [tried.call("GET", path, account).status_code for _ in range(count)]


def test_a_hundred_calls_pass_and_the_next_one_does_not(sandboxes: Sandboxes) -> None:
    with sandboxes(rate_limit="100/60s") as tried:
        assert statuses(tried, 102) == [200] * 100 + [429] * 2


def test_the_window_moves_call_by_call(sandboxes: Sandboxes) -> None:
    with sandboxes(rate_limit="2/60s") as tried:
        first = statuses(tried, 1)
        tried.clock.wait(30)
        second = statuses(tried, 2)
        tried.clock.wait(30)
        third = statuses(tried, 2)

        assert first + second + third == [200, 200, 429, 200, 429]


def test_retry_after_is_when_the_oldest_call_leaves_the_window(sandboxes: Sandboxes) -> None:
    with sandboxes(rate_limit="2/60s") as tried:
        statuses(tried, 2)
        tried.clock.wait(20.5)

        answer = tried.call("GET", f"/v2/badgeclasses/{tried.badgeclass}")

        assert answer.headers["Retry-After"] == "40"


def test_refused_calls_do_not_lengthen_the_wait(sandboxes: Sandboxes) -> None:
    with sandboxes(rate_limit="1/60s") as tried:
        statuses(tried, 1)
        tried.clock.wait(59)
        refused = statuses(tried, 5)
        tried.clock.wait(1)

        assert refused == [429] * 5
        assert statuses(tried, 1) == [200]


def test_connections_do_not_share_their_limits(sandboxes: Sandboxes) -> None:
    with sandboxes(rate_limit="1/60s") as tried:
        assert statuses(tried, 2) == [200, 429]
        assert statuses(tried, 2, "you") == [200, 429]


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"username": "me", "password": "x"}, id="password"),
        pytest.param({"username": "me", "password": ""}, id="failed"),
        pytest.param(
            {"grant_type": "client_credentials", "client_id": "me", "client_secret": "s"}, id="client"
        ),
    ],
)
def test_a_sign_in_counts_for_its_connection(sandboxes: Sandboxes, form: dict[str, str]) -> None:
    with sandboxes(rate_limit="2/60s") as tried:
        tried.sign_in(**form)

        assert statuses(tried, 2) == [200, 429]


def test_a_refresh_counts_for_its_connection_even_if_it_fails(sandboxes: Sandboxes) -> None:
    with sandboxes(rate_limit="4/60s") as tried:
        token = tried.sign_in(username="me", password="x").json()["refresh_token"]
        for _ in range(2):
            tried.sign_in(grant_type="refresh_token", refresh_token=token)

        assert statuses(tried, 2) == [200, 429]


def test_a_sign_in_beyond_the_limit_is_refused_too(sandboxes: Sandboxes) -> None:
    with sandboxes(rate_limit="1/60s") as tried:
        statuses(tried, 1)

        answer = tried.sign_in(username="me", password="x")

        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")


def test_calls_without_a_valid_token_count_for_no_one(sandboxes: Sandboxes) -> None:
    with sandboxes(rate_limit="1/60s") as tried:
        tried.tokens["nobody"] = "garbage"

        assert statuses(tried, 3, "nobody") == [401] * 3
        assert statuses(tried, 1) == [200]


def test_the_sandbox_doors_count_for_no_one(sandboxes: Sandboxes) -> None:
    with sandboxes(rate_limit="1/60s") as tried:
        for path in ("/sandbox/assertions", "/sandbox/calls", "/sandbox/faults", "/health"):
            assert tried.call("GET", path).status_code == 200

        assert statuses(tried, 1) == [200]


def test_without_a_limit_nothing_is_refused(sandboxes: Sandboxes) -> None:
    with sandboxes(rate_limit=None) as tried:
        assert statuses(tried, 150) == [200] * 150


def test_a_restart_forgets_no_call(sandboxes: Sandboxes, tmp_path: Path) -> None:
    data = tmp_path / "sandbox.db"

    with sandboxes(rate_limit="3/60s", data=data) as tried:
        before = statuses(tried, 2)
        clock = tried.clock
    clock.wait(10)
    with sandboxes(clock, rate_limit="3/60s", data=data) as tried:
        after = statuses(tried, 2)

    assert before + after == [200, 200, 200, 429]


@given(st.lists(st.floats(0, 5), max_size=60), st.integers(1, 5))
def test_no_span_ever_holds_more_and_nothing_is_refused_without_need(gaps: list[float], most: int) -> None:
    window, now = MovingWindow(RateLimit(most, 10)), 1000.0
    passed: list[float] = []

    for gap in gaps:
        now += gap
        recent = [moment for moment in passed if moment > now - 10]
        wait = window.arrive("me", now)
        assert (wait is None) == (len(recent) < most)
        if wait is None:
            passed.append(now)
        else:
            assert recent[0] + 10 <= now + wait < recent[0] + 12


@pytest.mark.parametrize("text", ["", "100", "0/60s", "100/0s", "ten/60s", "100/60m"])
def test_a_limit_that_cannot_be_read_is_refused_at_once(text: str) -> None:
    with pytest.raises(ValueError, match="write calls/seconds"):
        SandboxOptions(rate_limit=text)
