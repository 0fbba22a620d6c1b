"""Badge classes (S1-01 to S1-03, S1-06 to S1-08, S1-11 to S1-15, S1-18, S1-19 and their like of seed 003)."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from worker.adapters.badgr.errors import error_of, went_well
from worker.adapters.badgr.http import Request
from worker.adapters.badgr.models.badgeclasses import BadgeClassIn, BadgeClassOut, DuplicateIn
from worker.adapters.badgr.paging import Changes, listed, page_size
from worker.adapters.badgr.resource import Resource, flag, path
from worker.errors import ConfigurationError, InvalidDefinition

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

_NOT_FOUND = 404


class BadgeClasses(Resource):
    """The badge classes that one account may see.

    What has `ref` in its name takes a badge class by its Open Badge id, which is the URL under `/public/`;
    only the hosted service knows these calls, and `duplicate`, `archive` and `reactivate`.
    """

    def all(self, *, include_archived: bool = False, num: int | None = None) -> Iterator[BadgeClassOut]:
        """List the badge classes of all issuers where the account is staff (S1-13, S3-27)."""
        query = flag("include_archived", include_archived) + page_size(num)
        return listed(self._connection, path("badgeclasses"), query, "the badge classes", BadgeClassOut)

    def of_issuer(
        self, issuer: str, *, include_archived: bool = False, num: int | None = None
    ) -> Iterator[BadgeClassOut]:
        """List the badge classes of one issuer (S1-11, S3-24)."""
        query = flag("include_archived", include_archived) + page_size(num)
        where = path("issuers", issuer, "badgeclasses")
        return listed(self._connection, where, query, f"issuer {issuer}", BadgeClassOut)

    def changed(self, since: datetime | None = None, num: int | None = None) -> Changes[BadgeClassOut]:
        """List the badge classes that changed after `since`, oldest change first."""
        return Changes(self._connection, path("badgeclasses", "changed"), BadgeClassOut, since, num)

    def get(self, badgeclass: str, *, include_archived: bool = False) -> BadgeClassOut:
        """Return a badge class (S1-01, S3-13); an archived one only if asked for, else it is not there."""
        return self._get(path("badgeclasses", badgeclass), badgeclass, include_archived)

    def get_by_ref(self, open_badge_id: str, *, include_archived: bool = False) -> BadgeClassOut:
        """Return a badge class by its Open Badge id (S1-06)."""
        return self._get(_by_ref(open_badge_id), open_badge_id, include_archived)

    def _get(self, where: str, badgeclass: str, include_archived: bool) -> BadgeClassOut:
        query = flag("include_archived", include_archived)
        return self._one("GET", where, _about(badgeclass), BadgeClassOut, query=query)

    def exists(self, badgeclass: str) -> bool:
        """Say whether the badge class is there for us; unknown and forbidden look the same."""
        request = Request("GET", path("badgeclasses", badgeclass))
        answer = self._connection.call(request, _about(badgeclass), but={_NOT_FOUND})
        if not went_well(answer) and answer.json() is None:
            raise error_of(answer, _about(badgeclass))  # this service has no such path at all
        return went_well(answer)

    def create(self, badgeclass: BadgeClassIn) -> BadgeClassOut:
        """Make a badge class of the issuer that it names (S1-14, S3-05).

        The `num` that the connector's page puts here belongs to lists (X-23) and is not sent.
        """
        _check_new(badgeclass)
        if badgeclass.issuer is None:
            raise InvalidDefinition(["issuer: missing; whose badge class is it to be?"])
        about = "the new badge class"
        return self._one("POST", path("badgeclasses"), about, BadgeClassOut, json=badgeclass.body())

    def create_of_issuer(self, issuer: str, badgeclass: BadgeClassIn) -> BadgeClassOut:
        """Make a badge class of this issuer (S1-12, S3-09); if it names one too, it is the same (X-22)."""
        _check_new(badgeclass)
        if badgeclass.issuer not in {None, issuer}:
            raise InvalidDefinition(["issuer: another one than the badge class is to be made for"])
        where = path("issuers", issuer, "badgeclasses")
        return self._one("POST", where, f"issuer {issuer}", BadgeClassOut, json=badgeclass.body())

    def update(self, badgeclass: str, changed: BadgeClassIn) -> BadgeClassOut:
        """Replace a badge class (S1-02, S3-39).

        Whether assertions of it get new pictures differs by service: the hosted one bakes them anew, the open
        one does not (X-14). Recipient and times of an assertion stay in any case.
        """
        return self._update(path("badgeclasses", badgeclass), badgeclass, changed)

    def update_by_ref(self, open_badge_id: str, changed: BadgeClassIn) -> BadgeClassOut:
        """Replace a badge class by its Open Badge id (S1-07), as `update` does."""
        return self._update(_by_ref(open_badge_id), open_badge_id, changed)

    def _update(self, where: str, badgeclass: str, changed: BadgeClassIn) -> BadgeClassOut:
        if changed.issuer is not None:
            raise InvalidDefinition(["issuer: a badge class stays with its issuer (S1-30)"])
        return self._one("PUT", where, _about(badgeclass), BadgeClassOut, json=changed.body())

    def delete(
        self, badgeclass: str, *, hard_delete: bool | None = None, archival_note: str | None = None
    ) -> None:
        """Delete a badge class, or let the hosted service archive it (S1-03, S3-10; owners and editors only).

        The hosted service archives unless `hard_delete` is true (X-16). The open one knows neither parameter
        and deletes; it refuses while assertions are live.
        """
        self._delete(path("badgeclasses", badgeclass), badgeclass, hard_delete, archival_note)

    def delete_by_ref(
        self, open_badge_id: str, *, hard_delete: bool | None = None, archival_note: str | None = None
    ) -> None:
        """Delete or archive a badge class by its Open Badge id (S1-08), as `delete` does."""
        self._delete(_by_ref(open_badge_id), open_badge_id, hard_delete, archival_note)

    def _delete(self, where: str, badgeclass: str, hard: bool | None, note: str | None) -> None:
        if hard and note is not None:
            raise ConfigurationError("archival_note: what is deleted for good has nobody to read it")
        query = [] if hard is None else [("hard_delete", "true" if hard else "false")]
        query += [] if note is None else [("archivalNote", note)]
        self._done("DELETE", where, _about(badgeclass), query=query)

    def archive(self, badgeclass: str, note: str | None = None) -> None:
        """Archive a badge class, after seeing that the service archives at all: another would delete it."""
        if self.get(badgeclass, include_archived=True).archived is None:
            raise ConfigurationError(
                f"{_about(badgeclass)}: this service archives nothing; it would delete it for good"
            )
        self.delete(badgeclass, hard_delete=False, archival_note=note)

    def duplicate(self, badgeclass: str, new_name: str) -> BadgeClassOut:
        """Copy a badge class under a new name (S1-15)."""
        body = DuplicateIn(new_name=new_name).body()
        where = path("badgeclasses", badgeclass, "duplicate")
        return self._one("POST", where, _about(badgeclass), BadgeClassOut, json=body)

    def reactivate(self, badgeclass: str) -> BadgeClassOut:
        """Bring an archived badge class back (S1-18)."""
        where = path("badgeclasses", "reactivate", badgeclass)
        return self._one("POST", where, _about(badgeclass), BadgeClassOut)

    def reactivate_by_ref(self, open_badge_id: str) -> BadgeClassOut:
        """Bring an archived badge class back by its Open Badge id (S1-19)."""
        where = path("badgeclasses", "reactivate", "ref", _ref(open_badge_id))
        return self._one("POST", where, _about(open_badge_id), BadgeClassOut)


def _check_new(badgeclass: BadgeClassIn) -> None:
    if badgeclass.image is None:
        raise InvalidDefinition(["image: missing; a new badge class needs one"])


def _by_ref(open_badge_id: str) -> str:
    return path("badgeclasses", "ref", _ref(open_badge_id))


def _ref(open_badge_id: str) -> str:
    return base64.b64encode(open_badge_id.encode()).decode()


def _about(badgeclass: str) -> str:
    return f"badge class {badgeclass}"
