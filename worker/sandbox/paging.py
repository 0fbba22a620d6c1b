"""Lists in pages, with their cursors in the Link header, and feeds of changes (section 8)."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

from worker.sandbox.answers import Answer, ApiError, miscellaneous, success
from worker.sandbox.moments import parse_moment, shown_offset, stored, stored_epoch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.sandbox.call import Call
    from worker.sandbox.store import Row

_FEED_PAGE = 100


class Fetch(Protocol):
    """Gets up to `limit` rows in `order`, beyond a place of (comparison, number) if one is given."""

    def __call__(self, order: str, beyond: tuple[str, int] | None, limit: int) -> Sequence[Row]:
        """Return the rows."""


def listed(call: Call, fetch: Fetch, show: Callable[[Row], dict[str, Any]]) -> Answer:
    """Answer a list: whole and oldest first, or with `num` in pages, newest first."""
    number = call.request.query_params.get("num", "")
    if not re.fullmatch(r"-?\d+", number):
        return success([show(row) for row in fetch("seq", None, -1)])
    size = max(1, int(number))
    backwards, place = _read_cursor(call)
    if backwards:
        rows = list(fetch("seq", (">", place or 0), size + 1))
        before, after, rows = len(rows) > size, True, rows[:size][::-1]
    else:
        rows = list(fetch("seq DESC", None if place is None else ("<", place), size + 1))
        before, after, rows = place is not None, len(rows) > size, rows[:size]
    links = _links(call, rows, after=after, before=before)
    return replace(success([show(row) for row in rows]), headers={"Link": links} if links else {})


def _links(call: Call, rows: list[Row], *, after: bool, before: bool) -> str:
    links = []
    if rows and after:
        place = f"p={rows[-1]['seq']}"
        links.append(f'<{_url(call, _cursor(place))}>; rel="next"')
    if rows and before:
        place = f"r=1&p={rows[0]['seq']}"
        links.append(f'<{_url(call, _cursor(place))}>; rel="prev"')
    return ", ".join(links)


def beyond_place(rows: list[Row], order: str, beyond: tuple[str, int] | None, limit: int) -> list[Row]:
    """Do what Fetch does on rows that are at hand, oldest first."""
    if beyond is not None:
        sign, place = beyond
        rows = [row for row in rows if (row["seq"] > place if sign == ">" else row["seq"] < place)]
    ordered = rows if order == "seq" else rows[::-1]
    return ordered if limit < 0 else ordered[:limit]


def _cursor(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _opened(call: Call) -> str | None:
    """Return the cursor's text. The hosted service calls its parameter after or before."""
    query = call.request.query_params
    coded = query.get("cursor") or query.get("after") or query.get("before")
    if not coded:
        return None
    try:
        return base64.b64decode(coded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise miscellaneous(404, "Invalid cursor") from error


def _read_cursor(call: Call) -> tuple[bool, int | None]:
    text = _opened(call)
    if text is None:
        return False, None
    match = re.fullmatch(r"(r=1&)?p=(\d+)", text)
    if match is None:
        raise miscellaneous(404, "Invalid cursor")
    return match[1] is not None, int(match[2])


def _url(call: Call, cursor: str) -> str:
    """Return this list's own URL at another place; links use the request's host."""
    kept = [
        (name, value)
        for name, value in call.request.query_params.multi_items()
        if name not in {"cursor", "after", "before"}
    ]
    url = call.request.url
    return f"{url.scheme}://{url.netloc}{url.path}?{urlencode([('cursor', cursor), *kept])}"


Place = tuple[str, int]


class Changes(Protocol):
    """Gets up to `limit` rows that changed after a place, or before it, nearest first."""

    def __call__(self, place: Place, limit: int, *, backwards: bool) -> Sequence[Row]:
        """Return the rows."""


def near(rows: list[Row], place: Place, limit: int, *, backwards: bool) -> list[Row]:
    """Do what Changes does on rows that are at hand."""
    ordered = sorted(rows, key=_when, reverse=backwards)
    return [row for row in ordered if (_when(row) < place if backwards else _when(row) > place)][:limit]


def _when(row: Row) -> Place:
    return row["updated_at"], row["seq"]


def feed(call: Call, changes: Changes, show: Callable[[Row], dict[str, Any]]) -> Answer:
    """Answer what changed, oldest change first, with the instant to ask from the next time."""
    start = (_since(call), 1 << 62)
    size = _page_size(call)
    backwards, place = _read_feed_cursor(call)
    rows = list(changes(place or start, size + 1, backwards=backwards))
    more, rows = len(rows) > size, rows[:size]
    if backwards:
        rows.reverse()
    following = rows and (more or backwards)
    preceding = rows and (more if backwards else place is not None)
    pagination = {
        "hasNext": bool(following),
        "nextResults": _url(call, _cursor(_place("p", rows[-1]))) if following else None,
        "hasPrevious": bool(preceding),
        "previousResults": _url(call, _cursor(_place("r", rows[0]))) if preceding else None,
    }
    timestamp = shown_offset(stored_epoch(call.now))
    return success([show(row) for row in rows], pagination=pagination, timestamp=timestamp)


def _place(direction: str, row: Row) -> str:
    return f"{direction}={row['updated_at']}={row['seq']}"


def _page_size(call: Call) -> int:
    number = call.request.query_params.get("num", "")
    return max(1, int(number)) if re.fullmatch(r"-?\d+", number) else _FEED_PAGE


def _read_feed_cursor(call: Call) -> tuple[bool, Place | None]:
    text = _opened(call)
    if text is None:
        return False, None
    match = re.fullmatch(r"([pr])=([^=]+)=(\d+)", text)
    if match is None:
        raise miscellaneous(404, "Invalid cursor")
    return match[1] == "r", (match[2], int(match[3]))


def _since(call: Call) -> str:
    """Read `since`; an unescaped + has become a blank and is refused."""
    text = call.request.query_params.get("since")
    if not text:
        return ""
    moment = parse_moment(text) if "T" in text or ":" in text else _date(text)
    if moment is None:
        raise ApiError(400, "bad request", {"since": ["must be ISO-8601 format with time zone"]})
    return stored(moment)


def _date(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
