"""A sandbox that shows what arrived at it, bodies included, which the sandbox itself keeps from its log."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import parse_qsl

from worker.sandbox import SandboxOptions, create_app, running, server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Arrived:
    """One request as it arrived: `path` still encoded, `body` read as JSON (None: there was none)."""

    method: str
    path: str
    query: list[tuple[str, str]]
    body: Any
    headers: dict[str, str]


class Recorder:
    """Passes every request on and keeps what it was."""

    def __init__(self, app: ASGIApp, arrived: list[Arrived]) -> None:
        self._app = app
        self._arrived = arrived

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = bytearray()

        async def listen() -> Message:
            message = await receive()
            if message["type"] == "http.request":
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    self._arrived.append(_read(scope, bytes(body)))
            return message

        await self._app(scope, listen, send)


def _read(scope: Scope, body: bytes) -> Arrived:
    headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
    is_json = headers.get("content-type") == "application/json"
    return Arrived(
        scope["method"],
        scope["raw_path"].decode(),
        parse_qsl(scope["query_string"].decode(), keep_blank_values=True),
        json.loads(body) if is_json else body.decode() or None,
        headers,
    )


@contextmanager
def recording(options: SandboxOptions) -> Iterator[tuple[str, list[Arrived]]]:
    """Run a sandbox as long as the block lasts; gives its URL and what arrives at it."""
    arrived: list[Arrived] = []

    def watched(told: SandboxOptions) -> ASGIApp:
        return Recorder(create_app(told), arrived)

    with mock.patch.object(server, "create_app", watched), running(options) as url:
        yield url, arrived
