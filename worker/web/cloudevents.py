"""The HTTP binding of CloudEvents 1.0: from a request to the documents that go on the queue.

An event is one JSON document (structured), several are an array (batch), or the attributes stand in headers
and the body is the data (binary).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from email.message import Message as MediaType
from http import HTTPStatus
from urllib.parse import unquote

from worker.intake import MOST_AT_ONCE

STRUCTURED, BATCH, PLAIN = (
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
    "application/json",
)
_ATTRIBUTES = ("specversion", "id", "source", "type", "time", "subject", "dataschema")
# Numbers stay as they were written: what they are is for the worker to say.
_JSON = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str)
_BLANK = re.compile(r"[ \t\n\r]*")


class BadRequest(Exception):
    """A request that holds no events; `status` says what kind of mistake it is."""

    def __init__(self, status: HTTPStatus, message: str, field: str = "body") -> None:
        super().__init__(message)
        self.status = status
        self.field = field


def is_binary(headers: Mapping[str, str]) -> bool:
    """Return whether the attributes stand in the headers."""
    return not _media_type(headers).startswith("application/cloudevents") and any(
        f"ce-{name}" in headers for name in _ATTRIBUTES
    )


def check_media_type(headers: Mapping[str, str], taken: Sequence[str] = (STRUCTURED, BATCH, PLAIN)) -> None:
    """Raise BadRequest for a body that we do not read."""
    taken = (PLAIN, "") if is_binary(headers) else taken
    unsupported = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    if _media_type(headers) not in taken:
        raise BadRequest(unsupported, f"{' or '.join(filter(None, taken))}, please", "content-type")
    if _parameter(headers, "charset").lower() not in {"", "utf-8", "utf8"}:
        raise BadRequest(unsupported, "UTF-8, please", "content-type")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise BadRequest(unsupported, "no compression, please", "content-encoding")


def documents(headers: Mapping[str, str], body: bytes) -> list[bytes]:
    """Return one JSON document for each event in the request; raises BadRequest."""
    if is_binary(headers):
        return [_from_headers(headers, body)]
    kind = _media_type(headers)
    is_array = body.lstrip(b" \t\n\r").startswith(b"[")
    if kind == STRUCTURED and is_array:
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"an array; send it as {BATCH}")
    if kind == BATCH and not is_array:
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"an array, please; send one event as {STRUCTURED}")
    return _elements(_text(body)) if is_array else [body]


def _elements(text: str) -> list[bytes]:
    """Return the elements of an array as they were written."""
    found: list[bytes] = []
    place = _after(text, 0, "[")
    while text[place : place + 1] != "]":
        if found:
            place = _after(text, place, ",")
        if len(found) == MOST_AT_ONCE:
            message = f"at most {MOST_AT_ONCE} events at once, please"
            raise BadRequest(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
        _, end = _scan(text, place)
        found.append(text[place:end].encode(errors="surrogatepass"))
        place = _skip(text, end)
    if _skip(text, place + 1) != len(text):
        raise _no_json("something stands after the array")
    if not found:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "no events")
    return found


def _after(text: str, place: int, sign: str) -> int:
    place = _skip(text, place)
    if text[place : place + 1] != sign:
        raise _no_json(f"`{sign}` expected at character {place}")
    return _skip(text, place + 1)


def _skip(text: str, place: int) -> int:
    blank = _BLANK.match(text, place)
    return blank.end() if blank else place


def _scan(text: str, place: int) -> tuple[object, int]:
    try:
        return _JSON.raw_decode(text, place)
    except json.JSONDecodeError as error:
        raise _no_json(f"{error.msg} at character {error.pos}") from None
    except RecursionError:
        raise _no_json("too deep") from None


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise _no_json(f"not UTF-8 at byte {error.start}") from None


def _no_json(why: str) -> BadRequest:
    return BadRequest(HTTPStatus.BAD_REQUEST, f"not JSON ({why})")


def _from_headers(headers: Mapping[str, str], body: bytes) -> bytes:
    """Return one document: attributes from the headers, and the body, which is one whole value, as data."""
    written = {name: _attribute(headers, name) for name in _ATTRIBUTES if f"ce-{name}" in headers}
    text = _text(body).strip(" \t\n\r")
    if not text:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "missing", "data")
    _, end = _scan(text, 0)
    if end != len(text):
        raise _no_json("something stands after the data")
    attributes = "".join(f"{json.dumps(name)}:{json.dumps(value)}," for name, value in written.items())
    return f'{{{attributes}"data":{text}}}'.encode(errors="surrogatepass")


def _attribute(headers: Mapping[str, str], name: str) -> str:
    """Return an attribute, whose header holds UTF-8 in percent-encoding where it is not plain ASCII."""
    try:
        return unquote(headers[f"ce-{name}"], errors="strict")
    except UnicodeDecodeError:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "percent-encoded UTF-8, please", name) from None


def _media_type(headers: Mapping[str, str]) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _parameter(headers: Mapping[str, str], name: str) -> str:
    parsed = MediaType()
    parsed["content-type"] = headers.get("content-type", "")
    value = parsed.get_param(name, "")
    return value if isinstance(value, str) else ""
