"""`POST /events`: CloudEvents over HTTP, answered 202 once they are on the queue (contract.md section 5)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from http import HTTPStatus

import anyio.to_thread
import structlog
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from worker.bootstrap import Services, utc_now
from worker.errors import QueueUnavailable
from worker.events import LARGEST_EVENT
from worker.intake import Checked, Intake, check
from worker.web.access import Access, Caller, Role
from worker.web.answers import refusal, refusals, unauthenticated, unavailable
from worker.web.cloudevents import BadRequest, check_media_type, documents
from worker.web.rate import CallerRate, whole_seconds

log = structlog.get_logger(__name__)

PATH = "/events"
LARGEST_BODY = 16 * 1024 * 1024  # bytes of one request; a thousand events of the usual size are half of one
_AT_ONCE, _WINDOW = 6000, 60.0  # requests of one caller that may come together, and in how many seconds again
_SMALL = 16 * 1024  # bytes of a request that is checked at once, without a thread
_MOST_FIELDS = 10  # that are named in one line of the log
_PATIENCE = 20.0  # seconds to wait for the queue
_NOT_SURE = (
    "the event queue cannot be reached; some of it may be there: please send all of it again, "
    "events may come twice"
)
_MOST_UNDER_WAY = 256 * 1024 * 1024  # bytes of bodies that are being read or looked at, of all callers


def routes(services: Services) -> list[BaseRoute]:
    """Return the door for events."""
    return [Route(PATH, _Door(services).answer, methods=["POST"])]


class _Door:
    def __init__(self, services: Services) -> None:
        self._access = Access(services.settings)
        self._intake = services.intake
        self._rate = CallerRate(_AT_ONCE, _WINDOW)
        self._under_way = 0

    async def answer(self, request: Request) -> Response:
        """Let in who may, and look at what they bring."""
        caller = await self._access.caller_soon(request.headers.get("authorization"))
        if caller is None:
            return unauthenticated()
        if not caller.may(Role.PUBLISH):
            return refusal(HTTPStatus.FORBIDDEN, "this token does not have the role publish")
        if wait := self._rate.take(caller.name):
            message = f"at most {_AT_ONCE} requests in {_WINDOW:.0f} s, please"
            return refusal(HTTPStatus.TOO_MANY_REQUESTS, message, {"Retry-After": whole_seconds(wait)})
        return await self._take_in(request, caller)

    async def _take_in(self, request: Request, caller: Caller) -> Response:
        try:
            check_media_type(request.headers)
            async with self._body(request) as body:
                bodies, checked = await _looked_at(request.headers, body)
        except _Crowded:
            log.warning("intake.crowded", caller=caller.name)
            return unavailable("too much is being sent just now; none of this was taken")
        except BadRequest as error:
            log.warning("intake.refused", caller=caller.name, status=error.status.value, field=error.field)
            return refusal(error.status, str(error), field=error.field)
        if checked.wrong:
            fields = sorted({wrong.field for wrong in checked.wrong})[:_MOST_FIELDS]
            log.warning("intake.refused", caller=caller.name, status=400, fields=fields)
            return refusals(HTTPStatus.BAD_REQUEST, [asdict(wrong) for wrong in checked.wrong])
        return await put_on_queue(self._intake, bodies, checked.unknown)

    @asynccontextmanager
    async def _body(self, request: Request) -> AsyncIterator[bytes]:
        """Read a body, which counts as long as it is looked at; raises _Crowded."""
        body = bytearray()
        try:
            async for chunk in request.stream():
                if self._under_way + len(chunk) > _MOST_UNDER_WAY:
                    raise _Crowded
                self._under_way += len(chunk)
                body += chunk
            yield bytes(body)
        finally:
            self._under_way -= len(body)


class _Crowded(Exception):
    """Bodies under way have no room for more."""


async def put_on_queue(intake: Intake, bodies: Sequence[bytes], unknown: Sequence[str]) -> Response:
    """Answer 202 once these events are durably on the queue, or 503."""
    try:
        await asyncio.wait_for(asyncio.wrap_future(intake.put(bodies)), _PATIENCE)
    except (QueueUnavailable, TimeoutError):
        return unavailable(_NOT_SURE)
    accepted = {"accepted": len(bodies), "unknown_types": list(unknown)}
    return JSONResponse(accepted, HTTPStatus.ACCEPTED)


async def _looked_at(headers: Headers, body: bytes) -> tuple[list[bytes], Checked]:
    """Return the events of a request and what is wrong with them; big ones are looked at in a thread."""

    def look() -> tuple[list[bytes], Checked]:
        bodies = documents(headers, body)
        if len(bodies) == 1 and len(bodies[0]) > LARGEST_EVENT:
            message = f"an event has at most {LARGEST_EVENT} bytes"
            raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        return bodies, check(bodies, utc_now())

    return look() if len(body) <= _SMALL else await anyio.to_thread.run_sync(look)
