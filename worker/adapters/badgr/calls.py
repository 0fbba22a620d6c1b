"""Calls to one issuer, each with a permit: permit, last word of the caller, call (design.md section 3)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import structlog

from worker import measuring
from worker.adapters.badgr.deadline import Deadline
from worker.adapters.badgr.errors import retry_after, went_well
from worker.adapters.badgr.operations import operation_of, outcome_of
from worker.errors import LimiterUnavailable, Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from worker.adapters.badgr.http import Answer, Http, Request
    from worker.ports import Permit, Permits

log = structlog.get_logger(__name__)

PERMIT_WAIT = 5.0  # seconds; whoever waits longer hands the work back


class Calls:
    """One issuer's calls; `seconds` is the whole time that one may take from its permit on."""

    def __init__(self, issuer: str, http: Http, permits: Permits, seconds: float) -> None:
        self.issuer = issuer
        self._http = http
        self._permits = permits
        self._seconds = seconds

    def send(
        self, request: Request, token: str | None = None, before_send: Callable[[], None] | None = None
    ) -> Answer:
        """Take a permit, run `before_send` and make the call; whatever status it has is an answer.

        Raises NoPermit, LimiterUnavailable, Unreachable or what `before_send` raises when nothing was
        sent, NoAnswer when something was.
        """
        permit = self._permits.acquire(self.issuer, PERMIT_WAIT)
        # The time runs before `before_send`, which compares it with the lease: it can only be shorter.
        deadline = Deadline(min(permit.call_by, time.monotonic() + self._seconds))
        try:
            if before_send is not None:
                before_send()
        except BaseException:
            self._quietly(permit.unused)
            raise
        answer = self._call(permit, request, deadline, token)
        log.debug("badgr.called", issuer=self.issuer, method=request.method, status=answer.status)
        self._heed(answer)
        return answer if went_well(answer) else answer.without(token)

    def _call(self, permit: Permit, request: Request, deadline: Deadline, token: str | None) -> Answer:
        end, outcome, begun = permit.answered, "no answer", time.monotonic()
        try:
            answer = self._http.send(request, deadline, token)
            outcome = outcome_of(answer.status)
        except Unreachable:
            end, outcome = permit.unused, "unreachable"
            raise
        else:
            return answer
        finally:
            self._quietly(end)
            seconds = time.monotonic() - begun
            measuring.provider_called(self.issuer, operation_of(request), outcome, seconds)

    def _heed(self, answer: Answer) -> None:
        """Stop all calls of the issuer for as long as the provider asks."""
        wait = retry_after(answer)
        if wait:
            log.warning("badgr.throttled", issuer=self.issuer, status=answer.status, wait=wait)
            self._quietly(lambda: self._permits.pause(self.issuer, wait))

    def _quietly(self, say: Callable[[], None]) -> None:
        """Tell the limiter what became of the call; that it cannot be told must not hide what it was.

        A permit of which nothing was heard ends by itself.
        """
        try:
            say()
        except LimiterUnavailable:
            log.warning("badgr.limiter_not_told", issuer=self.issuer)
