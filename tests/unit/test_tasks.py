"""How tasks end when something goes wrong: the error's class decides what the log says."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from structlog.testing import capture_logs

from worker.errors import BadgeWorkerError, ConfigurationError, DatabaseUnavailable, NoAnswer
from worker.tasks import awards, rules
from worker.tasks.base import BadgeTask

ALL = [
    pytest.param(DatabaseUnavailable("no connection"), "warning", id="time mends it"),
    pytest.param(ConfigurationError("no credentials"), "error", id="a person must mend it"),
    pytest.param(NoAnswer("cut off"), "error", id="nobody dealt with it"),
]


@pytest.fixture
def celery() -> Iterator[Celery]:
    app = Celery("a-test", set_as_current=False)
    yield app
    app.close()


def failing(celery: Celery, error: Exception) -> Any:
    def fail() -> None:
        raise error

    return celery.task(base=BadgeTask, name="a.task", shared=False)(fail)


@pytest.mark.parametrize(("error", "level"), ALL)
def test_an_error_that_is_raised_on_purpose_is_one_line(
    celery: Celery, caplog: pytest.LogCaptureFixture, error: BadgeWorkerError, level: str
) -> None:
    task = failing(celery, error)

    with capture_logs() as logs, caplog.at_level(logging.WARNING):
        task.apply()

    assert logs == [
        {"event": "task.failed", "log_level": level, "error": type(error).__name__, "reason": str(error)}
    ]
    assert caplog.records == []


@pytest.mark.parametrize(("error", "level"), ALL)
def test_it_has_failed_all_the_same(celery: Celery, error: BadgeWorkerError, level: str) -> None:
    del level

    with capture_logs():
        result = failing(celery, error).apply()

    assert result.failed()


def test_what_nobody_expected_leaves_a_traceback(celery: Celery, caplog: pytest.LogCaptureFixture) -> None:
    with capture_logs() as logs:
        failing(celery, ZeroDivisionError()).apply()

    assert logs == []
    assert caplog.records[-1].exc_info is not None


@pytest.mark.parametrize(
    "task",
    [
        awards.dispatch,
        awards.issue,
        awards.look_up,
        awards.revoke,
        rules.sweep,
        rules.backfill,
        rules.evaluate,
        rules.nightly,
    ],
    ids=lambda task: str(task.name),
)
def test_every_task_of_ours_ends_so(task: Any) -> None:
    assert isinstance(task, BadgeTask)
