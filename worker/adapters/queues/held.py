"""What a consumer of Redis Streams holds, kept from looking abandoned while it works on it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import redis
import structlog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = structlog.get_logger(__name__)


class Held:
    """The ids of the messages that were read and not yet acknowledged.

    While there are any, a thread calls `refresh` with them every `interval` seconds; what that raises is
    logged, and tried again at the next turn. A message that is not refreshed in time is only done twice.
    """

    def __init__(self, refresh: Callable[[list[str]], None], interval: float) -> None:
        self._refresh = refresh
        self._interval = interval
        self._ids: set[str] = set()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, ids: Iterable[str]) -> None:
        """Hold these from now on."""
        with self._lock:
            self._ids.update(ids)
            if self._ids and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="held-messages", daemon=True)
                self._thread.start()

    def remove(self, ids: Iterable[str]) -> None:
        """Hold these no longer."""
        with self._lock:
            self._ids.difference_update(ids)

    def clear(self) -> None:
        """Hold nothing any longer."""
        with self._lock:
            self._ids.clear()

    def ids(self) -> list[str]:
        """Return what is held, oldest first."""
        with self._lock:
            return sorted(self._ids)

    def __bool__(self) -> bool:
        return bool(self._ids)

    def stop(self) -> None:
        """End the thread; what is held stays listed."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            if not (ids := self.ids()):
                continue
            try:
                self._refresh(ids)
            except redis.RedisError as error:
                log.warning("queue.refresh_failed", held=len(ids), error=str(error))
