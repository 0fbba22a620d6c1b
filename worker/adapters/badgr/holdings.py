"""All that the service holds, for comparing it with our awards (S3-22; facts/badgr-api.md section 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.comparison import Held

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from worker.adapters.badgr.assertions import Assertions
    from worker.adapters.badgr.models.assertions import AssertionOut
    from worker.adapters.badgr.paging import Changes

_PAGE = 200  # assertions that one call asks for: about 180 KB


class HeldChanges:
    """A feed of changed assertions in the worker's words."""

    def __init__(self, changes: Changes[AssertionOut]) -> None:
        self._changes = changes

    @property
    def timestamp(self) -> datetime | None:
        """Return the `since` of the next time, once the first page was read."""
        return self._changes.timestamp

    def __iter__(self) -> Iterator[Held]:
        """Yield the changes, a call for each page."""
        for each in self._changes:
            yield Held(each.badgeclass, each.assertion())


class Holdings:
    """What one account may see."""

    def __init__(self, assertions: Assertions) -> None:
        self._assertions = assertions

    def changed(self, since: datetime | None) -> HeldChanges:
        """Return what changed, at all issuers where the account is staff."""
        return HeldChanges(self._assertions.changed(since, _PAGE))

    def held(self, badgeclass: str) -> Iterator[Held]:
        """Yield every assertion of a badge class, a call for each page."""
        found = self._assertions.of_badgeclass(
            badgeclass, include_expired=True, include_revoked=True, num=_PAGE
        )
        return (Held(badgeclass, each.assertion()) for each in found)
