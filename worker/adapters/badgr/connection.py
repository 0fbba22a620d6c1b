"""Signed-in calls to one issuer, from which each resource of the API is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adapters.badgr.errors import error_of, went_well
from worker.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from worker.adapters.badgr.calls import Calls
    from worker.adapters.badgr.http import Answer, Request
    from worker.adapters.badgr.sign_in import SignIn

_UNAUTHORIZED = 401


class Connection:
    """One issuer's account at the provider."""

    def __init__(self, calls: Calls, sign_in: SignIn) -> None:
        self._calls = calls
        self._sign_in = sign_in

    def call(
        self,
        request: Request,
        about: str,
        *,
        but: Collection[int] = (),
        before_send: Callable[[], None] | None = None,
    ) -> Answer:
        """Return the answer if it is a success or has one of the statuses in `but`; else raise its error.

        `about` names what the request is about, for whoever reads the error.
        """
        answer = self._answer(request, before_send)
        if went_well(answer) or answer.status in but:
            return answer
        raise error_of(answer, about)

    def _answer(self, request: Request, before_send: Callable[[], None] | None) -> Answer:
        """Call; a token that ran out or was replaced is renewed, and the call made once more."""
        token = self._sign_in.token()
        answer = self._calls.send(request, token, before_send)
        if answer.status != _UNAUTHORIZED:
            return answer
        again = self._calls.send(request, self._sign_in.renewed(token), before_send)
        if again.status == _UNAUTHORIZED:
            # Perhaps another process renewed it in this very moment: time mends that.
            raise Unreachable("the provider does not accept the token that it has just given")
        return again
