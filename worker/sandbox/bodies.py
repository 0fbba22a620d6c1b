"""Request bodies: JSON, form and multipart, all three read into the same plain values."""

from __future__ import annotations

import base64
import json
from email.parser import BytesParser
from email.policy import HTTP
from typing import Any
from urllib.parse import parse_qsl

from worker.sandbox.answers import miscellaneous, refused


def parse_body(content_type: str, body: bytes) -> Any:
    """Read a body; raises ApiError with the service's words. No body is an empty object."""
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return {}
    if kind == "application/json":
        return _parse_json(body)
    if kind == "application/x-www-form-urlencoded":
        return _nested(parse_form(body))
    if kind == "multipart/form-data":
        return _nested(_parse_multipart(content_type, body))
    raise miscellaneous(415, f'Unsupported media type "{content_type}" in request.')


def parse_form(body: bytes) -> dict[str, str]:
    """Read a form; of a name given twice the last value counts."""
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _parse_json(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_constant=_no_constant)
    except ValueError as error:
        raise refused(f"JSON parse error - {error}") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"Out of range float values are not JSON compliant: {name}")


def _parse_multipart(content_type: str, body: bytes) -> dict[str, str]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    message = BytesParser(policy=HTTP).parsebytes(head + body)
    if not message.is_multipart():
        raise refused("Multipart form parse error - Invalid boundary in multipart: None")
    values = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        payload = part.get_payload(decode=True)
        if name and isinstance(payload, bytes):
            values[str(name)] = _part(payload, part.get_content_type(), part.get_filename())
    return values


def _part(payload: bytes, kind: str, filename: str | None) -> str:
    """Return a field's text; a file as the data URI that would say the same."""
    if filename is None:
        return payload.decode("utf-8", "replace")
    return f"data:{kind};base64,{base64.b64encode(payload).decode()}"


def _nested(flat: dict[str, str]) -> dict[str, Any]:
    """Turn ``recipient.identity`` into an object within an object."""
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        *outer, last = name.split(".")
        place = nested
        for step in outer:
            place = place.setdefault(step, {})
        place[last] = value
    return nested
