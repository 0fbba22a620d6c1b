"""Users (S3-06, S3-14, S3-40)."""

from __future__ import annotations

from worker.adapters.badgr.http import Request
from worker.adapters.badgr.models.base import read_one
from worker.adapters.badgr.models.users import UserIn, UserOut
from worker.adapters.badgr.resource import Resource, path
from worker.errors import InvalidDefinition, Refused

_NOT_FOUND = 404


class Users(Resource):
    """The account's own profile, and what others show of theirs."""

    def get(self, user: str = "self") -> UserOut:
        """Return a profile (S3-14), the account's own by default; of others the addresses are hidden."""
        return self._one("GET", path("users", user), _about(user), UserOut)

    def update(self, changed: UserIn, user: str = "self") -> UserOut:
        """Change the account's own profile (S3-40): what is not set stays. Nobody may change another's."""
        return self._one("PUT", path("users", user), _about(user), UserOut, json=changed.body())

    def create(self, user: str, profile: UserIn) -> UserOut:
        """Make an account (S3-06), as the connector's page has it.

        The open service makes none here and answers 404 for good (X-28): Refused.
        """
        if not profile.first_name or not profile.last_name:
            raise InvalidDefinition(["first_name and last_name: a new account needs both"])
        request = Request("POST", path("users", user), json=profile.body())
        answer = self._connection.call(request, "the new account", but={_NOT_FOUND})
        if answer.status == _NOT_FOUND:
            raise Refused(_NOT_FOUND, "this service makes no accounts through this API (S3-06)")
        return read_one(answer, UserOut)


def _about(user: str) -> str:
    return "the account" if user == "self" else f"user {user}"
