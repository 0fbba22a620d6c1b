"""A scrape's answer: what this process counted, and how things stand where somebody reads that."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client import REGISTRY, CollectorRegistry, Info
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from worker import (
    __version__,
    measuring,  # noqa: F401 # its metrics are there from the first scrape on
)

BUILD = Info("badge_worker_build", "Which version of the program this process runs.")
BUILD.info({"version": __version__})


@dataclass(frozen=True, slots=True)
class Exposition:
    """The body of a scrape, and its content type."""

    content_type: str
    body: bytes


class _Both(Collector):
    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._collectors = collectors

    def collect(self) -> Iterable[Metric]:
        for each in self._collectors:
            yield from each.collect()


def answer(state: Collector | None = None, accept: str = "") -> Exposition:
    """Return what a scrape gets: this process's counters, and with `state` how things stand."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Both([REGISTRY] if state is None else [REGISTRY, state]))
    encode, content_type = choose_encoder(accept)
    return Exposition(content_type, encode(registry))
