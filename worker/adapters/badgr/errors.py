"""What an answer means: the error that each HTTP status stands for (facts/badgr-api.md section 14)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from worker.adapters.badgr.words import words_of
from worker.errors import NoAnswer, Refused, Throttled, Unreachable

if TYPE_CHECKING:
    from worker.adapters.badgr.http import Answer
    from worker.errors import BadgeWorkerError

# A provider that asks for more than a day made a mistake; asking it again then does no harm.
_LONGEST_WAIT = 24 * 3600.0

# By the standard whole seconds; some say fractions.
_SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?", re.ASCII)

_OF_A_TOKEN = re.compile(r"\b(token|credentials were not provided|not authenticated)\b", re.IGNORECASE)

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _REQUEST_TIMEOUT = 401, 403, 404, 408
_TOO_MANY, _UNAVAILABLE = 429, 503


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


def token_refused(answer: Answer) -> bool:
    """Say whether the call failed by its token: a 401, or a 403 that says so (X-41).

    The hosted service documents the one and sends the other. A 403 that speaks of rights is for a person.
    """
    if answer.status == _FORBIDDEN:
        return _OF_A_TOKEN.search(words_of(answer)) is not None
    return answer.status == _UNAUTHORIZED


def retry_after(answer: Answer) -> float | None:
    """Return the seconds that a 429 or 503 asks us to wait, or None if it does not say.

    The header comes first, in seconds or as a date; then the body's `expires`, which sign-in sends. A wait of
    no time, a negative one and a date that has passed say nothing: the call was refused, so it was too early.
    """
    if answer.status not in {_TOO_MANY, _UNAVAILABLE}:
        return None
    header = answer.headers.get("retry-after", "").strip()
    wait = float(header) if _SECONDS.fullmatch(header) else _until(header, answer)
    if wait is None:
        wait = _expires(answer.json())
    return min(wait, _LONGEST_WAIT) if wait is not None and wait > 0 else None


def _expires(body: Any) -> float | None:
    expires = body.get("expires") if isinstance(body, dict) else None
    if isinstance(expires, int | float) and not isinstance(expires, bool):
        return float(min(expires, _LONGEST_WAIT))
    return float(expires) if isinstance(expires, str) and _SECONDS.fullmatch(expires) else None


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
    except (ValueError, TypeError, IndexError, OverflowError):  # as its parser fails on what is no date
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _not_found(answer: Answer, about: str) -> str:
    """Explain a 404, which also stands for "not allowed": this API never says 403."""
    if answer.json() is None:
        return "the service does not know this path; is the issuer's url right?"
    return f"{about or 'this'} is unknown to the provider, or these credentials may not use it"
