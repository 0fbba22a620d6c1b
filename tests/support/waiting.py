"""Waiting for what will be true, instead of sleeping for as long as it might take."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
PAUSE, LONGEST_PAUSE = 0.02, 0.2  # seconds between two looks
SHARE = 4  # times as long as a look took: whoever waits leaves the processors to those waited for


def wait_until(condition: Callable[[], T], timeout: float = 20.0, what: str = "the condition") -> T:
    """Return what `condition` returns once that is true; fails after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        looked = time.monotonic()
        if value := condition():
            return value
        now = time.monotonic()
        assert now < deadline, f"not after {timeout:.0f} s: {what}"
        time.sleep(min(max(PAUSE, SHARE * (now - looked)), LONGEST_PAUSE))
