"""Account recovery: a new password for one who forgot it (S3-32, S3-34). No sign-in is needed."""

from __future__ import annotations

from worker.adapters.badgr.http import Request
from worker.adapters.badgr.models.fields import is_email
from worker.adapters.badgr.resource import Resource, path
from worker.errors import ConfigurationError, Refused

_NOT_FOUND = 404


class Recovery(Resource):
    """The two steps: ask for a mail, then use the token that stands in it."""

    def request(self, email: str) -> None:
        """Ask for the mail (S3-34).

        An unknown address looks the same as a known one. The same address again within five minutes raises
        Throttled. The page's 201 is a 200.
        """
        if not is_email(email.strip()):
            raise ConfigurationError("email: an e-mail address in ASCII, please")
        request = Request("POST", _path(), json={"email": email.strip()})
        self._connection.call_unsigned(request, "the account recovery")

    def set_password(self, token: str, password: str) -> None:
        """Set a new password with the token of the mail (S3-32); Refused for a bad token or weak password."""
        if not token or not password:
            raise ConfigurationError(
                "account recovery: both the token of the mail and a new password, please"
            )
        request = Request("PUT", _path(), json={"token": token, "password": password})
        answer = self._connection.call_unsigned(request, "the account recovery", but={_NOT_FOUND})
        if answer.status == _NOT_FOUND:
            raise Refused(_NOT_FOUND, "the token of the recovery mail is not known, or not good any more")


def _path() -> str:
    return path("auth", "forgot-password")
