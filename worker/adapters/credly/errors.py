"""What Credly's answers mean: the error that each stands for, and the words in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.adapters.badgr.errors import error_of as error_of_any
from worker.adapters.badgr.words import tidy, words_in, words_of
from worker.errors import NoAnswer, Refused, SignInRefused

if TYPE_CHECKING:
    from worker.adapters.badgr.http import Answer
    from worker.errors import BadgeWorkerError

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _TIMEOUT, _TOO_MANY = 401, 403, 404, 408, 429


def error_of(answer: Answer, about: str) -> BadgeWorkerError:
    """Return the error that an unsuccessful answer stands for; `about` names what was asked for.

    There is no sign-in apart: a 401 or 403 says that the token is wrong or may not do this.
    """
    status = answer.status
    if status in {_UNAUTHORIZED, _FORBIDDEN}:
        return SignInRefused(f"HTTP {status}: {said_in(answer)}")
    if 400 <= status < 500 and status not in {_NOT_FOUND, _TIMEOUT, _TOO_MANY}:  # noqa: PLR2004 - the client's
        return Refused(status, said_in(answer))
    return error_of_any(answer, about)


def unreadable(what: str, answer: Answer) -> NoAnswer:
    """Return the error for a success that cannot be read: it tells nothing."""
    return NoAnswer(f"HTTP {answer.status}, but {what} cannot be read in it", answer.status)


def said_in(answer: Answer) -> str:
    """Return Credly's own words on one line: the message, and each field with what is wrong about it."""
    body = answer.json()
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        return words_of(answer)
    parts = [data.get("message"), *_fields(data.get("errors"))]
    return tidy("; ".join(str(part) for part in parts if part)) or words_of(answer)


def _fields(errors: Any) -> list[str]:
    """Return what is wrong with each field: ``{"attribute", "messages"}`` in a list, or any other shape."""
    if not isinstance(errors, list):
        return [words_in(errors)]
    return [
        words_in({str(each["attribute"]): each.get("messages")})
        if isinstance(each, dict) and "attribute" in each
        else words_in(each)
        for each in errors
    ]
