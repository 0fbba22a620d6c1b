"""The Celery application: ``celery -A worker.app worker``, ``… beat``, ``… flower``."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any, NoReturn

import structlog
from celery.signals import (
    beat_init,
    celeryd_init,
    heartbeat_sent,
    setup_logging,
    task_postrun,
    task_prerun,
    task_revoked,
    worker_init,
    worker_process_init,
    worker_ready,
)

from worker import heartbeat, measuring
from worker.adapters.celery_app import TICKS, check_broker, make_celery
from worker.adapters.celery_beat import Ticker
from worker.adapters.celery_pool import asks_for_prefork
from worker.adapters.metrics import MetricsServer
from worker.bootstrap import Services, services
from worker.errors import ConfigurationError
from worker.logs import configure_logging
from worker.settings import Settings, load_settings


def _settings() -> Settings:
    """Read the settings; a wrong one ends the command with one line."""
    try:
        return load_settings()
    except ConfigurationError as error:
        _end(error)


def _broker_url() -> str:
    try:
        return check_broker(_settings().required("broker_url"))
    except ConfigurationError as error:
        _end(error)


def _end(error: ConfigurationError) -> NoReturn:
    print(f"badge-worker: {error}", file=sys.stderr)  # noqa: T201 # logging is not set up yet
    raise SystemExit(2)


_SOON = 60  # seconds until a new worker is sure to have got to its own message

app = make_celery(_broker_url)
if asks_for_prefork(sys.argv):
    app.add_defaults(lambda: {"worker_pool": "prefork"})
app.set_default()
app.conf.imports = ("worker.tasks.awards", "worker.tasks.rules")

# Lines below warnings that come every second and say nothing, or that a task has said better itself.
_EVERYDAY = (*(str(tick["task"]) for tick in TICKS.values()), "raised expected")


@celeryd_init.connect
def _check_settings(**_: Any) -> None:
    """End a task worker with one line if it could never do its work; nothing connects."""
    try:
        here = Services(_settings())
        here.database.engine.dispose()
        here.permits({})
        here.load_providers()
    except ConfigurationError as error:
        _end(error)
    except ValueError:  # its words may hold parts of a password
        _end(ConfigurationError("BADGE_WORKER_REDIS_URL: not an address of Redis; use redis://host:6379/2"))


@setup_logging.connect
def _set_up_logging(**_: Any) -> None:
    """Keep Celery from taking the root logger: its own lines come out like ours."""
    settings = _settings()
    configure_logging(settings.log_format, settings.log_level)
    for name in ("celery.beat", "celery.worker.strategy", "celery.worker.request", "celery.app.trace"):
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """Let through all but everyday lines."""
    return record.levelno >= logging.WARNING or not any(each in record.getMessage() for each in _EVERYDAY)


@worker_ready.connect
def _catch_up(**_: Any) -> None:
    """Dispatch at once: what waits in the queue may have expired while no task worker ran."""
    app.send_task("awards.dispatch", expires=_SOON, retry=False)


@task_prerun.connect
def _begin(task_id: str, task: Any, **_: Any) -> None:
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)
    task.request.begun = time.perf_counter()


@task_postrun.connect
def _end_task(task: Any, state: str | None, **_: Any) -> None:
    structlog.contextvars.unbind_contextvars("task", "task_id")
    measuring.task_ended(task.name, (state or "lost").lower(), time.perf_counter() - task.request.begun)


# Metrics: every process of ours serves its own where METRICS_PORT says so.

_serving: list[MetricsServer] = []


def _serve_metrics(*, with_state: bool) -> None:
    port = _settings().metrics_port
    if port is None:
        return
    try:
        _serving.append(MetricsServer(port, services().state if with_state else None))
    except ConfigurationError as error:
        _end(error)


@worker_init.connect
def _measure_worker(**_: Any) -> None:
    """Begin before the pool forks: its children count in their parent."""
    measuring.share_with_children()
    heartbeat.begin("task worker")
    _serve_metrics(with_state=False)


@worker_process_init.connect
def _leave_port_to_parent(**_: Any) -> None:
    for server in _serving:
        server.leave_to_parent()


@heartbeat_sent.connect
def _note_heartbeat(**_: Any) -> None:
    measuring.went_on()


@task_revoked.connect
def _note_expired(request: Any, expired: bool, **_: Any) -> None:
    """Count a task that came too late, or that somebody revoked."""
    measuring.task_ended(request.task, "expired" if expired else "revoked")


@beat_init.connect
def _measure_beat(**_: Any) -> None:
    """Let beat say how things stand as well: there is one in every deployment, and no more than one."""
    _serve_metrics(with_state=True)
    heartbeat.begin("beat")


def _note_tick() -> None:
    try:
        services().beat_tick.note()
    except ConfigurationError:  # beat itself works without what the note goes to
        return


Ticker.on_tick.append(_note_tick)
