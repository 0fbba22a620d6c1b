"""Issuers (S3-08, S3-12, S3-18, S3-25, S3-43)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adapters.badgr.models.issuers import IssuerIn, IssuerOut
from worker.adapters.badgr.paging import Changes, listed
from worker.adapters.badgr.resource import Resource, path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


class Issuers(Resource):
    """The issuers where one account is staff."""

    def all(self, *, include_staff: bool = True) -> Iterator[IssuerOut]:
        """List them (S3-25); the service has no pages for this list."""
        query = [] if include_staff else [("include_staff", "false")]
        return listed(self._connection, path("issuers"), query, "the issuers", IssuerOut)

    def changed(self, since: datetime | None = None, num: int | None = None) -> Changes[IssuerOut]:
        """List the issuers that changed after `since`, oldest change first."""
        return Changes(self._connection, path("issuers", "changed"), IssuerOut, since, num)

    def get(self, issuer: str) -> IssuerOut:
        """Return an issuer (S3-18)."""
        return self._one("GET", path("issuers", issuer), _about(issuer), IssuerOut)

    def create(self, issuer: IssuerIn) -> IssuerOut:
        """Make an issuer, which the account then owns (S3-08)."""
        return self._one("POST", path("issuers"), "the new issuer", IssuerOut, json=issuer.body())

    def update(self, issuer: str, changed: IssuerIn) -> IssuerOut:
        """Replace an issuer (S3-43); name, email and url are wanted again."""
        return self._one("PUT", path("issuers", issuer), _about(issuer), IssuerOut, json=changed.body())

    def delete(self, issuer: str) -> None:
        """Delete an issuer with its unused badge classes (S3-12).

        For its owner alone; refused while any assertion is not revoked.
        """
        self._done("DELETE", path("issuers", issuer), _about(issuer))


def _about(issuer: str) -> str:
    return f"issuer {issuer}"
