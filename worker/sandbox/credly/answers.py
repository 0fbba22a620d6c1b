"""Answers as Credly gives them: everything under `data`, lists with `metadata`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response


@dataclass(frozen=True, slots=True)
class Problem(Exception):
    """An error: a message, and what is wrong with each field."""

    status: int
    message: str
    errors: dict[str, list[str]] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def answer(self) -> Response:
        """Return it as it goes over the wire."""
        data: dict[str, Any] = {"message": self.message}
        if self.errors:
            data["errors"] = [{"attribute": name, "messages": said} for name, said in self.errors.items()]
        return JSONResponse({"data": data, "metadata": None}, self.status, self.headers)


def single(document: dict[str, Any], status: int = 200) -> Response:
    """Answer one thing."""
    return JSONResponse({"data": document, "metadata": {}}, status)


def unauthorized() -> Problem:
    """Return the 401 for a token that is missing or wrong."""
    return Problem(401, "You are not authorized to access this resource.")


def not_found() -> Problem:
    """Return the 404 for what is not there."""
    return Problem(404, "The resource you requested could not be found.")


def invalid(message: str, **errors: list[str]) -> Problem:
    """Return the 422 for a request that cannot be done as it is."""
    return Problem(422, message, errors)


def throttled(wait: int | None) -> Response:
    """Return the 429, with Retry-After in whole seconds if `wait` says how long."""
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return Problem(429, "Too many requests.", headers=headers).answer()
