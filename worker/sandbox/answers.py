"""What the service answers: its envelope, its errors, and the pages that are no JSON at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from starlette.responses import HTMLResponse

Fields = dict[str, Any] | list[Any] | str


@dataclass(frozen=True, slots=True)
class Answer:
    """A JSON answer before its content type is settled."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


def success(result: list[Any], status: int = 200, description: str = "ok", **more: Any) -> Answer:
    """Wrap `result`; `more` stands beside it, as paging does."""
    return Answer({"status": {"success": True, "description": description}, "result": result, **more}, status)


class ApiError(Exception):
    """An error in the service's envelope; `fields` is a dict, a list or a text, as the case has it."""

    def __init__(
        self,
        status: int,
        description: str,
        fields: Fields | None = None,
        validation: list[Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"HTTP {status}: {description}")
        self.status = status
        self.description = description
        self.fields: Fields = {} if fields is None else fields
        self.validation = validation or []
        self.headers = headers or {}

    def answer(self) -> Answer:
        """Return it as it goes over the wire."""
        body = {
            "status": {"success": False, "description": self.description},
            "result": [],
            "fieldErrors": self.fields,
            "validationErrors": self.validation,
        }
        return Answer(body, self.status, self.headers)


class ServerBroke(Exception):
    """The service runs into one of its own exceptions: HTTP 500 and an HTML page."""


def unauthenticated() -> ApiError:
    """Token missing, garbage, expired or revoked: all the same, without WWW-Authenticate."""
    return ApiError(401, "no valid auth token found")


def not_found() -> ApiError:
    """No role, no scope or no such entity: all the same, never 403."""
    return ApiError(404, "entity not found or insufficient privileges")


def refused_fields(**fields: Any) -> ApiError:
    """One or more fields are wrong."""
    return ApiError(400, "bad request", fields)


def refused(*words: Any) -> ApiError:
    """Return the 400 for what is wrong with the body as a whole."""
    return ApiError(400, "bad request", validation=list(words))


def miscellaneous(status: int, words: str, headers: dict[str, str] | None = None) -> ApiError:
    """Errors of the framework below: `fieldErrors` is a plain text."""
    return ApiError(status, "miscellaneous error", words, headers=headers)


def throttled(wait: int | None) -> ApiError:
    """Too many calls: 429, with Retry-After in whole seconds if `wait` says how long."""
    tail = "" if wait is None else f" Expected available in {wait} second{'' if wait == 1 else 's'}."
    headers = {} if wait is None else {"Retry-After": str(wait)}
    return miscellaneous(429, f"Request was throttled.{tail}", headers)


def page(status: int, title: str) -> HTMLResponse:
    """Return one of the pages that stand where one would expect JSON."""
    html = f"<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return HTMLResponse(html, status)


def unknown_page() -> HTMLResponse:
    """Unknown path or trailing slash."""
    return page(404, "Not Found")


def broken_page(status: int = 500) -> HTMLResponse:
    """Any exception inside the service."""
    return page(status, f"Server Error ({status})")
