"""Signed-in calls to one organization, from which each resource of the API is built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from worker.adapters.badgr.errors import went_well
from worker.adapters.badgr.http import Request
from worker.adapters.credly.errors import error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from worker.adapters.badgr.calls import Calls
    from worker.adapters.badgr.http import Answer


class Connection:
    """One organization's account at Credly. `token` is its authorization token."""

    def __init__(self, calls: Calls, organization: str, token: str) -> None:
        self.organization = organization
        self._calls = calls
        self._token = token

    def call(
        self,
        method: str,
        path: Sequence[str],
        about: str,
        *,
        query: Sequence[tuple[str, str]] = (),
        json: Any = None,
        but: Collection[int] = (),
        before_send: Callable[[], None] | None = None,
    ) -> Answer:
        """Return the answer if it is a success or has one of the statuses in `but`; else raise its error.

        `path` are the parts below the organization; `about` names what the request is about, for whoever
        reads the error.
        """
        parts = ("organizations", self.organization, *path)
        target = "".join(f"/{quote(part, safe='')}" for part in parts)
        request = Request(method, target, query=query, json=json)
        answer = self._calls.send(request, self._token, before_send)
        if went_well(answer) or answer.status in but:
            return answer
        raise error_of(answer, about)
