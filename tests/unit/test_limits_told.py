"""The limits of every door as the documents tell them, held to those that the code has."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker import heartbeat
from worker.events import LARGEST_EVENT
from worker.intake import MOST_AT_ONCE
from worker.web import guard, intake, server, webhooks
from worker.web.admin import attempts, desk, forms, sessions
from worker.web.graphql import endpoint, limits

DOCS = Path(__file__).parents[2] / "docs"
KIB, MIB, HOUR = 1024, 1024 * 1024, 3600

TOLD = {
    "security.md": [
        f"{LARGEST_EVENT // KIB} KiB for an event",
        f"{intake.LARGEST_BODY // MIB} MiB for a request, {MOST_AT_ONCE:,} events, ",
        f"{intake._AT_ONCE:,} requests a minute for each caller",
        f"{webhooks.LARGEST_BODY // KIB} KiB, {webhooks.AT_ONCE:,} requests a minute",
        f"{endpoint.LARGEST // KIB} KiB, {limits.DEEPEST} levels, {limits.MOST_QUERIES} queries and ",
        f"{limits.MOST_VALUES:,} values for a request",
        f"{endpoint.AT_ONCE:,} requests a minute for each token",
        f"{attempts.MOST} wrong tokens a minute from one address",
        f"{desk.AT_ONCE} pages a minute for each person, {forms.LONGEST // KIB} KiB for a form",
        f"for {sessions.LASTS // HOUR} hours",
        f"A body may take {guard.SLOWEST_BODY:.0f} seconds to arrive",
        f"at most {server._MOST_AT_ONCE:,} requests are answered at a time",
        f"bodies of events under way have {intake._MOST_UNDER_WAY // MIB} MiB together",
    ],
    "http.md": [
        f"more than {guard.SLOWEST_BODY:.0f} s to arrive",
        f"more than {intake.LARGEST_BODY // MIB} MiB, more than {MOST_AT_ONCE:,} events, or ",
        f"one event of more than {LARGEST_EVENT // KIB} KiB",
        f"more than {intake._AT_ONCE:,} requests of this token in a minute",
        f"silent for {heartbeat.LONGEST_SILENCE:.0f} seconds",
    ],
    "publishing.md": [f"at most {LARGEST_EVENT // KIB} KiB"],
}


@pytest.mark.parametrize("name", TOLD)
def test_the_limits_that_are_told_are_those_that_hold(name: str) -> None:
    text = (DOCS / name).read_text("utf-8")

    assert [told for told in TOLD[name] if told not in text] == []


def test_a_minute_is_one() -> None:
    windows = {intake._WINDOW, webhooks.WINDOW, endpoint.WINDOW, desk.WINDOW, attempts.WINDOW}

    assert windows == {60.0}
