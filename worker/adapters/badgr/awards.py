"""The worker's own awards: make assertions and find them again (S3-30, S3-31, S3-22)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from worker.adapters.badgr.errors import error_of, went_well
from worker.adapters.badgr.http import Request
from worker.adapters.badgr.models.assertions import normal
from worker.adapters.badgr.models.grants import assertions_in, award_body
from worker.adapters.badgr.paging import pages
from worker.adapters.badgr.refusals import refusals_in
from worker.errors import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from worker.adapters.badgr.connection import Connection
    from worker.adapters.badgr.http import Answer
    from worker.awards import Assertion, Grant, Outcome

_BAD_REQUEST = 400
_EVERYTHING = (("include_expired", "1"), ("include_revoked", "1"))

# Servers in front of the API refuse longer request lines: gunicorn at 4,094 bytes, nginx at 8,192.
_LONGEST_TARGET = 3500


class Awards:
    """The awards of one issuer, as the use cases speak of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def award(
        self, badgeclass: str, grants: Sequence[Grant], before_send: Callable[[], None]
    ) -> Sequence[Outcome]:
        """Make one assertion for each grant in one call: all of them, or none if any is refused."""
        bodies = [award_body(grant) for grant in grants]
        path = _path(badgeclass, "assertions" if len(bodies) == 1 else "issue")
        request = Request("POST", path, json=bodies[0] if len(bodies) == 1 else {"assertions": bodies})
        about = f"badge class {badgeclass}"
        answer = self._connection.call(request, about, but={_BAD_REQUEST}, before_send=before_send)
        if went_well(answer):
            return _made(answer, [normal(grant.recipient) for grant in grants])
        refusals = refusals_in(answer, len(grants))
        if refusals is None:
            raise error_of(answer, about)
        return refusals

    def of(self, badgeclass: str, recipients: Sequence[str]) -> list[Assertion]:
        """List the assertions of these addresses, revoked and expired ones included.

        One call, unless the addresses are too long for one URL or the provider answers in pages.
        """
        wanted = list(dict.fromkeys(map(normal, recipients)))
        found = [each for part in _parts(wanted) for each in self._listed(badgeclass, part)]
        return [each for each in found if each.recipient in wanted]

    def _listed(self, badgeclass: str, recipients: Sequence[str]) -> Iterator[Assertion]:
        query = [*(("recipient", each) for each in recipients), *_EVERYTHING]
        for answer in pages(
            self._connection, _path(badgeclass, "assertions"), query, f"badge class {badgeclass}"
        ):
            yield from assertions_in(answer, recipients)


def _made(answer: Answer, recipients: Sequence[str]) -> list[Assertion]:
    """Return the new assertions in the order asked; an answer for others than those tells nothing."""
    found = assertions_in(answer, recipients)
    made = {each.recipient: each for each in found}
    if len(found) != len(recipients) or set(made) != set(recipients):
        raise NoAnswer("the provider confirms other assertions than were asked for", answer.status)
    return [made[recipient] for recipient in recipients]


def _parts(recipients: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the addresses in parts that fit into one URL."""
    part: list[str] = []
    length = 0
    for each in recipients:
        size = len("recipient=&" + quote(each, safe=""))
        if part and length + size > _LONGEST_TARGET:
            yield part
            part, length = [], 0
        part.append(each)
        length += size
    if part:
        yield part


def _path(badgeclass: str, what: str) -> str:
    return f"/v2/badgeclasses/{quote(badgeclass, safe='')}/{what}"
