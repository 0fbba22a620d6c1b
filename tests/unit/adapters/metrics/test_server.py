"""`/metrics` and `/healthz` of one process."""

from __future__ import annotations

from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
import pytest

from worker import measuring
from worker.adapters.embedded import free_port
from worker.adapters.metrics import MetricsServer
from worker.errors import ConfigurationError
from worker.heartbeat import LONGEST_SILENCE

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def url() -> Iterator[str]:
    port = free_port()
    with closing(MetricsServer(port)):
        yield f"http://127.0.0.1:{port}"


def test_a_scrape_is_what_prometheus_reads(url: str) -> None:
    told = httpx.get(f"{url}/metrics")

    assert told.headers["content-type"].startswith("text/plain; version=")
    assert "# TYPE badge_worker_events_total counter" in told.text


def test_who_asks_for_openmetrics_gets_that(url: str) -> None:
    told = httpx.get(f"{url}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})

    assert told.headers["content-type"].startswith("application/openmetrics-text")
    assert told.text.endswith("# EOF\n")


@pytest.mark.parametrize(
    ("silence", "status"),
    [
        (None, HTTPStatus.OK),
        (LONGEST_SILENCE - 1, HTTPStatus.OK),
        (LONGEST_SILENCE + 1, HTTPStatus.SERVICE_UNAVAILABLE),
    ],
)
def test_a_process_is_well_while_it_goes_on(
    url: str, monkeypatch: pytest.MonkeyPatch, silence: float | None, status: HTTPStatus
) -> None:
    monkeypatch.setattr(measuring, "silence", lambda: silence)

    assert httpx.get(f"{url}/healthz").status_code == status


def test_there_is_nothing_else(url: str) -> None:
    assert httpx.get(f"{url}/").status_code == HTTPStatus.NOT_FOUND


def test_a_port_that_is_taken_is_one_clear_line() -> None:
    port = free_port()

    with closing(MetricsServer(port)), pytest.raises(ConfigurationError) as refused:
        MetricsServer(port)

    assert str(refused.value).startswith(f"BADGE_WORKER_METRICS_PORT: cannot listen on {port}: ")
