"""Assertions: lists, one, changes, revoking (S3-16, S3-19, S3-22, S3-37, S3-38, S1-09)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from worker.adapters.badgr.http import Request
from worker.adapters.badgr.models.assertions import AssertionOut, RevocationOut, normal
from worker.adapters.badgr.models.base import read_all, read_one
from worker.adapters.badgr.paging import Changes, Query, listed, page_size
from worker.errors import ConfigurationError, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from worker.adapters.badgr.connection import Connection

_NO_REASON = "revoking needs a reason: the provider shows it to whoever looks the assertion up"


class Assertions:
    """The assertions that one account may see."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def of_badgeclass(
        self,
        badgeclass: str,
        recipients: Sequence[str] = (),
        *,
        include_expired: bool = False,
        include_revoked: bool = False,
        num: int | None = None,
    ) -> Iterator[AssertionOut]:
        """List what was awarded of one badge class (S3-22, S1-09), to these addresses alone if there are any.

        Whole and oldest first; with `num` in pages of so many, newest first, a call for each.
        """
        path = f"/v2/badgeclasses/{quote(badgeclass, safe='')}/assertions"
        query = _query(recipients, include_expired, include_revoked, num)
        return listed(self._connection, path, query, f"badge class {badgeclass}", AssertionOut)

    def of_issuer(
        self,
        issuer: str,
        recipients: Sequence[str] = (),
        *,
        include_expired: bool = False,
        include_revoked: bool = False,
        num: int | None = None,
    ) -> Iterator[AssertionOut]:
        """List what one issuer awarded (S3-19, S1-09), as `of_badgeclass` does."""
        path = f"/v2/issuers/{quote(issuer, safe='')}/assertions"
        query = _query(recipients, include_expired, include_revoked, num)
        return listed(self._connection, path, query, f"issuer {issuer}", AssertionOut)

    def changed(self, since: datetime | None = None, num: int | None = None) -> Changes[AssertionOut]:
        """List what was made, changed or revoked after `since` at all issuers where the account is staff.

        Oldest change first, in pages of `num` (the service takes 100 without it). Tokens of a single issuer
        may not read it: Refused with status 404, as where a service has no such feed.
        """
        return Changes(self._connection, "/v2/assertions/changed", AssertionOut, since, num)

    def get(self, assertion: str) -> AssertionOut:
        """Return one assertion (S3-16)."""
        answer = self._connection.call(Request("GET", _path(assertion)), f"assertion {assertion}")
        return read_one(answer, AssertionOut)

    def revoke(self, assertion: str, reason: str) -> AssertionOut | None:
        """Revoke an assertion for good (S3-37) and return it as it is then, if the service shows it.

        The connector's page calls the reason optional and the answer a 204 (X-31): the open service wants
        `revocation_reason` in the body of the DELETE and answers 200 with the assertion. Raises Refused with
        the words "Assertion is already revoked" for one that was.
        """
        body = {"revocation_reason": _reason(reason)}
        answer = self._connection.call(
            Request("DELETE", _path(assertion), json=body), f"assertion {assertion}"
        )
        return read_one(answer, AssertionOut) if answer.body.strip() else None

    def revoke_many(self, revocations: Sequence[tuple[str, str]]) -> list[RevocationOut]:
        """Revoke these, each with its reason, in one call; one result for each, in order (S3-38).

        Some may be revoked and some not: it is no error, but stands in each result. The connector's page
        prints another body and another answer (X-24); this sends ``[{entityId, revocationReason}]``.
        """
        if not revocations:
            return []
        body = [
            {"entityId": assertion, "revocationReason": _reason(reason)} for assertion, reason in revocations
        ]
        answer = self._connection.call(Request("POST", "/v2/assertions/revoke", json=body), "the revocations")
        found = read_all(answer, RevocationOut)
        if [each.entity_id for each in found] != [assertion for assertion, _ in revocations]:
            raise NoAnswer("the provider tells of other revocations than were asked for", answer.status)
        return found


def _query(recipients: Sequence[str], expired: bool, revoked: bool, num: int | None) -> Query:
    query = [("recipient", normal(each)) for each in recipients]
    query += [("include_expired", "1")] if expired else []
    query += [("include_revoked", "1")] if revoked else []
    return query + page_size(num)


def _reason(reason: str) -> str:
    if not reason.strip():
        raise ConfigurationError(_NO_REASON)
    return reason


def _path(assertion: str) -> str:
    return f"/v2/assertions/{quote(assertion, safe='')}"
