"""The Badgr API as the use cases need it: the port `Provider` for one issuer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from worker.adapters.badgr.assertions import Assertions
from worker.adapters.badgr.awards import Awards
from worker.adapters.badgr.badgeclasses import BadgeClasses
from worker.adapters.badgr.calls import Calls
from worker.adapters.badgr.client import BadgrClient
from worker.adapters.badgr.connection import Connection
from worker.adapters.badgr.errors import error_of, went_well
from worker.adapters.badgr.holdings import HeldChanges, Holdings
from worker.adapters.badgr.http import Http, Request
from worker.adapters.badgr.models.assertions import normal
from worker.adapters.badgr.revocations import Revocations
from worker.adapters.badgr.sign_in import SignIn
from worker.awards import NotMade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from worker.adapters.badgr.sign_in import Credentials
    from worker.adapters.tokens import TokenStore
    from worker.awards import Assertion, Grant, Outcome, Refusal
    from worker.comparison import Held
    from worker.ports import Permits

_NOT_FOUND = 404
_SIGN_IN_SECONDS = 15.0


class BadgrProvider:
    """One issuer's connection to a Badgr service at `base_url`.

    `deadline` is the total time of one call in seconds, counted from its permit on and before `before_send`:
    what a lease must outlast. Nothing connects before the first call.
    """

    def __init__(
        self,
        issuer_id: str,
        base_url: str,
        credentials: Credentials,
        permits: Permits,
        tokens: TokenStore,
        deadline: float,
    ) -> None:
        http = Http(base_url)
        seconds = min(deadline, _SIGN_IN_SECONDS)
        signing_in = Calls(issuer_id, http, permits, seconds)
        sign_in = SignIn(signing_in, credentials, base_url, tokens, seconds)
        self.issuer_id = issuer_id
        self._connect = partial(Connection, Calls(issuer_id, http, permits, deadline), sign_in)
        self._connection = self._connect()
        self._awards = Awards(self._connection)
        self._revocations = Revocations(self._connection)
        self._holdings = Holdings(Assertions(self._connection))
        self._badgeclasses = BadgeClasses(self._connection)

    def __repr__(self) -> str:
        return f"BadgrProvider({self.issuer_id!r})"

    def client(self, patience: float = 0.0) -> BadgrClient:
        """Return the whole API over this connection; calls wait up to `patience` seconds for permits."""
        return BadgrClient(self._connect(patience))

    def issue(
        self, badgeclass: str, grants: Sequence[Grant], before_send: Callable[[], None]
    ) -> Sequence[Outcome]:
        """Ask for one assertion for each grant, in one call; one outcome for each, in order.

        A second grant for an address is left out: the service would save both (facts/badgr-api.md section 6).
        """
        first = {normal(grant.recipient): index for index, grant in reversed(list(enumerate(grants)))}
        asked = sorted(first.values())
        made = self._awards.award(badgeclass, [grants[index] for index in asked], before_send)
        outcomes = dict(zip(asked, made, strict=True))
        return [outcomes.get(index, NotMade()) for index in range(len(grants))]

    def find(self, badgeclass: str, recipients: Sequence[str]) -> Sequence[Assertion]:
        """List the assertions of these addresses, revoked and expired ones included."""
        return self._awards.of(badgeclass, recipients)

    def revoke(
        self, revocations: Sequence[tuple[str, str]], before_send: Callable[[], None]
    ) -> Sequence[Refusal | None]:
        """Revoke these assertions in one call; for each, in order, why it is not revoked."""
        return self._revocations.revoke(revocations, before_send)

    def changed(self, since: datetime | None) -> HeldChanges:
        """Return what changed after `since`, or everything; a call for each page when it is gone through."""
        return self._holdings.changed(since)

    def held(self, badgeclass: str) -> Iterator[Held]:
        """Yield every assertion of a badge class; a call for each page."""
        return self._holdings.held(badgeclass)

    def check(self) -> None:
        """Sign in and see that the token is accepted.

        A token for issuers alone may not see its profile, which is a 404 and no less accepted.
        """
        answer = self._connection.call(Request("GET", "/v2/users/self"), "the account", but={_NOT_FOUND})
        if not went_well(answer) and answer.json() is None:
            raise error_of(answer, "the account")

    def badgeclass_exists(self, badgeclass: str) -> bool:
        """Say whether the provider knows the badge class and lets us see it."""
        return self._badgeclasses.exists(badgeclass)
