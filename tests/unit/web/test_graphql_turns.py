"""When GraphQL waits, for whom, and what it tries again."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from anyio import create_task_group
from starlette.applications import Starlette
from starlette.routing import Route

from worker.errors import DatabaseUnavailable
from worker.settings import Settings
from worker.web.access import Access
from worker.web.graphql import endpoint
from worker.web.graphql.endpoint import Endpoint
from worker.web.graphql.schema import make_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 30.0
TOKEN = "reads"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Opigno-Client-UUID": "ada"}


def site(begin: Callable[[str], Any]) -> httpx.AsyncClient:
    settings = Settings(api_tokens=f"portal:read:{hashlib.sha256(TOKEN.encode()).hexdigest()}")
    door = Endpoint(make_schema(), Access(settings), begin)
    transport = httpx.ASGITransport(Starlette(routes=[Route("/", door.__call__, methods=["POST"])]))
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=HEADERS)


async def ask(client: httpx.AsyncClient, answers: list[httpx.Response]) -> None:
    answers.append(await client.post("/", json={"query": "{ __typename }"}))


def test_who_would_wait_too_long_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "_PATIENCE", 0.05)
    monkeypatch.setattr(endpoint, "_WORKED_ON", 1)
    let = threading.Event()
    answers: list[httpx.Response] = []

    @contextmanager
    def begin(_uuid: str) -> Iterator[object]:
        assert let.wait(PATIENCE)
        yield object()

    async def two() -> None:
        async with site(begin) as client, create_task_group() as group:
            group.start_soon(ask, client, answers)
            group.start_soon(ask, client, answers)
            with anyio.move_on_after(PATIENCE):
                while not answers:  # noqa: ASYNC110 # what is awaited is no event of this loop
                    await anyio.sleep(0.01)
            let.set()

    anyio.run(two)

    assert [answer.status_code for answer in answers] == [503, 200]
    assert answers[0].headers["retry-after"] == "5"
    assert answers[0].json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}


@pytest.mark.parametrize(("soon", "times"), [(PATIENCE, 2), (-1.0, 1)], ids=["soon", "late"])
def test_what_fails_is_tried_again_only_if_it_failed_soon(
    monkeypatch: pytest.MonkeyPatch, soon: float, times: int
) -> None:
    monkeypatch.setattr(endpoint, "_SOON", soon)
    begun: list[str] = []
    answers: list[httpx.Response] = []

    @contextmanager
    def begin(uuid: str) -> Iterator[object]:
        begun.append(uuid)
        raise DatabaseUnavailable("away")
        yield

    async def one() -> None:
        async with site(begin) as client:
            await ask(client, answers)

    anyio.run(one)

    assert (answers[0].status_code, len(begun)) == (503, times)
