"""How things stand, read at each scrape, at a cost that does not grow with what there is.

Each source is read by a thread of its own, so that one that hangs takes nothing from the others. Its answer
is kept for a few seconds, and one that took long for so much longer: reading takes no more than a fiftieth
of the time, at any size. While one is read again it says what it said before, for a while. A source that
fails says so in a sample of its own, and nothing else: what it said before may not be true any more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

log = structlog.get_logger(__name__)

KEPT = 3.0  # seconds for which an answer is good
SHARE = 50  # an answer that took long is good for so many times as long
AFTER_FAILURE = 30.0  # seconds for which one that failed is left alone at most, however slowly it did
REPEATED = 60.0  # seconds for which an old answer is repeated while it is read anew
PATIENCE = 5.0  # seconds for all sources together; Prometheus gives up after ten

Reading = Callable[[], Iterable[Metric]]


@dataclass(slots=True)
class Source:
    """One thing to ask, and what it said last."""

    name: str
    read: Reading
    said: list[Metric] = field(default_factory=list)
    failed: bool = True  # until it was read
    seconds: float = 0.0
    good_until: float = float("-inf")
    reader: threading.Thread | None = None

    def is_silent(self, now: float) -> bool:
        """Say whether it has nothing to say now."""
        return self.failed or (self.reader is not None and now > self.good_until + REPEATED)


class State(Collector):
    """Asks every source, as often as is good for it."""

    def __init__(
        self,
        sources: Sequence[Source],
        monotonic: Callable[[], float] = time.monotonic,
        patience: float = PATIENCE,
    ) -> None:
        self._sources = sources
        self._monotonic = monotonic
        self._patience = patience
        self._turn = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Give what every source says, and whether it does."""
        errors = GaugeMetricFamily(
            "badge_worker_scrape_error",
            "1 if this could not be read: none of its samples.",
            labels=["source"],
        )
        seconds = GaugeMetricFamily(
            "badge_worker_scrape_seconds", "Seconds that reading this took last.", labels=["source"]
        )
        with self._turn:
            self._ask()
            for source in self._sources:
                silent = source.is_silent(self._monotonic())
                errors.add_metric([source.name], float(silent))
                seconds.add_metric([source.name], source.seconds)
                yield from () if silent else source.said
        yield from (errors, seconds)

    def _ask(self) -> None:
        """Ask whoever is due, and wait a little for the answers; a late one is there the next time."""
        for source in self._sources:
            if source.reader is None and self._monotonic() >= source.good_until:
                # A thread that nobody waits for at the end: one that hangs must not keep the process from it.
                source.reader = threading.Thread(
                    target=self._read, args=[source], name=f"metrics-{source.name}", daemon=True
                )
                source.reader.start()
        ends = time.monotonic() + self._patience
        for source in self._sources:
            if source.reader is not None:
                source.reader.join(max(ends - time.monotonic(), 0))
                source.reader = source.reader if source.reader.is_alive() else None

    def _read(self, source: Source) -> None:
        begun = self._monotonic()
        try:
            source.said = list(source.read())
        except Exception as error:  # noqa: BLE001 # whatever it is, a scrape tells of it and goes on
            if not source.failed or not source.seconds:
                log.warning("metrics.unreadable", source=source.name, error=type(error).__name__)
            source.failed, source.said = True, []
        else:
            source.failed = False
        ended = self._monotonic()
        source.seconds = ended - begun
        kept = max(KEPT, SHARE * source.seconds)
        source.good_until = ended + (min(kept, AFTER_FAILURE) if source.failed else kept)
