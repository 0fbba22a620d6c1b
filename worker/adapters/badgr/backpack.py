"""The account's own backpack (S3-20, S3-21, S3-28, S3-33, S3-44, S3-45)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adapters.badgr.http import Request
from worker.adapters.badgr.models.assertions import AssertionIn, AssertionOut
from worker.adapters.badgr.models.backpack import BackpackAssertionOut, ImportIn
from worker.adapters.badgr.models.base import read_one
from worker.adapters.badgr.paging import listed
from worker.adapters.badgr.resource import Resource, flag, path
from worker.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

_BROKE = 500


class Backpack(Resource):
    """What was awarded to the account's own addresses, and what was brought in from elsewhere."""

    def all(
        self, *, include_expired: bool = False, include_revoked: bool = False, include_pending: bool = False
    ) -> Iterator[BackpackAssertionOut]:
        """List it (S3-20); rejected ones are never listed, and there are no pages."""
        query = flag("include_expired", include_expired)
        query += flag("include_revoked", include_revoked) + flag("include_pending", include_pending)
        where = path("backpack", "assertions")
        return listed(self._connection, where, query, "the backpack", BackpackAssertionOut)

    def get(self, assertion: str) -> BackpackAssertionOut:
        """Return one (S3-21)."""
        return self._one("GET", _path(assertion), _about(assertion), BackpackAssertionOut)

    def accept(self, assertion: str) -> BackpackAssertionOut:
        """Accept one (S3-44): of all the page's fields the service heeds `acceptance` alone (X-30)."""
        body = {"acceptance": "Accepted"}
        return self._one("PUT", _path(assertion), _about(assertion), BackpackAssertionOut, json=body)

    def remove(self, assertion: str) -> None:
        """Remove one (S3-33): it counts as rejected, and its issuer still sees it."""
        self._done("DELETE", _path(assertion), _about(assertion))

    def bring_in(self, assertion: ImportIn) -> BackpackAssertionOut:
        """Import an assertion from elsewhere (S3-28); Refused for one that is there already."""
        where = path("backpack", "import")
        return self._one("POST", where, "the import", BackpackAssertionOut, json=assertion.body())

    def upload(self, assertion: AssertionIn) -> AssertionOut:
        """Upload an assertion (S3-45), as the connector's page has it.

        The open service never made it and answers 500 for good (X-29): Refused. `bring_in` is what works.
        """
        request = Request("POST", path("backpack", "assertions"), json=assertion.body())
        answer = self._connection.call(request, "the upload", but={_BROKE})
        if answer.status == _BROKE:
            raise Refused(_BROKE, "this service takes no uploads (S3-45); import the assertion instead")
        return read_one(answer, AssertionOut)


def _path(assertion: str) -> str:
    return path("backpack", "assertions", assertion)


def _about(assertion: str) -> str:
    return f"backpack assertion {assertion}"
