"""What Prometheus would see: one scrape of one process."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Iterator


class Sample(NamedTuple):
    name: str
    labels: dict[str, str]
    value: float


class Scrape:
    """The samples of one scrape."""

    def __init__(self, text: str) -> None:
        self.samples = [
            Sample(each.name, each.labels, each.value)
            for family in text_string_to_metric_families(text)
            for each in family.samples
        ]

    @property
    def names(self) -> set[str]:
        return {each.name for each in self.samples}

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
