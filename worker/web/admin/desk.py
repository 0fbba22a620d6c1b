"""What every page of the admin page stands on: who looks, what is asked for, how it is answered."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import structlog
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from worker.adapters.celery_app import check_broker
from worker.adapters.database.looking import Looking
from worker.errors import BadgeWorkerError, ConfigurationError, PermanentError
from worker.web.access import Access
from worker.web.admin.attempts import Attempts
from worker.web.admin.forms import Form, is_from_here, read_form
from worker.web.admin.rendering import render
from worker.web.admin.sessions import Session, Sessions
from worker.web.rate import CallerRate, whole_seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from worker.adapters.database.store import Database
    from worker.bootstrap import Services

log = structlog.get_logger(__name__)

AT_ONCE, WINDOW = 600, 60.0  # pages of one person that may come together, and in how many seconds again

# Nothing but our own style sheet, our own forms and what stands in the page itself: no script at all.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # none at all would make a form's own Origin header `null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Desk:
    """What all pages share. Raises ConfigurationError without SECRET_KEY."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.sessions = Sessions(services.settings)
        # Listed tokens alone: a signed one could end before its session does.
        listed = {"api_jwks_url": None, "api_jwt_issuer": None, "api_jwt_audience": None}
        self.access = Access(services.settings.model_copy(update=listed))
        self.attempts = Attempts()
        self.rate = CallerRate(AT_ONCE, WINDOW)

    @cached_property
    def look(self) -> Looking:
        """Return what answers whoever leafs through."""
        return Looking(self.services.database.engine)

    def nudge(self) -> None:
        """Let the dispatcher run at once, where a task broker is set up. Beat lets it run anyway."""
        try:
            check_broker(self.services.settings.required("broker_url"))
        except ConfigurationError as error:
            log.warning("admin.not_nudged", reason=str(error))
        else:
            self.services.dispatch.nudge()


@dataclass(frozen=True, slots=True)
class Visit:
    """One request of somebody who is signed in."""

    request: Request
    desk: Desk
    session: Session
    form: Form = field(default_factory=dict)

    @property
    def database(self) -> Database:
        """Return the database."""
        return self.desk.services.database

    @property
    def look(self) -> Looking:
        """Return what answers whoever leafs through."""
        return self.desk.look

    def asked(self, name: str) -> str | None:
        """Return what stands in the address under this name; None if nothing does."""
        return self.request.query_params.get(name, "").strip() or None

    def sent(self, name: str) -> str:
        """Return a field of the form; raises HTTPException where there must be one."""
        if not (values := self.form.get(name)):
            raise HTTPException(HTTPStatus.BAD_REQUEST, f"The form lacks {name}.")
        return values[0]

    def page(self, template: str, **facts: Any) -> Response:
        """Return a page, with what the last one had to say."""
        sessions = self.desk.sessions
        note = sessions.take_note(self.request)
        facts |= {"session": self.session, "word": sessions.word(self.session), "note": note}
        response = page(self.request, template, **facts)
        if note is not None:
            sessions.drop_note(self.request, response)
        return response

    def go(self, path: str, note: str, **query: str | None) -> Response:
        """Send the browser on to a page that begins with a note."""
        response = RedirectResponse(address(self.request, path, **query), HTTPStatus.SEE_OTHER, HEADERS)
        self.desk.sessions.leave_note(self.request, response, note)
        return response


def page(request: Request, template: str, status: int = HTTPStatus.OK, **facts: Any) -> Response:
    """Return a page as it is, for whoever asks."""

    def here(path: str = "", **query: str | None) -> str:
        return address(request, path, **query)

    text = render(template, {"here": here, "session": None, "note": None, "path": _path(request), **facts})
    return Response(text, status, HEADERS, "text/html")


def address(request: Request, path: str = "", **query: str | None) -> str:
    """Return the address of one of our pages, below wherever we are mounted."""
    given = urlencode({name: value for name, value in query.items() if value})
    return f"{request.scope.get('root_path', '')}/{path}{'?' if given else ''}{given}"


def _path(request: Request) -> str:
    return str(request.scope["path"]).removeprefix(request.scope.get("root_path", "")).strip("/")


def looking(desk: Desk, view: Callable[[Visit], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint for a page that only shows; whoever is not signed in is sent there first."""

    async def endpoint(request: Request) -> Response:
        session = desk.sessions.of(request)
        if session is None:
            return RedirectResponse(address(request, "sign-in"), HTTPStatus.SEE_OTHER, HEADERS)
        return _too_often(desk, request, session) or await _answer(view, Visit(request, desk, session))

    return endpoint


def acting(desk: Desk, view: Callable[[Visit], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Return an endpoint for what changes something: only by a form that we gave to this very session."""

    async def endpoint(request: Request) -> Response:
        session = desk.sessions.of(request)
        if session is None:
            return RedirectResponse(address(request, "sign-in"), HTTPStatus.SEE_OTHER, HEADERS)
        if (response := _too_often(desk, request, session)) is not None:
            return response
        form = await read_form(request)
        presented = form.get("word", [""])[0]
        if not is_from_here(request) or not desk.sessions.is_ours(session, presented):
            raise HTTPException(
                HTTPStatus.FORBIDDEN, "That form is not from this page, or too old. Nothing was done."
            )
        return await _answer(view, replace(Visit(request, desk, session), form=form))

    return endpoint


def _too_often(desk: Desk, request: Request, session: Session) -> Response | None:
    """Return the answer for whoever comes too often: pages make the database work."""
    wait = desk.rate.take(session.name)
    if not wait:
        return None
    words = f"At most {AT_ONCE} pages in {WINDOW:.0f} s, please. Nothing was done."
    status = HTTPStatus.TOO_MANY_REQUESTS
    response = page(request, "error.html", status, code=status.value, words=words)
    response.headers["Retry-After"] = whole_seconds(wait)
    return response


async def _answer(view: Callable[[Visit], Response], visit: Visit) -> Response:
    """Let a view work in a thread, since it waits for the database; say what went wrong, if anything."""
    try:
        return await run_in_threadpool(view, visit)
    except BadgeWorkerError as error:
        status = (
            HTTPStatus.BAD_REQUEST if isinstance(error, PermanentError) else HTTPStatus.SERVICE_UNAVAILABLE
        )
        log.warning("admin.failed", error=type(error).__name__, reason=str(error))
        return visit.page("error.html", status=status, code=status.value, words=str(error))
    except HTTPException as error:
        return visit.page("error.html", status=error.status_code, code=error.status_code, words=error.detail)
