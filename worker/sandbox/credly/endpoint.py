"""What stands at one path of the Credly side, and the organization that each path begins with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from starlette.requests import Request
from starlette.responses import Response

from worker.sandbox.answers import broken_page
from worker.sandbox.call import Call
from worker.sandbox.credly.answers import Problem, invalid, not_found, unauthorized

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from worker.sandbox.state import Sandbox

log = structlog.get_logger(__name__)

View = Callable[[Call], Response]


@dataclass(frozen=True)
class Endpoint:
    """A view for each method."""

    sandbox: Sandbox
    methods: Mapping[str, View]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        call = Call(self.sandbox, Request(scope, receive), scope["sandbox.visit"])
        try:
            answer = self._answer(call)
        except Problem as problem:
            answer = problem.answer()
        except Exception:
            log.exception("sandbox.broke", path=scope["path"])
            answer = broken_page()
        await answer(scope, receive, send)

    def _answer(self, call: Call) -> Response:
        if call.visit.bearer is None or call.visit.fate.has("refuse_sign_in"):
            raise unauthorized()
        view = self.methods.get(call.request.method)
        if view is None:
            raise Problem(405, "Method not allowed.", headers={"Allow": ", ".join(self.methods)})
        if not call.sandbox.shelf.knows(call.path("organization")):
            raise not_found()
        return view(call)


def body_of(call: Call) -> dict[str, Any]:
    """Return the JSON object that was sent; raises Problem."""
    try:
        body = json.loads(call.visit.body)
    except ValueError:
        raise Problem(400, "The request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise invalid("The request body is not an object.")
    return body
