"""`POST /graphql`: who asks, what is asked, and the answer (contract.md section 5)."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import structlog
from anyio import CapacityLimiter, Semaphore, fail_after, to_thread
from graphql import ArgumentNode, GraphQLError, GraphQLSyntaxError, ValueNode, VariableDefinitionNode
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from strawberry.schema.exceptions import CannotGetOperationTypeError
from strawberry.types import ExecutionResult

from worker.browsing import NotAllowed
from worker.errors import TransientError
from worker.web.access import Access, Role
from worker.web.graphql import types
from worker.web.graphql.reading import Opening
from worker.web.graphql.schema import FORBIDDEN, BadgeSchema, is_internal, is_unreadable
from worker.web.rate import CallerRate, whole_seconds

log = structlog.get_logger(__name__)

LARGEST = 64 * 1024  # bytes of one request
USER_CONTEXT = "Opigno-Client-UUID"
AT_ONCE, WINDOW = 60_000, 60.0  # requests of one token that may come together, and in how many seconds again
_JSON = "application/json"
_AGAIN = "5"  # seconds until it may be worth asking again
_WORKED_ON = 8  # requests at once: more would only wait for each other, and keep connections
_PATIENCE = 3.0  # seconds to wait for those before
_SOON = 2.0  # seconds: what failed later than that is not tried again


class Refusal(Exception):
    """The request goes no further."""

    def __init__(self, status: HTTPStatus, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.answer = JSONResponse(
            {"errors": [{"message": message, "extensions": {"code": code}}]}, status, headers
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """One GraphQL request."""

    query: str
    variables: dict[str, Any] | None
    operation: str | None


class Endpoint:
    """Answers queries for whoever `access` lets in."""

    def __init__(self, schema: BadgeSchema, access: Access, begin: Opening) -> None:
        self._schema = schema
        self._access = access
        self._begin = begin
        self._rate = CallerRate(AT_ONCE, WINDOW)
        self._places = Semaphore(_WORKED_ON)
        self._threads = CapacityLimiter(_WORKED_ON)  # none that other doors need

    async def __call__(self, request: Request) -> Response:
        """Answer one request."""
        try:
            await self._let_in(request.headers)
            uuid = request.headers.get(USER_CONTEXT, "").strip()
            if not uuid:
                raise _forbidden(f"the header {USER_CONTEXT} is missing")
            asked = _asked(request.headers, await _body(request))
            return await self._in_turn(uuid, asked)
        except Refusal as refusal:
            return refusal.answer

    async def _in_turn(self, uuid: str, asked: Asked) -> Response:
        try:
            with fail_after(_PATIENCE):
                await self._places.acquire()
        except TimeoutError as error:
            raise _unavailable("too many ask at once") from error
        try:
            return await to_thread.run_sync(self._answer, uuid, asked, limiter=self._threads)
        finally:
            self._places.release()

    async def _let_in(self, headers: Mapping[str, str]) -> None:
        try:
            caller = await self._access.caller_soon(headers.get("authorization"))
        except TransientError as error:
            raise _unavailable(str(error)) from error
        if caller is None or not caller.may(Role.READ):
            raise Refusal(
                HTTPStatus.UNAUTHORIZED,
                "UNAUTHENTICATED",
                "a valid bearer token with the scope AUTHENTICATED, please",
                **{"WWW-Authenticate": "Bearer"},
            )
        if wait := self._rate.take(caller.name):
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                "TOO_MANY_REQUESTS",
                f"at most {AT_ONCE} requests in {WINDOW:.0f} s, please",
                **{"Retry-After": whole_seconds(wait)},
            )

    def _answer(self, uuid: str, asked: Asked) -> Response:
        """Answer; what only reads is simply tried again when a connection turns out to be lost."""
        begun = time.monotonic()
        try:
            return self._execute(uuid, asked)
        except TransientError as error:
            if time.monotonic() - begun > _SOON:  # no lost connection: it would only last as long again
                raise _unavailable(str(error)) from error
            log.info("graphql.tried_again")
        try:
            return self._execute(uuid, asked)
        except TransientError as error:
            raise _unavailable(str(error)) from error

    def _execute(self, uuid: str, asked: Asked) -> Response:
        try:
            with self._begin(uuid) as reader:
                result = self._schema.execute_sync(
                    asked.query,
                    variable_values=asked.variables,
                    operation_name=asked.operation,
                    context_value=reader,
                )
        except CannotGetOperationTypeError:
            raise _bad_request("the query has no such operation") from None
        except NotAllowed as error:
            raise _forbidden(str(error)) from error
        return _written(result)


def _forbidden(message: str) -> Refusal:
    return Refusal(HTTPStatus.FORBIDDEN, FORBIDDEN, message)


def _unavailable(reason: str) -> Refusal:
    log.warning("graphql.unavailable", reason=reason)
    return Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE, "UNAVAILABLE", "not now; try again soon", **{"Retry-After": _AGAIN}
    )


def _bad_request(message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> Refusal:
    return Refusal(status, "BAD_REQUEST", message)


async def _body(request: Request) -> bytes:
    """Return the body; of what is too large no more is read than it takes to know."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise _bad_request(f"at most {LARGEST} bytes, please", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return bytes(body)


def _asked(headers: Mapping[str, str], body: bytes) -> Asked:
    media_type = headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != _JSON:
        raise _bad_request(f"a body of the type {_JSON}, please", HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise _bad_request("the body is not JSON") from None
    if not isinstance(document, dict) or not isinstance(query := document.get("query"), str) or not query:
        raise _bad_request("an object with `query`, please")
    variables, operation = document.get("variables"), document.get("operationName")
    if not isinstance(variables, dict | None):
        raise _bad_request("variables: an object, please")
    if not isinstance(operation, str | None):
        raise _bad_request("operationName: text, please")
    return Asked(query, variables, operation or None)


def _written(result: ExecutionResult) -> Response:
    """Write the answer. A wrong argument is HTTP 200; what may not be seen is HTTP 403 and nothing else."""
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        _raise_whole(result.errors)
        answer = {"errors": [_told(each) for each in result.errors], **answer}
    return Response(json.dumps(answer, separators=(",", ":")), media_type=_JSON)


def _raise_whole(errors: Sequence[GraphQLError]) -> None:
    """Raise what the whole request fails of."""
    for error in errors:
        if (error.extensions or {}).get("code") == FORBIDDEN:
            raise _forbidden(error.message)
        if isinstance(error.original_error, TransientError):
            raise error.original_error


def _told(error: GraphQLError) -> dict[str, Any]:
    """Return an error with a code; nothing is told of what went wrong inside."""
    if is_internal(error):
        code, message = "INTERNAL_SERVER_ERROR", "something went wrong here"
        return {"message": message, "path": error.path, "extensions": {"code": code}}
    if is_unreadable(error):
        return {"message": "a value that cannot be read", "extensions": {"code": types.BAD_USER_INPUT}}
    return {**error.formatted, "extensions": {"code": _code(error), **(error.extensions or {})}}


def _code(error: GraphQLError) -> str:
    """Return the code of what is wrong with a query: its text, its shape, or an argument or variable."""
    if isinstance(error, GraphQLSyntaxError):
        return "GRAPHQL_PARSE_FAILED"
    given = (ArgumentNode, ValueNode, VariableDefinitionNode)
    if any(isinstance(node, given) for node in error.nodes or ()):
        return types.BAD_USER_INPUT
    return "GRAPHQL_VALIDATION_FAILED"
