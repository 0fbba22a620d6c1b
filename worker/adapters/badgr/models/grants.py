"""What the worker's own awards look like on the wire, there and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.adapters.badgr.models.assertions import AssertionRead, normal
from worker.adapters.badgr.models.base import moment_text, read_all

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.adapters.badgr.http import Answer
    from worker.awards import Assertion, Grant


def assertions_in(answer: Answer, asked: Iterable[str]) -> list[Assertion]:
    """Read the assertions out of an answer; one that cannot be read tells nothing: NoAnswer."""
    asked = tuple(asked)
    return [each.assertion(asked) for each in read_all(answer, AssertionRead)]


def award_body(grant: Grant) -> dict[str, Any]:
    """Return what to post for one grant.

    Lower case, since the provider compares the address as sent and stores it in lower case; and never
    duplicates, which it makes by default (facts/badgr-api.md section 1, points 1 and 5).
    """
    body: dict[str, Any] = {
        "recipient": {"identity": normal(grant.recipient), "type": "email", "hashed": True},
        "issuedOn": moment_text(grant.issued_on),
        "allowDuplicateAwards": False,
        "notify": grant.notify,
    }
    if grant.narrative is not None:
        body["narrative"] = grant.narrative
    if grant.evidence:
        body["evidence"] = [{name: text for name, text in each.items() if text} for each in grant.evidence]
    if grant.expires is not None:
        body["expires"] = moment_text(grant.expires)
    return body
