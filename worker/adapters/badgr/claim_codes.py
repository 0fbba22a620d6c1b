"""Claim codes, by which people claim a badge themselves (S1-04, S1-05, S1-16, S1-17, S1-20, S1-21).

Only the hosted service has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adapters.badgr.models.claim_codes import ClaimCodeIn, ClaimCodeOut
from worker.adapters.badgr.paging import listed
from worker.adapters.badgr.resource import Resource, flag, path

if TYPE_CHECKING:
    from collections.abc import Iterator


class ClaimCodes(Resource):
    """The claim codes of badge classes."""

    def of_badgeclass(self, badgeclass: str, *, include_count: bool = False) -> Iterator[ClaimCodeOut]:
        """List the claim codes of a badge class (S1-16), with how often each was used if asked for."""
        query = flag("includeClaimCodeCount", include_count)
        return listed(self._connection, _path(badgeclass), query, f"badge class {badgeclass}", ClaimCodeOut)

    def create(self, badgeclass: str, code: ClaimCodeIn) -> ClaimCodeOut:
        """Make a claim code (S1-17)."""
        about = f"badge class {badgeclass}"
        return self._one("POST", _path(badgeclass), about, ClaimCodeOut, json=code.body())

    def update(self, badgeclass: str, code: str, changed: ClaimCodeIn) -> ClaimCodeOut:
        """Change a claim code (S1-04)."""
        return self._one("PUT", _path(badgeclass, code), _about(code), ClaimCodeOut, json=changed.body())

    def archive(self, badgeclass: str, code: str) -> None:
        """Archive a claim code (S1-05): the DELETE of a claim code deletes nothing (X-17)."""
        self._done("DELETE", _path(badgeclass, code), _about(code))

    def enable(self, badgeclass: str, code: str) -> ClaimCodeOut:
        """Enable a claim code that was disabled (S1-20)."""
        return self._one("PATCH", _path(badgeclass, code, "enable"), _about(code), ClaimCodeOut)

    def disable(self, badgeclass: str, code: str) -> ClaimCodeOut:
        """Disable a claim code (S1-21)."""
        return self._one("PATCH", _path(badgeclass, code, "disable"), _about(code), ClaimCodeOut)


def _path(badgeclass: str, *more: str) -> str:
    return path("badgeclasses", badgeclass, "claim-codes", *more)


def _about(code: str) -> str:
    return f"claim code {code}"
