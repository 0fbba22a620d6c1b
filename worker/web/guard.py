"""What holds for every request: how big and how slow it may be, headers that protect, one line in the log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import anyio
import structlog
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker import measuring
from worker.web.answers import for_path, refusal

log = structlog.get_logger(__name__)

LARGEST_BODY = 256 * 1024  # bytes, where a door does not set a limit of its own
SLOWEST_BODY = 30.0  # seconds to send a whole request

# A page that needs more says so itself; nothing ever comes from another host but badges' pictures.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data: https:; style-src 'self' 'unsafe-inline'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Middleware around the whole application; `limits` are the doors that take bigger bodies, by path."""

    def __init__(self, app: ASGIApp, limits: dict[str, int], doors: Callable[[str], str]) -> None:
        self._app = app
        self._limits = limits
        self._doors = doors

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, answered = time.perf_counter(), _Answered(send)
        try:
            await self._answer(scope, receive, answered)
        except ClientDisconnect:
            answered.status = _GONE
        except Exception as error:  # whatever it was, the caller is answered and we are told
            log.exception("request.failed", door=self._doors(scope["path"]), error=type(error).__name__)
            if not answered.status:
                await _refused(scope, HTTPStatus.INTERNAL_SERVER_ERROR, "this is our mistake; it was noted")(
                    scope, receive, answered
                )
        # Neither the whole path nor the query: people and tokens may stand there.
        method = scope["method"] if scope["method"] in _METHODS else "other"
        door, seconds = self._doors(scope["path"]), time.perf_counter() - begun
        measuring.request_answered(method, door, answered.status, seconds)
        say = log.debug if door in _PROBES else log.info
        say(
            "request.answered",
            method=method,
            door=door,
            status=answered.status,
            ms=round(seconds * 1000, 1),
        )

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        largest = self._limits.get(scope["path"], LARGEST_BODY)
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared[:20]) > largest:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            await _refused(scope, status, _too_large(largest), {"Connection": "close"})(scope, receive, send)
            return
        await self._app(scope, _Bounded(receive, largest), send)


_GONE = 499  # as other servers note who did not wait for the answer
_PROBES = {"/healthz", "/readyz", "/metrics"}  # come every few seconds
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _refused(
    scope: Scope, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None
) -> ASGIApp:
    return refusal(status, message, headers, **for_path(scope["path"], status))


def _too_large(largest: int) -> str:
    return f"at most {largest} bytes, please"


class _Answered:
    """Adds our headers to the answer, where it does not say something else itself, and notes its status."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


class _Bounded:
    """Passes a body on until it is too big or too slow."""

    def __init__(self, receive: Receive, largest: int) -> None:
        self._receive = receive
        self._largest = largest
        self._taken = 0
        self._ends = anyio.current_time() + SLOWEST_BODY
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:  # what comes now is the end of the connection, at any time
            return await self._receive()
        try:
            with anyio.fail_after(max(self._ends - anyio.current_time(), 0)):
                message: dict[str, Any] = dict(await self._receive())
        except TimeoutError:
            raise HTTPException(HTTPStatus.REQUEST_TIMEOUT, "the request took too long to arrive") from None
        self._taken += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._taken > self._largest:
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _too_large(self._largest))
        return message
