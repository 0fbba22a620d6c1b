"""From facts to HTML: every value is escaped unless the template itself says what it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent


def render(template: str, facts: dict[str, Any]) -> str:
    """Return a page; what a template names and nobody gave is an error."""
    return _pages.get_template(template).render(facts)


def instant(at: datetime | None) -> str:
    """Return an instant to the second, in UTC; a dash for none."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else "-"


def web_address(text: str | None) -> str | None:
    """Return an address that a link may lead to: the provider gave it, and it could be any scheme's."""
    try:
        return text if text and urlsplit(text).scheme in {"http", "https"} else None
    except ValueError:
        return None


def body(text: bytes) -> str:
    """Return bytes as people can read them, with what is no text or could mislead as escapes."""
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape").decode()
        for each in text.decode(errors="backslashreplace")
    )


def number(value: int, enough: int = 1000) -> str:
    """Return a count that stopped at `enough`."""
    return f"{value:,}" if value < enough else f"{enough:,}+"


_pages = Environment(
    loader=FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_pages.filters |= {"instant": instant, "web_address": web_address, "body": body, "number": number}
