"""Answers that say what is wrong, in one shape everywhere: `{"errors": [{"message": …, "code": …}]}`."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from worker.errors import TransientError

_GRAPHQL = "/graphql"
RETRY_AFTER = 5  # seconds after which it is worth trying again what could not be reached


def refusal(
    status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None, **more: Any
) -> JSONResponse:
    """Return an answer with one error; its code is the status's name, such as TOO_MANY_REQUESTS."""
    return refusals(status, [{"message": message, **more}], headers)


def refusals(
    status: HTTPStatus, errors: list[dict[str, Any]], headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an answer with several errors."""
    body = {"errors": [{"code": status.name, **error} for error in errors]}
    return JSONResponse(body, status, dict(headers or {}))


def for_path(path: str, status: HTTPStatus) -> dict[str, Any]:
    """Return what an error has beside: clients of GraphQL look for its code where GraphQL has it."""
    return {"extensions": {"code": status.name}} if path == _GRAPHQL else {}


def unauthenticated() -> JSONResponse:
    """Return the answer for whom no token lets in; it does not say why."""
    message = "a valid bearer token, please"
    headers = {"WWW-Authenticate": 'Bearer realm="badge-worker"'}
    return refusal(HTTPStatus.UNAUTHORIZED, message, headers, code="UNAUTHENTICATED")


def unavailable(message: str) -> JSONResponse:
    """Return the answer for what may work in a few seconds."""
    return refusal(HTTPStatus.SERVICE_UNAVAILABLE, message, {"Retry-After": str(RETRY_AFTER)})


async def on_http_exception(request: Request, error: Exception) -> JSONResponse:
    """Answer what the framework refuses: no such page, no such method, a body that is too big."""
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    return refusal(status, error.detail, error.headers, **for_path(request.url.path, status))


async def on_transient(_request: Request, error: Exception) -> JSONResponse:
    """Answer while something cannot be reached; which one is in the log, not in the answer."""
    if not isinstance(error, TransientError):
        raise error
    return unavailable("something that is needed for this cannot be reached; please try again")
