"""The facts of an award as they are sent: recipient, times, narrative, evidence."""

from __future__ import annotations

from typing import Any

from worker.sandbox.fields import (
    Field,
    Invalid,
    boolean,
    choice,
    clean,
    email,
    list_of,
    mapping,
    markdown,
    moment,
    telephone,
    text,
    url,
)
from worker.sandbox.ledger import Recipient
from worker.sandbox.moments import stored_epoch

_KINDS = {"email": email, "openBadgeId": url, "telephone": telephone, "url": url}
_HASHED = {"email", "telephone"}
_FIRST_YEAR = "1583"
_RECIPIENT = {
    "identity": Field(text, required=True),
    "type": Field(choice(*_KINDS)),
    "hashed": Field(boolean, nullable=True),
}
_EVIDENCE = {"url": Field(url), "narrative": Field(markdown)}


def facts(now: float) -> dict[str, Field]:
    """Return how each fact is read; `now` is what `issuedOn` must lie before."""

    def issued_on(value: Any) -> str:
        read = moment(value)
        if read >= stored_epoch(now):
            raise Invalid(["Only issuedOn dates in the past are acceptable."])
        if read < _FIRST_YEAR:
            words = "Only issuedOn dates after the introduction of the Gregorian calendar are allowed."
            raise Invalid([words])
        return read

    return {
        "recipient": Field(read_recipient),
        "issuedOn": Field(issued_on),
        "expires": Field(moment, nullable=True),
        "narrative": Field(markdown, nullable=True),
        "evidence": Field(list_of(_read_evidence)),
        "extensions": Field(mapping),
    }


def read_recipient(value: Any) -> Recipient:
    """Read whom an award is for; a ready-made hash is no address and is refused."""
    values = clean(value, _RECIPIENT)
    kind = values.get("type", "email")
    try:
        _KINDS[kind](values["identity"])
    except Invalid as invalid:
        raise Invalid({"non_field_errors": invalid.errors}) from invalid
    hashed = values.get("hashed")
    return Recipient(values["identity"], kind, kind in _HASHED if hashed is None else hashed)


def _read_evidence(value: Any) -> dict[str, Any]:
    values = clean(value, _EVIDENCE)
    if not values.get("url") and not values.get("narrative"):
        raise Invalid({"non_field_errors": ["Either url or narrative is required"]})
    return values
