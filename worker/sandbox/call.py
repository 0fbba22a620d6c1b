"""One call as the views see it, and the endpoint that leads to them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import structlog
from starlette.requests import Request
from starlette.responses import Response

from worker.sandbox.answers import (
    Answer,
    ApiError,
    ServerBroke,
    broken_page,
    miscellaneous,
    not_found,
    unauthenticated,
)
from worker.sandbox.bodies import parse_body
from worker.sandbox.faults import Fate

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from worker.sandbox.people import Bearer
    from worker.sandbox.state import Sandbox

log = structlog.get_logger(__name__)

_KINDS = ("application/ld+json", "application/json")


@dataclass(slots=True)
class Visit:
    """What the gate found out about a call before the views see it."""

    bearer: Bearer | None = None
    body: bytes = b""
    fate: Fate = field(default_factory=Fate)


class Call:
    """A request together with the sandbox that answers it."""

    def __init__(self, sandbox: Sandbox, request: Request, visit: Visit) -> None:
        self.sandbox = sandbox
        self.request = request
        self.visit = visit
        self.now = sandbox.clock()

    @property
    def who(self) -> Bearer:
        """Who calls; raises the 401 if nobody is known."""
        if self.visit.bearer is None:
            raise unauthenticated()
        return self.visit.bearer

    @cached_property
    def data(self) -> Any:
        """The body as plain values; raises ApiError."""
        return parse_body(self.request.headers.get("content-type", ""), self.visit.body)

    @property
    def base(self) -> str:
        """The URL that everything the sandbox shows begins with."""
        return self.sandbox.options.public_url or str(self.request.base_url).rstrip("/")

    def path(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def flag(self, name: str) -> bool:
        """Say whether a query parameter is on."""
        return self.request.query_params.get(name, "").lower() in {"1", "true"}


View = Callable[[Call], "Answer | Response | Awaitable[Answer | Response]"]


def render(answer: Answer, kind: str) -> Response:
    """Write an answer down and label it with this content type."""
    body = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, answer.status, answer.headers, media_type=kind)


def content_kind(accept: str | None, *, strict: bool = True) -> str:
    """Choose the content type; raises the 406 if `strict`.

    Whoever asks for nothing in particular gets JSON-LD (facts/badgr-api.md section 1, point 10).
    """
    wanted = [part.partition(";")[0].strip().lower() for part in (accept or "*/*").split(",")]
    for kind in wanted:
        if kind in _KINDS:
            return kind
    if not strict or {"*/*", "application/*"} & set(wanted):
        return _KINDS[0]
    raise miscellaneous(406, "Could not satisfy the request Accept header.")


@dataclass(frozen=True)
class Endpoint:
    """What stands at one path: a view for each method, and the scopes that the service really enforces."""

    sandbox: Sandbox
    methods: Mapping[str, View]
    scopes: tuple[str, ...] = ()
    public: bool = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        kind = _KINDS[0]
        try:
            kind = content_kind(request.headers.get("accept"), strict=not self.public)
            answer = await self._answer(Call(self.sandbox, request, scope["sandbox.visit"]))
        except ApiError as error:
            answer = error.answer()
        except ServerBroke:
            answer = broken_page()
        except Exception:
            log.exception("sandbox.broke", path=scope["path"])
            answer = broken_page()
        response = render(answer, kind) if isinstance(answer, Answer) else answer
        await response(scope, receive, send)

    async def _answer(self, call: Call) -> Answer | Response:
        if not self.public and not call.who.may(*self.scopes):
            raise not_found()
        method = call.request.method
        view = self.methods.get("GET" if method == "HEAD" else method)
        if view is None:
            words = f'Method "{method}" not allowed.'
            raise miscellaneous(405, words, {"Allow": ", ".join(self.methods)})
        answer = view(call)
        return await answer if inspect.isawaitable(answer) else answer
