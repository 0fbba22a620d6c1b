"""Tokens of the account and of single issuers (S3-17, S3-26, S3-35, S3-36)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adapters.badgr.http import Request
from worker.adapters.badgr.models.base import read_all
from worker.adapters.badgr.models.tokens import AccessTokenOut, IssuerTokenOut
from worker.adapters.badgr.paging import listed
from worker.adapters.badgr.resource import Resource, path
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Tokens(Resource):
    """What lets programs act for the account."""

    def all(self) -> Iterator[AccessTokenOut]:
        """List the account's tokens that have not run out (S3-26), without their secrets."""
        return listed(self._connection, path("auth", "tokens"), [], "the tokens", AccessTokenOut)

    def get(self, token: str) -> AccessTokenOut:
        """Return one of the account's tokens by its id (S3-17).

        The open service answers 500 for an id that it does not know, which cannot be told from an outage.
        """
        return self._one("GET", path("auth", "tokens", token), f"token {token}", AccessTokenOut)

    def revoke(self, token: str) -> None:
        """Revoke one of the account's tokens by its id (S3-36)."""
        self._done("DELETE", path("auth", "tokens", token), f"token {token}")

    def of_issuers(self, issuers: Sequence[str]) -> list[IssuerTokenOut]:
        """Return a token for each of these issuers that is good for nothing else (S3-35).

        The connector's page has the answer as body (X-32): what the service wants is ``{"issuers": [ids]}``,
        and it answers 200 with a list. The same issuer gets the same token again.
        """
        if not issuers:
            raise ConfigurationError("tokens of issuers: of which ones?")
        request = Request("POST", path("tokens", "issuers"), json={"issuers": list(issuers)})
        return read_all(self._connection.call(request, "the issuers' tokens"), IssuerTokenOut)
