"""Forms as browsers send them, read with limits."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request

LONGEST = 64 * 1024  # bytes of a form
_FIELDS = 200

Form = dict[str, list[str]]


async def read_form(request: Request) -> Form:
    """Return the fields of a form; raises HTTPException for what is none of ours, or too long."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "That is no form of this page.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LONGEST:
            raise HTTPException(413, "That is more than a form of this page holds.")
    try:
        return parse_qs(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS, errors="strict")
    except ValueError:
        raise HTTPException(400, "That is no form of this page.") from None


def is_from_here(request: Request) -> bool:
    """Return whether the browser says that our own page sent this; one that says nothing is let pass.

    `Sec-Fetch-Site` is the browser's own word, which holds behind a proxy that changes `Host`, too.
    """
    if (site := request.headers.get("sec-fetch-site")) is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")
