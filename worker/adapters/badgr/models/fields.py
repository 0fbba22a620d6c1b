"""How single fields are sent, and what the provider refuses of them (facts/badgr-api.md section 3)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints

from worker.adapters.badgr.models.base import Moment

_EMAIL = re.compile(r"[^@\s]+@(?:localhost|[^@\s.]+(?:\.[^@\s.]+)+)")
_TELEPHONE = re.compile(r"\+[1-9][0-9]{1,14}")
_DATA_URI = re.compile(r"data:(?P<kind>[^;,]*);base64,(?P<data>.*)", re.DOTALL)
_PNG = b"\x89PNG\r\n\x1a\n"
_FIRST_YEAR = 1583


def is_url(text: str) -> bool:
    """Say whether a text is a URL as the service takes them."""
    try:
        parts = urlsplit(text)
        named = bool(parts.hostname)
    except ValueError:
        return False
    return named and parts.scheme in {"http", "https", "ftp", "ftps"} and not re.search(r"\s", text)


def is_email(text: str) -> bool:
    """Say whether a text may be an address: the service takes ASCII ones alone."""
    return text.isascii() and _EMAIL.fullmatch(text) is not None


def is_telephone(text: str) -> bool:
    """Say whether a text is a telephone number in E.164."""
    return _TELEPHONE.fullmatch(text) is not None


def _url(text: str) -> str:
    if not is_url(text):
        raise ValueError("a URL, please, such as https://example.org/badge")
    return text


def _email(text: str) -> str:
    if not is_email(text):
        raise ValueError("an e-mail address in ASCII, please")
    return text


def _markdown(text: str) -> str:
    if "![" in text:
        raise ValueError("no images in markdown: the provider refuses them")
    return text


def _picture(text: str) -> str:
    """Let a URL or a PNG or SVG as a data URI pass (X-12, facts/badgr-api.md section 11)."""
    if text.startswith(("http://", "https://")):
        return _url(text)
    found = _DATA_URI.fullmatch(text)
    if found is None:
        raise ValueError("a URL, please, or a PNG or SVG as data:image/png;base64,…")
    kind = found["kind"].partition(";")[0].strip().lower()
    if kind not in {"image/png", "image/svg+xml"}:
        raise ValueError("a PNG or an SVG, please: the provider takes no other pictures")
    try:
        data = base64.b64decode(found["data"], validate=True)
    except binascii.Error:
        raise ValueError("a data URI whose base64 is whole, please") from None
    if kind == "image/png" and not data.startswith(_PNG):
        raise ValueError("a PNG, please: this is called one but is none")
    return text


def _issued_on(moment: Moment) -> Moment:
    if moment.year < _FIRST_YEAR:
        raise ValueError(f"a time of the Gregorian calendar, please: from the year {_FIRST_YEAR} on")
    return moment


def picture_of(data: bytes) -> str | None:
    """Return a PNG or SVG file as the data URI that the service wants; None if it is neither."""
    if data.startswith(_PNG):
        kind = "image/png"
    elif b"<svg" in data[:4096].lower():
        kind = "image/svg+xml"
    else:
        return None
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1024)]
Description = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=16384)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
Url = Annotated[str, AfterValidator(_url)]
Email = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(_email)]
Markdown = Annotated[str, AfterValidator(_markdown)]
PictureIn = Annotated[str, AfterValidator(_picture)]
IssuedOn = Annotated[Moment, AfterValidator(_issued_on)]
