"""The scheduler of `celery -A worker.app beat`: sends ticks, and never lets them pile up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import structlog
from celery.beat import ScheduleEntry, Scheduler, SchedulingError
from kombu.exceptions import OperationalError

from worker import measuring
from worker.adapters.celery_app import is_behind

log = structlog.get_logger(__name__)


class Ticker(Scheduler):
    """Celery's scheduler in memory: only intervals are scheduled, so a restart has nothing to remember."""

    on_tick: ClassVar[list[Callable[[], None]]] = []
    _untold: ClassVar[set[type[Exception]]] = set()
    _failing = False

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send a tick, unless enough of them wait. A broker that cannot be reached is said once."""
        measuring.went_on()  # also without a broker: to be started again would not bring it back
        try:
            if not is_behind(self.app, self._queue_of(entry)):
                self.apply_async(entry, producer=producer, advance=False)
        except (SchedulingError, OperationalError) as error:
            if not self._failing:
                log.warning("beat.waits", tick=entry.name, reason=str(error))
            self._failing = True
        else:
            if self._failing:
                log.info("beat.goes_on")
            self._failing = False
            self._tell()

    def _tell(self) -> None:
        """Say that a tick was sent. Whatever comes of telling, beat goes on: it does no work of its own."""
        for note in self.on_tick:
            try:
                note()
            except Exception as error:  # noqa: BLE001 # whatever it is, the next tick counts for more
                # Its text may quote an address; once, and not each second.
                if type(error) not in self._untold:
                    log.warning("beat.tick_not_told", error=type(error).__name__)
                self._untold.add(type(error))

    def _queue_of(self, entry: ScheduleEntry) -> str:
        name: str = self.app.amqp.router.route({}, entry.task or "")["queue"].name
        return name
