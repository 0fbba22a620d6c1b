"""`/metrics` takes no threads that other doors need, however many ask."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import anyio
import httpx
from anyio import create_task_group, to_thread
from starlette.applications import Starlette

from worker.adapters.metrics import Source, State
from worker.web import metrics

PATIENCE = 30.0


def test_scrapes_that_hang_keep_few_threads_and_the_next_is_told_to_come_again() -> None:
    begun, let = threading.Event(), threading.Event()

    def hanging() -> list[Any]:
        begun.set()
        assert let.wait(PATIENCE)
        return []

    services: Any = SimpleNamespace(state=State([Source("it", hanging)], patience=PATIENCE))
    app = Starlette(routes=metrics.routes(services))
    answers: list[httpx.Response] = []

    async def scrape(client: httpx.AsyncClient) -> None:
        answers.append(await client.get("/metrics"))

    async def many() -> list[int]:
        transport = httpx.ASGITransport(app)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
            create_task_group() as group,
        ):
            for _ in range(2):
                group.start_soon(scrape, client)
            assert await to_thread.run_sync(begun.wait, PATIENCE)
            with anyio.move_on_after(PATIENCE):
                await scrape(client)
            let.set()
        return [answer.status_code for answer in answers]

    statuses = anyio.run(many)

    assert statuses == [503, 200, 200]
    assert "retry-after" in answers[0].headers
