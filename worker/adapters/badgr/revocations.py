"""The worker's own revocations: one or many in a call, each with what became of it (S3-37, S3-38)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from worker.adapters.badgr.errors import error_of, went_well
from worker.adapters.badgr.http import Request
from worker.adapters.badgr.models.assertions import RevocationOut
from worker.adapters.badgr.models.base import read_all
from worker.adapters.badgr.words import tidy, words_of
from worker.awards import Refusal, RefusalKind
from worker.errors import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from worker.adapters.badgr.connection import Connection

_BAD_REQUEST, _NOT_FOUND = 400, 404
_ALREADY = "already revoked"
# What is said to a DELETE whose body a proxy has dropped on the way.
_DROPPED = "revocation_reason"


class Revocations:
    """The revocations of one issuer, as the use cases speak of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def revoke(
        self, revocations: Sequence[tuple[str, str]], before_send: Callable[[], None]
    ) -> Sequence[Refusal | None]:
        """Revoke these; for each, in order, why it is not revoked, or None if it is (perhaps before)."""
        if len(revocations) == 1:
            return self._one(*revocations[0], before_send)
        return self._many(revocations, before_send)

    def _one(self, assertion: str, reason: str, before_send: Callable[[], None]) -> Sequence[Refusal | None]:
        path = f"/v2/assertions/{quote(assertion, safe='')}"
        request = Request("DELETE", path, json={"revocation_reason": reason})
        about = f"assertion {assertion}"
        answer = self._connection.call(
            request, about, but={_BAD_REQUEST, _NOT_FOUND}, before_send=before_send
        )
        if went_well(answer):
            return [None]
        if answer.json() is None:
            raise error_of(answer, about)  # this service has no such path at all
        if answer.status == _NOT_FOUND:
            return [_refusal(f"{about} is unknown to the provider, or these credentials may not revoke it")]
        words = words_of(answer)
        if _DROPPED in words:
            return self._many([(assertion, reason)], before_send)
        return [_refusal(words)]

    def _many(
        self, revocations: Sequence[tuple[str, str]], before_send: Callable[[], None]
    ) -> Sequence[Refusal | None]:
        body = [{"entityId": assertion, "revocationReason": reason} for assertion, reason in revocations]
        request = Request("POST", "/v2/assertions/revoke", json=body)
        answer = self._connection.call(request, "the revocations", before_send=before_send)
        found = read_all(answer, RevocationOut)
        if [each.entity_id for each in found] != [assertion for assertion, _ in revocations]:
            raise NoAnswer("the provider tells of other revocations than were asked for", answer.status)
        return [None if each.revoked else _refusal(each.words or "no words") for each in found]


def _refusal(words: str) -> Refusal | None:
    """Return the refusal, or None where the assertion had been revoked before: what was wanted."""
    return None if _ALREADY in words.lower() else Refusal(RefusalKind.PERMANENT, tidy(words))
