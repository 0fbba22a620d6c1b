"""Ending by a signal: 130 after SIGINT, 143 after SIGTERM, as shells have it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from types import FrameType
from typing import NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
# Seconds until a signal that was swallowed is sent again: longer than any `__del__` takes.
_AGAIN = 0.05
_NOBODY = 0  # no signal has this number


class Stopped(BaseException):
    """A signal asks this command to stop; raised in the main thread wherever it is, so that it unwinds."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number
        self.exit_code = 128 + number


class StopRequest(threading.Event):
    """Set once a signal asked to stop; `exit_code` is the one to end with then, else 0."""

    exit_code = 0


@contextmanager
def stoppable() -> Iterator[None]:
    """Turn signals into Stopped for as long as the block lasts."""

    def stop(number: int) -> NoReturn:
        raise Stopped(number)

    with _delivered_again(), _handled_by(stop):
        yield


@contextmanager
def _delivered_again() -> Iterator[None]:
    """Send ourselves a signal once more that met a place where nothing can be raised, such as a `__del__`.

    Not at once: the hook itself is such a place, and the one that called it is left only after it.
    """
    before = sys.unraisablehook
    timers: list[threading.Timer] = []

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if isinstance(unraisable.exc_value, Stopped):
            again = threading.Timer(_AGAIN, os.kill, (os.getpid(), unraisable.exc_value.number))
            again.daemon = True
            timers.append(again)
            again.start()
        else:
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
        for again in timers:
            again.cancel()


@contextmanager
def stopping(grace: float) -> Iterator[StopRequest]:
    """Turn signals into a request that the block looks at, so that it can finish what it has in hand.

    A block that is still there `grace` seconds after the first signal is cut short: the process ends at once.
    """
    request, over = StopRequest(), threading.Event()
    asked: SimpleQueue[int] = SimpleQueue()
    watch = threading.Thread(target=_watch, args=(asked, request, over, grace), name="stopping", daemon=True)
    try:
        with _handled_by(asked.put):
            watch.start()
            yield request
    finally:
        over.set()
        asked.put(_NOBODY)  # only now: behind it nobody would hear of a signal any more
        if watch.ident is not None:
            watch.join()


def _watch(asked: SimpleQueue[int], request: StopRequest, over: threading.Event, grace: float) -> None:
    """Pass on the first signal, in a thread of its own.

    A handler may interrupt whoever waits for the request while it holds the request's lock, and would wait
    for that lock for ever. A SimpleQueue alone may be used there.
    """
    if (number := asked.get()) == _NOBODY:
        return
    request.exit_code = 128 + number
    request.set()
    over.wait(grace)
    if not over.is_set():
        os._exit(request.exit_code)


@contextmanager
def _handled_by(act: Callable[[int], None]) -> Iterator[None]:
    def handle(number: int, _frame: FrameType | None) -> None:
        act(number)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
