"""Which grants a 400 refuses, and why. Nothing of a refused call was saved, the good grants neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.adapters.badgr.words import leaves, words_in
from worker.awards import NotMade, Refusal, RefusalKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.adapters.badgr.http import Answer

# The two sentences by which the provider's refusals are told apart (facts/badgr-api.md section 3).
DUPLICATE = "A previous award of this badge already exists for this recipient."
TOO_EARLY = "Only issuedOn dates in the past are acceptable."


def refusals_in(answer: Answer, grants: int) -> Sequence[Refusal | NotMade] | None:
    """Return one outcome for each grant, in order, or None if the answer does not tell them apart."""
    body = answer.json()
    if not isinstance(body, dict):
        return None
    fields, whole = body.get("fieldErrors"), body.get("validationErrors") or body.get("nonFieldErrors")
    if grants == 1 and not isinstance(fields, list):
        return _single(fields, whole)
    # A batch lists its errors by position; an error of the call as a whole belongs to no grant.
    if whole or not isinstance(fields, list) or len(fields) != grants or not any(fields):
        return None
    return [_refusal(errors) if errors else NotMade() for errors in fields]


def _single(fields: Any, whole: Any) -> Sequence[Refusal] | None:
    errors = [each for each in (fields, whole) if each]
    return [_refusal(errors)] if errors else None


def _refusal(errors: Any) -> Refusal:
    return Refusal(_kind({text for _, text in leaves(errors)}), words_in(errors))


def _kind(texts: set[str]) -> RefusalKind:
    """Say what follows; what a person must mend comes first, for time and looking up do not mend it."""
    if texts - {DUPLICATE, TOO_EARLY}:
        return RefusalKind.PERMANENT
    return RefusalKind.DUPLICATE if DUPLICATE in texts else RefusalKind.TOO_EARLY
