"""What stands at which path of the Credly side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.routing import Route

from worker.sandbox.answers import Answer, unknown_page
from worker.sandbox.call import Call
from worker.sandbox.call import Endpoint as PublicEndpoint
from worker.sandbox.credly import badges, templates
from worker.sandbox.credly.endpoint import Endpoint, View
from worker.sandbox.credly.shapes import moment

if TYPE_CHECKING:
    from starlette.responses import Response

    from worker.sandbox.state import Sandbox

_PATHS: list[tuple[str, dict[str, View]]] = [
    ("badge_templates", {"GET": templates.list_all}),
    ("badge_templates/{id}", {"GET": templates.get}),
    ("badges", {"GET": badges.list_all, "POST": badges.issue}),
    ("badges/{id}", {"GET": badges.get, "DELETE": badges.delete}),
    ("badges/{id}/revoke", {"PUT": badges.revoke}),
]


def routes(sandbox: Sandbox) -> list[Route]:
    """Return every route of the Credly side, and the page that shows a badge."""
    page = PublicEndpoint(sandbox, {"GET": _page}, public=True)
    return [
        *(
            Route(f"/v1/organizations/{{organization}}/{path}", Endpoint(sandbox, methods))
            for path, methods in _PATHS
        ),
        Route("/badges/{id}", page),
        Route("/badges/{id}/accept", page),
    ]


def _page(call: Call) -> Answer | Response:
    """Show a badge to everybody: not whose it is."""
    row = call.sandbox.shelf.public(call.path("id"))
    if row is None:
        return unknown_page()
    shown = {"id": row["entity_id"], "badge_template_id": row["template"], "state": row["state"]}
    return Answer(shown | {"issued_at": moment(row["issued_at"]), "expires_at": moment(row["expires_at"])})
