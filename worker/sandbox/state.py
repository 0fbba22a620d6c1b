"""One sandbox: its options and everything it remembers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from worker.sandbox.calls import CallLog
from worker.sandbox.catalogue import Catalogue
from worker.sandbox.credly.shelf import Shelf
from worker.sandbox.faults import Faults
from worker.sandbox.ledger import Ledger
from worker.sandbox.limits import MovingWindow, SignInThrottle
from worker.sandbox.people import People
from worker.sandbox.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.sandbox.options import SandboxOptions


class Sandbox:
    """The state behind one application. `clock` gives epoch seconds."""

    def __init__(self, options: SandboxOptions, clock: Callable[[], float] = time.time) -> None:
        self.options = options
        self.clock = clock
        self.store = Store(options.data)
        self.people = People(self.store, options.token_lifetime)
        self.catalogue = Catalogue(self.store)
        self.ledger = Ledger(self.store)
        self.shelf = Shelf(self.store)
        self.calls = CallLog(self.store)
        self.faults = Faults()
        self.window = MovingWindow(options.limit())
        self.throttle = SignInThrottle()
        self.forgotten: dict[str, float] = {}  # when each address last asked for a new password
        self.recoveries: dict[str, str] = {}  # tokens of the mails that were not sent, and whom each was for
        self._begin()

    def _begin(self) -> None:
        now = self.clock()
        for seed in self.options.badgeclasses:
            self.catalogue.seed(seed, now)
        for template in self.options.templates:
            self.shelf.seed(template, now)
        for token, account in self.options.tokens.items():
            self.people.ready_made(token, account, now)
        limit = self.options.limit()
        if limit is not None:
            self.window.restore(self.calls.counted_since(now - limit.seconds))
