from __future__ import annotations

from typing import Any

import pytest

from worker.adapters.queues.declaring import arguments_for


@pytest.mark.parametrize("version", ["4.0.1", "4.2.0-rc.1", "10.0"])
def test_a_broker_that_counts_returns_is_told_not_to(version: str) -> None:
    server = {"product": "RabbitMQ", "version": version}

    assert arguments_for(server) == {"x-queue-type": "quorum", "x-delivery-limit": -1}


@pytest.mark.parametrize(
    "server",
    [
        pytest.param(
            {"product": "RabbitMQ", "version": "3.10.8"}, id="version 3 takes -1 for the first return"
        ),
        pytest.param({"product": "LavinMQ", "version": "10.0"}, id="another product"),
        pytest.param({"product": "RabbitMQ", "version": "latest"}, id="no number"),
        pytest.param({}, id="silent"),
    ],
)
def test_any_other_broker_is_asked_for_a_quorum_queue_alone(server: dict[str, Any]) -> None:
    assert arguments_for(server) == {"x-queue-type": "quorum"}
