from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from worker.cli.stopping import Stopped, stoppable, stopping

LONG = 600.0


class Deaf:
    """Gets a signal in its `__del__`, where nothing can be raised."""

    def __init__(self, number: int) -> None:
        self.number = number

    @classmethod
    def meet(cls, number: int) -> None:
        """Let one come and go, and wait."""
        cls(number)
        time.sleep(LONG)

    def __del__(self) -> None:
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_unwinds_a_stoppable_block(number: signal.Signals, code: int) -> None:
    with pytest.raises(Stopped) as stopped, stoppable():
        os.kill(os.getpid(), number)

    assert stopped.value.exit_code == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_met_a_deaf_place_unwinds_the_block_all_the_same(number: signal.Signals) -> None:
    with pytest.raises(Stopped) as stopped, stoppable():
        Deaf.meet(number)

    assert stopped.value.number == number


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_only_asks_a_block_that_finishes_first(number: signal.Signals, code: int) -> None:
    with stopping(LONG) as stop:
        before = stop.is_set(), stop.exit_code
        os.kill(os.getpid(), number)
        after = stop.wait(60), stop.exit_code

    assert before == (False, 0)
    assert after == (True, code)


def test_the_first_signal_decides_the_exit_code() -> None:
    with stopping(LONG) as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGINT)

    assert stop.exit_code == 143


def test_signals_are_handled_as_before_once_the_block_has_ended() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    with stoppable(), stopping(LONG):
        within = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    assert within != before
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_signal_may_come_while_the_request_is_being_waited_for() -> None:
    """What waits holds a lock for a moment, in the very thread that signals interrupt."""
    with stopping(LONG) as stop:
        with stop._cond:  # type: ignore[attr-defined]  # the lock that Event.wait takes
            os.kill(os.getpid(), signal.SIGTERM)
        asked = stop.wait(60)

    assert (asked, stop.exit_code) == (True, 143)


def test_a_signal_is_heard_until_the_handlers_are_those_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    put, calls = signal.signal, []

    def noticed(number: int, handler: Any) -> Any:
        calls.append(number)
        if len(calls) == 3:  # two are put in place, and taken away after the block
            os.kill(os.getpid(), signal.SIGTERM)
        return put(number, handler)

    monkeypatch.setattr(signal, "signal", noticed)
    with stopping(LONG) as stop:
        pass

    assert (stop.is_set(), stop.exit_code) == (True, 143)


def test_a_block_that_does_not_finish_is_cut_short() -> None:
    program = (
        "import os, signal, time\n"
        "from worker.cli.stopping import stopping\n"
        "with stopping(0.1):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        f"    time.sleep({LONG})\n"
    )

    ended = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)

    assert ended.returncode == 143


def test_a_block_that_finished_in_time_is_not_cut_short() -> None:
    program = (
        "import os, signal, time\n"
        "from worker.cli.stopping import stopping\n"
        "with stopping(0.2):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "time.sleep(0.5)\n"  # what must not happen can only be waited for
        "raise SystemExit(7)\n"
    )

    ended = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)

    assert ended.returncode == 7
