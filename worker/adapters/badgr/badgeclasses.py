"""Badge classes (S3-13)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from worker.adapters.badgr.errors import error_of, went_well
from worker.adapters.badgr.http import Request

if TYPE_CHECKING:
    from worker.adapters.badgr.connection import Connection

_NOT_FOUND = 404


class BadgeClasses:
    """The badge classes that one account may see."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def exists(self, badgeclass: str) -> bool:
        """Say whether the badge class is there for us; unknown and forbidden look the same."""
        about = f"badge class {badgeclass}"
        request = Request("GET", f"/v2/badgeclasses/{quote(badgeclass, safe='')}")
        answer = self._connection.call(request, about, but={_NOT_FOUND})
        if not went_well(answer) and answer.json() is None:
            raise error_of(answer, about)  # this service has no such path at all
        return went_well(answer)
