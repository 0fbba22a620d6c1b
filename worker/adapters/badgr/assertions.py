"""Assertions (S1-09, S1-10, S3-16, S3-19, S3-22, S3-29 to S3-31, S3-37, S3-38, S3-42)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adapters.badgr.errors import error_of, went_well
from worker.adapters.badgr.http import Request
from worker.adapters.badgr.models.assertions import (
    AssertionChangeIn,
    AssertionIn,
    AssertionOut,
    RevocationOut,
    normal,
)
from worker.adapters.badgr.models.base import read_all, read_one
from worker.adapters.badgr.paging import Changes, Query, listed, page_size
from worker.adapters.badgr.refusals import refusals_in
from worker.adapters.badgr.resource import Resource, path
from worker.errors import ConfigurationError, InvalidDefinition, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from worker.adapters.badgr.http import Answer
    from worker.awards import NotMade, Refusal

_BAD_REQUEST = 400
_NO_REASON = "revoking needs a reason: the provider shows it to whoever looks the assertion up"


class Assertions(Resource):
    """The assertions that one account may see."""

    def issue(self, badgeclass: str, assertion: AssertionIn) -> AssertionOut:
        """Award a badge class to one recipient (S3-30, S1-10)."""
        _not_named(assertion)
        where = path("badgeclasses", badgeclass, "assertions")
        return self._one("POST", where, f"badge class {badgeclass}", AssertionOut, json=assertion.body())

    def issue_by_issuer(self, issuer: str, assertion: AssertionIn) -> AssertionOut:
        """Award a badge class of this issuer, which the assertion names, to one recipient (S3-29, S1-10)."""
        if len(assertion.named()) != 1:
            raise InvalidDefinition(
                ["badgeclass, badgeclass_open_badge_id, badgeclass_name: exactly one of them, please"]
            )
        where = path("issuers", issuer, "assertions")
        return self._one("POST", where, f"issuer {issuer}", AssertionOut, json=assertion.body())

    def issue_many(
        self, badgeclass: str, assertions: Sequence[AssertionIn]
    ) -> list[AssertionOut] | list[Refusal | NotMade]:
        """Award a badge class to many in one call (S3-31): all of them, or none if any is refused.

        If some are refused, the outcome of each says so, in order: Refusal, or NotMade for a good one that
        can be sent again without those. The connector's page prints the body of a single award (X-25); this
        sends ``{"assertions": [...]}`` and leaves `create_notification` out, which does nothing here: it is
        `notify` of each. A call that ends uncertainly may have made the first ones.
        """
        _check_many(assertions)
        if not assertions:
            return []
        about = f"badge class {badgeclass}"
        body = {"assertions": [each.body() for each in assertions]}
        request = Request("POST", path("badgeclasses", badgeclass, "issue"), json=body)
        answer = self._connection.call(request, about, but={_BAD_REQUEST})
        if went_well(answer):
            return _as_many(answer, len(assertions))
        refusals = refusals_in(answer, len(assertions))
        if refusals is None:
            raise error_of(answer, about)
        return list(refusals)

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
        where = path("badgeclasses", badgeclass, "assertions")
        query = _query(recipients, include_expired, include_revoked, num)
        return listed(self._connection, where, query, f"badge class {badgeclass}", AssertionOut)

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
        where = path("issuers", issuer, "assertions")
        query = _query(recipients, include_expired, include_revoked, num)
        return listed(self._connection, where, query, f"issuer {issuer}", AssertionOut)

    def changed(self, since: datetime | None = None, num: int | None = None) -> Changes[AssertionOut]:
        """List what was made, changed or revoked after `since` at all issuers where the account is staff.

        Oldest change first, in pages of `num` (the service takes 100 without it). Tokens of a single issuer
        may not read it: Refused with status 404, as where a service has no such feed.
        """
        return Changes(self._connection, path("assertions", "changed"), AssertionOut, since, num)

    def get(self, assertion: str) -> AssertionOut:
        """Return one assertion (S3-16)."""
        return self._one("GET", _path(assertion), f"assertion {assertion}", AssertionOut)

    def update(self, assertion: str, changed: AssertionChangeIn) -> AssertionOut:
        """Change an assertion (S3-42); its picture gets a new URL, and the old one is gone."""
        return self._one("PUT", _path(assertion), f"assertion {assertion}", AssertionOut, json=changed.body())

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
        if not all(assertion for assertion, _ in revocations):
            raise ConfigurationError("revoking: each needs the id of an assertion")
        body = [
            {"entityId": assertion, "revocationReason": _reason(reason)} for assertion, reason in revocations
        ]
        answer = self._connection.call(
            Request("POST", path("assertions", "revoke"), json=body), "the revocations"
        )
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
    return path("assertions", assertion)


def _as_many(answer: Answer, wanted: int) -> list[AssertionOut]:
    found = read_all(answer, AssertionOut)
    if len(found) != wanted:
        raise NoAnswer("the provider confirms other assertions than were asked for", answer.status)
    return found


def _not_named(*assertions: AssertionIn) -> None:
    """Refuse a badge class in the body beside the one in the path: the service takes exactly one."""
    problems = [
        f"{position}.{way}: the badge class is named already"
        for position, each in enumerate(assertions)
        for way in each.named()
    ]
    if problems:
        raise InvalidDefinition(problems)


def _check_many(assertions: Sequence[AssertionIn]) -> None:
    """Refuse the same recipient twice: the service looks for duplicates before it saves the first one."""
    _not_named(*assertions)
    first: dict[str, int] = {}
    problems = []
    for position, each in enumerate(assertions):
        identity = str(each.recipient.body()["identity"])
        earlier = first.setdefault(identity, position)
        if earlier != position and not each.allow_duplicate_awards:
            problems.append(f"{position}.recipient: the same as of {earlier}")
    if problems:
        raise InvalidDefinition(problems)
