"""What a call is about, in few words: never with an id or an address, of which there are any number."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from worker.adapters.badgr.http import Request

# The steps of both providers' paths that are words. What is none of them is somebody's.
_WORDS = frozenset(
    {
        "assertions",
        "auth",
        "backpack",
        "badge_templates",
        "badgeclasses",
        "badges",
        "changed",
        "claimcodes",
        "collections",
        "duplicate",
        "forgot-password",
        "import",
        "issue",
        "issuers",
        "organizations",
        "reactivate",
        "ref",
        "replace",
        "revoke",
        "self",
        "token",
        "tokens",
        "users",
    }
)


def operation_of(request: Request) -> str:
    """Return the method and the words of the path, such as `POST badgeclasses/assertions`."""
    words = [step for step in request.path.split("/") if step in _WORDS]
    return f"{request.method} {'/'.join(words)}"


def outcome_of(status: int) -> str:
    """Return what an answer of this status means for us, in a word."""
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "throttled"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "failed"
    return "refused" if status >= HTTPStatus.BAD_REQUEST else "done"
