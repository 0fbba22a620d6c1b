"""Two things at once, made to meet where a test wants them to: no luck, no sleeping."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from tests.support.waiting import wait_until
from worker.adapters.database.store import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
PATIENCE = 20.0  # seconds


class Running(Generic[T]):
    """A function at work in a thread of its own."""

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._answer: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._answer.append(self._function())
        except BaseException as error:  # noqa: BLE001 # it is raised where the result is asked for
            self._error = error

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def result(self, patience: float = PATIENCE) -> T:
        """Wait for the end and return what came of it, or raise what went wrong."""
        self._thread.join(patience)
        assert self.ended, "it still runs"
        if self._error is not None:
            raise self._error
        return self._answer[0]


class HeldDatabase(Database):
    """A database of which one transaction stops just before its commit, until it is let go.

    It is the one that comes after `passing` others of its kind.
    """

    def __init__(self, database: Database, kind: str, passing: int = 0) -> None:
        super().__init__(database.engine)
        self._kind = kind
        self._passing = passing
        self.reached = threading.Event()
        self._free = threading.Event()

    def let_go(self) -> None:
        self._free.set()

    @contextmanager
    def _held(self, kind: str) -> Iterator[Any]:
        with getattr(Database, kind)(self) as transaction:
            yield transaction
            if kind == self._kind:
                self._passing -= 1
            if kind == self._kind and self._passing < 0:
                self.reached.set()
                assert self._free.wait(PATIENCE), "never let go"

    @contextmanager
    def batch(self) -> Iterator[Any]:
        with self._held("batch") as transaction:
            yield transaction

    @contextmanager
    def sweep(self) -> Iterator[Any]:
        with self._held("sweep") as transaction:
            yield transaction

    @contextmanager
    def change(self) -> Iterator[Any]:
        with self._held("change") as transaction:
            yield transaction


class Held(Generic[T]):
    """Something that stands still before its commit; see `holding`."""

    def __init__(self, database: HeldDatabase, running: Running[T]) -> None:
        self._database = database
        self._running = running

    def commits(self) -> T:
        """Let it commit and return what came of it."""
        self._database.let_go()
        return self._running.result()


@contextmanager
def holding(
    database: Database, kind: str, function: Callable[[Database], T], passing: int = 0
) -> Iterator[Held[T]]:
    """Run `function` until a transaction of `kind` (batch, sweep, change) is about to commit.

    It is the first one, or the one that comes after `passing` others.
    """
    held = HeldDatabase(database, kind, passing)
    running = Running(lambda: function(held))
    wait_until(lambda: held.reached.is_set() or running.ended, PATIENCE)
    try:
        assert held.reached.is_set() or running.result() is None, "it ended without getting there"
        yield Held(held, running)
    finally:
        held.let_go()
        running.result()
