"""Handing work to the task workers, through Celery."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from celery import Celery
from kombu.exceptions import OperationalError

from worker.adapters.celery_app import DISPATCH, RULES, is_behind
from worker.awards import Call
from worker.errors import QueueUnavailable
from worker.ports import Evaluation

log = structlog.get_logger(__name__)

_SELDOM = 0.05  # seconds between two nudges of one process: one dispatcher run serves many
# Seconds without nudges after one that failed, or so many times as long as it took, up to a minute: a dead
# broker must not hold up commits, nor a frozen one, where each try takes all of the time-out.
_AFTER_FAILURE, _TIMES, _LONGEST = 10.0, 9, 60.0
_FRESH = 10  # seconds for which a nudge is worth anything, by clocks that may differ
_SKEW = 30.0  # seconds by which two machines' clocks may differ


class CeleryDispatch:
    """Implements ports.Dispatch."""

    def __init__(self, app: Celery, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._monotonic = monotonic
        self._not_before = 0.0

    def nudge(self) -> None:
        """Ask for a dispatcher run soon. Never raises: beat asks every second anyway."""
        now = self._monotonic()
        if now < self._not_before:
            return
        try:
            if not is_behind(self._app, DISPATCH):
                self._app.send_task("awards.dispatch", expires=_FRESH, retry=False)
        except OperationalError as error:
            log.warning("nudge.failed", reason=str(error))
            failed = self._monotonic()
            self._not_before = failed + min(max(_AFTER_FAILURE, _TIMES * (failed - now)), _LONGEST)
        else:
            self._not_before = now + _SELDOM

    def send(self, call: Call) -> None:
        """Send the task for one call; the message is worth nothing once the lease has ended."""
        arguments: dict[str, object] = {"issuer": call.issuer, "awards": call.awards, "lease": call.lease_id}
        if not call.revoke:
            arguments["badge"] = call.badge_id
        # The lease itself is checked in the database; these clocks may differ.
        left = max((call.lease_until - datetime.now(UTC)).total_seconds(), 1.0) + _SKEW
        try:
            self._app.send_task(_name(call), kwargs=arguments, expires=left)
        except OperationalError as error:
            raise QueueUnavailable(f"the task broker cannot be reached: {error}") from error

    def evaluate(self, evaluation: Evaluation) -> None:
        """Send the task that works on an evaluation. Never raises: beat sends the next one anyway."""
        arguments = {
            "badge": evaluation.badge_id,
            "version": evaluation.version,
            "reason": evaluation.reason.value,
        }
        try:
            if not is_behind(self._app, RULES):
                self._app.send_task("rules.evaluate", kwargs=arguments, expires=_FRESH, retry=False)
        except OperationalError as error:
            log.warning("evaluation.waits_for_beat", reason=str(error))


def _name(call: Call) -> str:
    if call.revoke:
        return "awards.revoke"
    return "awards.look_up" if call.settle else "awards.issue"
