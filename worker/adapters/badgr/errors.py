"""What an answer means: the error that each HTTP status stands for (facts/badgr-api.md section 14)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from worker.adapters.badgr.words import words_of
from worker.errors import NoAnswer, Refused, Throttled, Unreachable

if TYPE_CHECKING:
    from worker.adapters.badgr.http import Answer
    from worker.errors import BadgeWorkerError

# A provider that asks for more than a day made a mistake; asking it again then does no harm.
_LONGEST_WAIT = 24 * 3600.0

_REQUEST_TIMEOUT, _TOO_MANY, _NOT_FOUND, _UNAVAILABLE = 408, 429, 404, 503


def went_well(answer: Answer) -> bool:
    """Say whether the status is any 2xx: descriptions and servers disagree about which one."""
    return 200 <= answer.status < 300  # noqa: PLR2004 - what success is in HTTP


def error_of(answer: Answer, about: str = "") -> BadgeWorkerError:
    """Return the error that an unsuccessful answer stands for; `about` names what was asked for."""
    status = answer.status
    if status == _TOO_MANY:
        return Throttled(words_of(answer), retry_after(answer))
    if 300 <= status < 400:  # noqa: PLR2004 - redirections
        # In maintenance every POST is sent elsewhere; following would repeat it as a GET.
        return Unreachable(f"HTTP {status}: the provider sends us elsewhere; maintenance, or another url?")
    if status == _NOT_FOUND:
        return Refused(status, _not_found(answer, about))
    if 400 <= status < 500 and status != _REQUEST_TIMEOUT:  # noqa: PLR2004 - the client's errors
        return Refused(status, words_of(answer))
    return NoAnswer(f"HTTP {status}, which does not say whether it was done", status)


def retry_after(answer: Answer) -> float | None:
    """Return the seconds that a 429 or 503 asks us to wait, or None if it does not say.

    The header comes first, in seconds or as a date; then the body's `expires`, which sign-in sends.
    """
    if answer.status not in {_TOO_MANY, _UNAVAILABLE}:
        return None
    header = answer.headers.get("retry-after", "").strip()
    wait = float(header) if header.isdecimal() and header.isascii() else _until(header, answer)
    if wait is None:
        body = answer.json()
        expires = body.get("expires") if isinstance(body, dict) else None
        wait = float(expires) if isinstance(expires, int | float) else None
    return None if wait is None else min(max(wait, 0.0), _LONGEST_WAIT)


def _until(header: str, answer: Answer) -> float | None:
    """Return the seconds until a date, by the clock of the server that wrote it."""
    moment = _moment(header)
    if moment is None:
        return None
    now = _moment(answer.headers.get("date", "")) or datetime.now(UTC)
    return (moment - now).total_seconds()


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _not_found(answer: Answer, about: str) -> str:
    """Explain a 404, which also stands for "not allowed": this API never says 403."""
    if answer.json() is None:
        return "the service does not know this path; is the issuer's url right?"
    return f"{about or 'this'} is unknown to the provider, or these credentials may not use it"
