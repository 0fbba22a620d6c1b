"""The admin page's addresses, and what answers at each."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from worker.web.admin import awards, badges, issuers, letters, overview, progress
from worker.web.admin.desk import Desk, acting, looking, page
from worker.web.admin.rendering import HERE
from worker.web.admin.signing_in import sign_in, sign_in_form, sign_out

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from worker.bootstrap import Services

PATH = "/admin"


def mount(app: Starlette, services: Services) -> None:
    """Put the admin page below `/admin`; raises ConfigurationError without SECRET_KEY. Nothing connects."""
    app.add_route(PATH, _to_its_root, methods=["GET"], include_in_schema=False)
    app.mount(PATH, admin(services), name="admin")


def admin(services: Services) -> Starlette:
    """Return the admin page as an application of its own."""
    desk = Desk(services)
    looks = {
        "/": overview.show,
        "/awards": awards.show_all,
        "/award": awards.show,
        "/letters": letters.show_all,
        "/letter": letters.show,
        "/badges": badges.show_all,
        "/badge": badges.show,
        "/progress": progress.show,
        "/issuers": issuers.show,
    }
    acts = {
        "/awards/retry": awards.retry_all,
        "/award/retry": awards.retry,
        "/award/revoke": awards.revoke,
        "/letters/replay": letters.replay,
        "/letters/discard": letters.discard,
        "/sign-out": sign_out,
    }
    app = Starlette(
        routes=[
            Route("/sign-in", sign_in_form(desk), methods=["GET"]),
            Route("/sign-in", sign_in(desk), methods=["POST"]),
            *(Route(path, looking(desk, view), methods=["GET"]) for path, view in looks.items()),
            *(Route(path, acting(desk, view), methods=["POST"]) for path, view in acts.items()),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        exception_handlers={HTTPException: _refused},
    )
    app.router.redirect_slashes = False  # its redirects name a scheme, which a proxy with TLS does not share
    return app


async def _to_its_root(request: Request) -> Response:
    """Send the browser on to the first page, by an address without scheme and host."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}{PATH}/", HTTPStatus.TEMPORARY_REDIRECT)


async def _refused(request: Request, error: Exception) -> Response:
    """Answer what is not there, or not allowed, in the page's own shape."""
    if not isinstance(error, HTTPException):
        raise error
    return page(request, "error.html", error.status_code, code=error.status_code, words=error.detail)
