"""What all tasks have in common: how they end when something went wrong."""

from __future__ import annotations

from typing import Any

import structlog
from celery import Task

from worker.errors import BadgeWorkerError, TransientError

log = structlog.get_logger(__name__)


class BadgeTask(Task[Any, Any]):
    """A task that fails with one line in the log for every error that is raised on purpose.

    It is not repeated by Celery: whatever it left undone is in the database, and the dispatcher, the next
    tick or the end of a lease takes it up again. Only what nobody expected leaves a traceback.
    """

    throws = (BadgeWorkerError,)

    def on_failure(
        self, exc: Exception, task_id: str, args: tuple[Any, ...], kwargs: dict[str, Any], einfo: Any
    ) -> None:
        """Say why: a warning for what time mends, an error for what a person must mend."""
        del task_id, args, kwargs, einfo  # the line carries the task's name and id already
        if isinstance(exc, BadgeWorkerError):
            say = log.warning if isinstance(exc, TransientError) else log.error
            say("task.failed", error=type(exc).__name__, reason=str(exc))
