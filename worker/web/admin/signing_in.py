"""Signing in with a token of role `admin`, and out again."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import structlog
from starlette.responses import RedirectResponse, Response

from worker.web.access import Role
from worker.web.admin.desk import HEADERS, Desk, Visit, address, page
from worker.web.admin.forms import is_from_here, read_form

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

log = structlog.get_logger(__name__)

_WRONG = "That is no token that may sign in here."


def sign_in_form(desk: Desk) -> Callable[[Request], Awaitable[Response]]:
    """Return the page that asks for a token; whoever is signed in already goes on."""

    async def endpoint(request: Request) -> Response:
        if desk.sessions.of(request) is not None:
            return RedirectResponse(address(request), HTTPStatus.SEE_OTHER, HEADERS)
        return page(request, "sign_in.html", wrong=None)

    return endpoint


def sign_in(desk: Desk) -> Callable[[Request], Awaitable[Response]]:
    """Return what looks at the token: not for whoever has brought too many wrong ones of late."""

    async def endpoint(request: Request) -> Response:
        peer, forwarded = _origin(request)
        if wait := desk.attempts.wait(peer, forwarded):
            words = f"Too many wrong tokens from where you are. Please wait {wait} seconds."
            response = page(request, "sign_in.html", HTTPStatus.TOO_MANY_REQUESTS, wrong=words)
            response.headers["Retry-After"] = str(wait)
            return response
        token = (await read_form(request)).get("token", [""])[0].strip()
        caller = desk.access.caller(f"Bearer {token}") if is_from_here(request) else None
        if caller is None or not caller.may(Role.ADMIN):
            desk.attempts.note(peer, forwarded)
            log.warning("admin.sign_in_refused", peer=peer)
            return page(request, "sign_in.html", HTTPStatus.FORBIDDEN, wrong=_WRONG)
        log.info("admin.signed_in", actor=caller.name)
        response = RedirectResponse(address(request), HTTPStatus.SEE_OTHER, HEADERS)
        desk.sessions.start(request, response, caller.name)
        return response

    return endpoint


def sign_out(visit: Visit) -> Response:
    """End the session in this browser."""
    response = RedirectResponse(address(visit.request, "sign-in"), HTTPStatus.SEE_OTHER, HEADERS)
    visit.desk.sessions.end(visit.request, response)
    log.info("admin.signed_out", actor=visit.session.name)
    return response


def _origin(request: Request) -> tuple[str, str]:
    """Return who connected to us, and for whom if that is a proxy: it writes the last address itself."""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return request.client.host if request.client else "", forwarded[:64]
