"""The provider's own words, out of every shape its errors have, with nobody's address in them.

`fieldErrors` is a dict, a list or a string, its values are lists, strings or dicts again; other errors are a
string, an HTML page or nothing (facts/badgr-api.md section 1, points 8 and 9).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.adapters.badgr.http import Answer

_LONGEST = 400
_DEEPEST = 20  # levels of an error that are read: what the service sends has four

_ADDRESS = re.compile(r".(?:@|%40).", re.IGNORECASE)
_UNSEEN = re.compile(r"<(script|style|head)\b.*?</\1\s*>|<!--.*?-->", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")

# What an error says beside its texts, in the order in which they tell most.
_TEXTS = ("fieldErrors", "validationErrors", "nonFieldErrors", "error_description", "error", "detail")


def words_of(answer: Answer) -> str:
    """Return what an answer says, on one line and not too long; a sentence of ours if it says nothing."""
    found = answer.json()
    if found is None:
        text = answer.body[: 8 * 1024].decode("utf-8", "replace")
        said = _TAG.sub(" ", _UNSEEN.sub(" ", text))
    else:
        said = "; ".join(_said(found))
    return tidy(said) or f"no words, only HTTP {answer.status}"


def words_in(errors: Any) -> str:
    """Return what a part of an error says, each text with the name of its field."""
    return tidy("; ".join(f"{field}: {text}" if field else text for field, text in leaves(errors)))


def leaves(errors: Any, field: str = "", deepest: int = _DEEPEST) -> Iterator[tuple[str, str]]:
    """Yield every text in an error with the dotted name of its field, as ``("recipient.type", "…")``."""
    if isinstance(errors, dict | list) and deepest == 0:
        yield field, "…"
    elif isinstance(errors, dict):
        for name, value in errors.items():
            inner = field if name == "non_field_errors" else f"{field}.{name}".lstrip(".")
            yield from leaves(value, inner, deepest - 1)
    elif isinstance(errors, list):
        for value in errors:
            yield from leaves(value, field, deepest - 1)
    elif errors not in (None, "", False):
        yield field, str(errors)


def tidy(text: str) -> str:
    """Return a text on one line, without addresses, cut where it gets too long, fit to be kept."""
    text = text.replace("\0", "").encode("utf-8", "replace").decode()  # what no database keeps
    masked = " ".join("<address>" if _ADDRESS.search(word) else word for word in text.split())
    return masked if len(masked) <= _LONGEST else masked[: _LONGEST - 1] + "…"


def _said(found: Any) -> Iterator[str]:
    if not isinstance(found, dict):
        yield from filter(None, [words_in(found)])
        return
    named = [words_in(found.get(name)) for name in _TEXTS]
    status = found.get("status")
    description = status.get("description") if isinstance(status, dict) else None
    if any(named):
        yield from filter(None, named)
    else:
        yield words_in(description) or words_in(found)
