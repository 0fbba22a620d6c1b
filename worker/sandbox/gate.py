"""What every call passes before anything else: its time of arrival, the rate limit, faults, the log."""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
from typing import TYPE_CHECKING, Any

import structlog
from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response

from worker.sandbox.answers import broken_page, throttled
from worker.sandbox.bodies import parse_form
from worker.sandbox.call import Visit, content_kind, render
from worker.sandbox.credly import access as credly
from worker.sandbox.credly.answers import throttled as throttled_by_credly
from worker.sandbox.faults import CREDLY_PATH, SIGN_IN_PATH
from worker.sandbox.people import Bearer

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from worker.sandbox.faults import Fate
    from worker.sandbox.state import Sandbox

log = structlog.get_logger(__name__)

CUT = "sandbox.cut"  # the server's way to cut a connection, among the ASGI extensions
_UNCOUNTED = ("/sandbox/", "/health")


class ConnectionCut(ConnectionResetError):
    """The connection is dropped without an answer: what an in-process client sees of it."""


class Gate:
    """An ASGI application around the views."""

    def __init__(self, app: ASGIApp, sandbox: Sandbox) -> None:
        self._app = app
        self._sandbox = sandbox

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one call in, or not."""
        arrived = self._sandbox.clock()
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"].startswith(_UNCOUNTED):
            visit = Visit(body=await _read(receive) or b"")
            await self._app({**scope, "sandbox.visit": visit}, receive, send)
            return
        await self._admit(arrived, scope, receive, send)

    async def _admit(self, arrived: float, scope: Scope, receive: Receive, send: Send) -> None:
        sandbox = self._sandbox
        number = sandbox.calls.arrived(arrived, scope["method"], scope["path"])
        status: int | None = None
        try:
            body = await _read(receive)
            if body is not None:
                status = await self._serve(number, arrived, body, scope, receive, send)
        finally:
            sandbox.calls.answered(number, status, sandbox.clock() - arrived)

    async def _serve(
        self, number: int, arrived: float, body: bytes, scope: Scope, receive: Receive, send: Send
    ) -> int | None:
        sandbox, headers = self._sandbox, Headers(scope=scope)
        bearer = self._bearer(scope["path"], headers, arrived)
        account = bearer.account if bearer else self._signing_in(scope["path"], headers, body)
        wait = None if account is None else sandbox.window.arrive(account, arrived)
        sandbox.calls.admitted(number, account, counted=account is not None and wait is None)
        if wait is not None:
            return await _send(_throttled(wait, scope), scope, receive, send)
        fate = sandbox.faults.befall(scope["method"], scope["path"], account)
        if account is not None and fate.has("expire_tokens"):
            sandbox.people.expire(account)
            bearer = None
        visit = Visit(bearer, body, fate)
        return await self._suffer(visit, {**scope, "sandbox.visit": visit}, receive, send)

    async def _suffer(self, visit: Visit, scope: Scope, receive: Receive, send: Send) -> int | None:
        """Let the faults happen around the work; return the status answered, None for a cut connection."""
        fate = visit.fate
        await asyncio.sleep(fate.delays.get("before", 0))
        if fate.has("drop_before"):
            await _cut(scope, receive)
            return None
        early = _early(fate, scope)
        if early is not None:
            return await _send(early, scope, receive, send)
        messages: list[Message] = []
        await self._app(scope, receive, _into(messages))
        await asyncio.sleep(fate.delays.get("after", 0))
        if fate.has("drop_after"):
            await _cut(scope, receive)
            return None
        late = fate.has("error_after")
        if late is not None:
            return await _send(broken_page(late.status), scope, receive, send)
        for message in messages:
            await send(message)
        return int(messages[0]["status"])

    def _bearer(self, path: str, headers: Headers, arrived: float) -> Bearer | None:
        """Return who calls: by a token of a sign-in, or at Credly by the authorization token itself."""
        authorization = headers.get("authorization")
        if not path.startswith(CREDLY_PATH):
            return self._sandbox.people.bearer(authorization, arrived)
        account = credly.account_of(authorization, self._sandbox.options)
        return None if account is None else Bearer(account, account, frozenset(), None)

    def _signing_in(self, path: str, headers: Headers, body: bytes) -> str | None:
        """Return whose sign-in this is: it counts in that connection's rate limit."""
        if path != SIGN_IN_PATH:
            return None
        form = parse_form(body)
        if form.get("grant_type") == "refresh_token":
            return self._sandbox.people.owner_of(form.get("refresh_token", ""))
        if form.get("grant_type") == "client_credentials":
            return (basic_credentials(headers.get("authorization")) or (form.get("client_id"), ""))[0] or None
        return form.get("username") or None


def basic_credentials(authorization: str | None) -> tuple[str, str] | None:
    """Read an Authorization header of the Basic kind."""
    kind, _, coded = (authorization or "").partition(" ")
    if kind.lower() != "basic":
        return None
    try:
        name, _, secret = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return name, secret


def _throttled(wait: int | None, scope: Scope) -> Response:
    if scope["path"].startswith(CREDLY_PATH):
        return throttled_by_credly(wait)
    kind = content_kind(Headers(scope=scope).get("accept"), strict=False)
    return render(throttled(wait).answer(), kind)


def _early(fate: Fate, scope: Scope) -> Response | None:
    """Return what is answered instead of doing the work, if a fault says so."""
    rule = fate.has("error_before")
    if rule is not None:
        return broken_page(rule.status)
    rule = fate.has("throttle")
    if rule is not None:
        wait = None if rule.seconds is None else math.ceil(fate.delays["throttle"])
        return _throttled(wait, scope)
    if fate.has("maintenance"):
        return RedirectResponse("/maintenance", 302)
    return None


def _into(messages: list[Message]) -> Send:
    async def keep(message: Any) -> None:
        messages.append(message)

    return keep


async def _read(receive: Receive) -> bytes | None:
    """Read the whole body; None if the client left before its end."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def _send(response: Response, scope: Scope, receive: Receive, send: Send) -> int:
    await response(scope, receive, send)
    return response.status_code


async def _cut(scope: Scope, receive: Receive) -> None:
    """Cut the connection without an answer."""
    cut = scope.get("extensions", {}).get(CUT)
    if cut is None:
        raise ConnectionCut
    log.info("sandbox.connection_cut")
    cut()
    while (await receive())["type"] != "http.disconnect":
        pass
