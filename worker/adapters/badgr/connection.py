"""Signed-in calls to one issuer, from which each resource of the API is built."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from worker.adapters.badgr.errors import error_of, token_refused, went_well
from worker.errors import NoPermit, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from worker.adapters.badgr.calls import Calls
    from worker.adapters.badgr.http import Answer, Request
    from worker.adapters.badgr.sign_in import SignIn

_UNAUTHORIZED = 401


class Connection:
    """One issuer's account at the provider.

    `patience` is for how many seconds a call is put off where the rate limit has no room for it: none where
    work can be handed back instead.
    """

    def __init__(self, calls: Calls, sign_in: SignIn, patience: float = 0.0) -> None:
        self._calls = calls
        self._sign_in = sign_in
        self._patience = patience

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
        answer = self._patiently(lambda: self._answer(request, before_send))
        return _good(answer, about, but)

    def call_unsigned(self, request: Request, about: str, *, but: Collection[int] = ()) -> Answer:
        """Make a call that needs no sign-in: it takes a permit like any other."""
        return _good(self._patiently(lambda: self._calls.send(request)), about, but)

    def _patiently(self, call: Callable[[], Answer]) -> Answer:
        """Make a call as soon as there is a permit; raises NoPermit where that takes too long."""
        ends = time.monotonic() + self._patience
        while True:
            try:
                return call()
            except NoPermit as error:
                if time.monotonic() + error.wait > ends:
                    raise
                time.sleep(error.wait)

    def _answer(self, request: Request, before_send: Callable[[], None] | None) -> Answer:
        """Call; a token that ran out or was replaced is renewed, and the call made once more."""
        token = self._sign_in.token()
        answer = self._calls.send(request, token, before_send)
        if not token_refused(answer):
            return answer
        again = self._calls.send(request, self._sign_in.renewed(token), before_send)
        if again.status == _UNAUTHORIZED:
            # Perhaps another process renewed it in this very moment: time mends that.
            raise Unreachable("the provider does not accept the token that it has just given")
        return again


def _good(answer: Answer, about: str, but: Collection[int]) -> Answer:
    if went_well(answer) or answer.status in but:
        return answer
    raise error_of(answer, about)
