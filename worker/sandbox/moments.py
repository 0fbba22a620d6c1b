"""Instants and ids as the service writes them."""

from __future__ import annotations

import base64
import re
import uuid
from datetime import UTC, datetime, timedelta, timezone

# Fixed width, so that the text in the store sorts as the instants do.
_STORED = "%Y-%m-%dT%H:%M:%S.%fZ"
_WRITTEN = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})[T ](\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6})\d*)?)?"
    r"(Z|[+-]\d{2}(?::?\d{2})?)?"
)


def entity_id() -> str:
    """Return a new id: 22 characters, URL-safe base64 of a UUID4; it may start with - or _."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def stored(moment: datetime) -> str:
    """Return the text kept in the store; strftime would write the year 1583 as it is, but 999 too short."""
    return moment.astimezone(UTC).strftime(_STORED).rjust(27, "0")


def stored_epoch(seconds: float) -> str:
    """Return an epoch time as kept in the store."""
    return stored(datetime.fromtimestamp(seconds, UTC))


def shown(text: str | None) -> str | None:
    """Return a stored instant as answers show it: the fraction is missing when zero."""
    return None if text is None else text.replace(".000000Z", "Z")


def shown_offset(text: str) -> str:
    """Return a stored instant as public JSON and `timestamp` show it: with ``+00:00``."""
    return text.replace(".000000Z", "Z").replace("Z", "+00:00")


def parse_moment(text: str) -> datetime | None:
    """Read an ISO 8601 date and time, naive taken as UTC; None if it is none (a date alone is none)."""
    match = _WRITTEN.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    micros = int((match[7] or "0").ljust(6, "0"))
    try:
        return datetime(year, month, day, hour, minute, second, micros, _zone(match[8])).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    digits = text[1:].replace(":", "").ljust(4, "0")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
