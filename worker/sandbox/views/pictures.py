"""Pictures of issuers and badge classes as they are sent (facts/badgr-api.md section 11)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from worker.sandbox.fields import Invalid
from worker.sandbox.moments import entity_id

if TYPE_CHECKING:
    from collections.abc import Callable

_DATA_URI = re.compile(r"data:image/(?P<kind>[a-z+]+);base64,(?P<data>[A-Za-z0-9+/=\s]+)")
_PNG = b"\x89PNG\r\n\x1a\n"
_WANTED = "Valid image file or data URI required."


def picture(before: dict[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """Return a reader of pictures; a web address means that the one from `before` stays."""

    def read(value: Any) -> dict[str, Any]:
        if isinstance(value, str) and re.match(r"https?://", value):
            if not before.get("image"):
                raise Invalid(_WANTED)
            return {}
        _check(value)
        return {"image": value, "imageName": entity_id()}

    return read


def _check(value: Any) -> None:
    match = _DATA_URI.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Invalid([_WANTED])
    try:
        data = base64.b64decode(match["data"])
    except binascii.Error as error:
        raise Invalid([_WANTED]) from error
    if match["kind"] != "svg+xml" and not data.startswith(_PNG):
        raise Invalid(["Invalid PNG"])
