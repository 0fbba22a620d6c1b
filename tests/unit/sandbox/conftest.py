from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from worker.sandbox import SandboxOptions, SeedBadgeClass, create_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette

    from worker.sandbox.state import Sandbox

START = 1_795_309_250.0  # 2026-11-22T01:00:50Z
CLASS = "9VPPaFpgSJKp0l34XkNA3Q"
ISSUER = "G6VAc0nPQ1K2fXGy7bZr4w"
OTHER_CLASS = "0therC1assOfAnIssuer00"
SEEDS = (
    SeedBadgeClass(CLASS, "First steps", ISSUER),
    SeedBadgeClass("PngBadge1a2b3c4d5e6f70", "PNG badge", ISSUER),
    SeedBadgeClass("PngBadge2a2b3c4d5e6f70", "PNG badge", ISSUER),
    SeedBadgeClass(OTHER_CLASS, "Elsewhere", "0therIssuer12345678900"),
)


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class InProcess(httpx.BaseTransport):
    """Calls the application on an event loop of its own, without a socket."""

    def __init__(self, app: Starlette) -> None:
        self._runner = asyncio.Runner()
        self._inner = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._runner.run(self._answer(request))

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())

    def close(self) -> None:
        self._runner.close()


@dataclass
class Tried:
    """A sandbox, its clock, and a client that is signed in by a ready-made token."""

    app: Starlette
    clock: Clock
    client: httpx.Client
    badgeclass: str = CLASS
    issuer: str = ISSUER
    other_class: str = OTHER_CLASS
    tokens: dict[str, str] = field(default_factory=lambda: {"me": "token-of-me", "you": "token-of-you"})

    @property
    def sandbox(self) -> Sandbox:
        state: Sandbox = self.app.state.sandbox
        return state

    def call(self, method: str, path: str, account: str | None = "me", **more: Any) -> httpx.Response:
        headers = {"Accept": "application/json", **more.pop("headers", {})}
        if account is not None:
            headers.setdefault("Authorization", f"Bearer {self.tokens[account]}")
        return self.client.request(method, path, headers=headers, **more)

    def result(self, method: str, path: str, account: str | None = "me", **more: Any) -> list[dict[str, Any]]:
        response = self.call(method, path, account, **more)
        assert response.is_success, response.text
        found: list[dict[str, Any]] = response.json()["result"]
        return found

    def award(self, identity: str, badgeclass: str = CLASS, **more: Any) -> dict[str, Any]:
        body = {"recipient": {"identity": identity}, **more}
        return self.result("POST", f"/v2/badgeclasses/{badgeclass}/assertions", json=body)[0]

    def awards(self, path: str = "", account: str = "me", **query: Any) -> list[str]:
        """Return whom the class was awarded to, as its list has it."""
        rows = self.result("GET", path or f"/v2/badgeclasses/{CLASS}/assertions", account, params=query)
        return [row["recipient"]["plaintextIdentity"] for row in rows]

    def sign_in(self, **form: str) -> httpx.Response:
        return self.client.post("/o/token", data=form)


class Sandboxes:
    """Makes sandboxes with the seeds of the fixtures, without a gap and without a limit unless told."""

    @contextmanager
    def __call__(self, clock: Clock | None = None, **options: Any) -> Iterator[Tried]:
        clock = clock or Clock()
        told: dict[str, Any] = {
            "rate_limit": None,
            "gap": 0,
            "badgeclasses": SEEDS,
            "tokens": {"token-of-me": "me", "token-of-you": "you"},
            **options,
        }
        app = create_app(SandboxOptions(**told), clock)
        transport = InProcess(app)
        try:
            with httpx.Client(transport=transport, base_url="http://127.0.0.1:8800") as client:
                yield Tried(app, clock, client)
        finally:
            app.state.sandbox.store.close()


@pytest.fixture
def sandboxes() -> Sandboxes:
    return Sandboxes()


@pytest.fixture
def tried(sandboxes: Sandboxes) -> Iterator[Tried]:
    with sandboxes() as one:
        yield one
