"""What Prometheus would see: one scrape of one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric


_ENDS = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}


def _kinds(families: list[Metric]) -> list[tuple[str, str]]:
    return [(family.name, family.type) for family in families]


class Sample(NamedTuple):
    name: str
    labels: dict[str, str]
    value: float


class Scrape:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        families = list(text_string_to_metric_families(text))
        self.samples = [
            Sample(each.name, each.labels, each.value) for family in families for each in family.samples
        ]
        self.families = {family.name for family in families}
        # What can be asked for, also where nothing has happened yet that makes a sample.
        self.possible = {name + end for name, kind in _kinds(families) for end in _ENDS.get(kind, ("",))}

    def of(self, name: str, **labels: str) -> Iterator[Sample]:
        """Yield the samples of a metric that have these labels."""
        for each in self.samples:
            if each.name == f"badge_worker_{name}" and labels.items() <= each.labels.items():
                yield each

    def sum(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of a metric that have these labels."""
        return sum(each.value for each in self.of(name, **labels))

    def one(self, name: str, **labels: str) -> float:
        """Return the one sample of a metric that has these labels."""
        (found,) = self.of(name, **labels)
        return found.value


def scrape(url: str) -> Scrape:
    """Scrape a process."""
    return Scrape(httpx.get(f"{url}/metrics", timeout=20).raise_for_status().text)
