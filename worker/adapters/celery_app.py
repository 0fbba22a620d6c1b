"""Celery, configured for work that must not be lost and may be done twice (facts/celery-ops.md section 5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from celery import Celery
from kombu import Connection, Queue
from kombu.exceptions import OperationalError

from worker.adapters.tls import for_celery
from worker.errors import ConfigurationError

# Every delay and run time lies well below the visibility timeout: a message that is worked on longer than
# that is delivered again on Redis. Long waits live in the database, never as countdowns in the broker.
SOFT_LIMIT, HARD_LIMIT, VISIBILITY = 240, 300, 900

DISPATCH, AWARDS, RULES = "dispatch", "awards", "rules"

# Ticks and nudges that wait at the same time: more of them would do no more.
MOST_WAITING = 10


def make_celery(broker_url: Callable[[], str]) -> Celery:
    """Return the Celery application; `broker_url` is asked for when the configuration is first needed."""
    app = Celery("badge-worker", set_as_current=False)
    app.add_defaults(lambda: _configuration(broker_url()))
    return app


def check_broker(broker_url: str) -> str:
    """Return the URL; raises ConfigurationError, without parts of it, where no task could ever be sent."""
    try:
        known = "://" in broker_url and Connection(broker_url).get_transport_cls()
    except (AttributeError, ImportError, KeyError, ValueError):
        known = False
    if not known:
        raise ConfigurationError(
            "BADGE_WORKER_BROKER_URL: not a broker's address; use redis://host:6379/1 or amqp://host/vhost"
        )
    return broker_url


def is_behind(app: Celery, queue: str) -> bool:
    """Say whether so many messages wait in a queue that another tick or nudge would be one too many.

    Without a task worker nobody takes expired messages out of a queue on Redis: a second's tick alone would
    be 86,400 a day. RabbitMQ drops them by itself. Raises kombu's OperationalError.
    """
    pool: Any = app.pool  # its types say that it holds producers
    with pool.acquire(block=True) as connection:
        if connection.transport.driver_type != "redis":
            return False
        try:
            # Not a passive declaration: that one forgets the prefix of our keys.
            waiting: int = connection.default_channel.client.llen(queue)
        except connection.recoverable_connection_errors as error:
            raise OperationalError(str(error)) from error
        return waiting >= MOST_WAITING


def _configuration(broker_url: str) -> dict[str, Any]:
    address, tls = for_celery(broker_url)
    return {
        "broker_url": address,
        "broker_use_ssl": tls,
        **_BROKER,
        "broker_transport_options": _transport_options(broker_url),
        **_DELIVERY,
        **_QUEUES,
        **_WORKER,
        **_TIME,
    }


_BROKER: dict[str, Any] = {
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,  # the default gives up after 100 tries and ends the worker
    "broker_channel_error_retry": True,
    "broker_heartbeat": 30,
    # Whoever sends has the row in the database and can send again: never block for long.
    "task_publish_retry_policy": {
        "max_retries": 3,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 1,
    },
}

_DELIVERY: dict[str, Any] = {
    "task_serializer": "json",
    "event_serializer": "json",
    "accept_content": ["json"],  # never pickle
    "task_ignore_result": True,  # truth is in the database; there is no result backend
    "task_acks_late": True,  # at least once: every task may run twice
    "task_acks_on_failure": True,  # a failure is in the database already and must not come round again
    "task_acks_on_timeout": True,
    "task_reject_on_worker_lost": False,  # would loop for ever over a task that kills its process
    "task_retry_on_worker_lost": True,  # bounded by max_retries
    "task_annotations": {"*": {"max_retries": 3, "default_retry_delay": 5}},
    "task_soft_time_limit": SOFT_LIMIT,
    "task_time_limit": HARD_LIMIT,
}

_QUEUES: dict[str, Any] = {
    # A queue of its own for the dispatcher: it is never behind the work that it hands out.
    # Without a routing key of its own each queue would be bound by the default queue's.
    "task_queues": [Queue(name, routing_key=name) for name in (DISPATCH, AWARDS, RULES)],
    "task_default_queue": AWARDS,
    "task_create_missing_queues": False,  # a misspelt queue raises instead of being read by nobody
    "task_routes": {
        "awards.dispatch": {"queue": DISPATCH},
        "awards.*": {"queue": AWARDS},
        "rules.*": {"queue": RULES},
    },
}

_WORKER: dict[str, Any] = {
    # Calls wait for the provider, so threads; `-P prefork` works too (`celery_pool`). Each call has a
    # deadline of its own: time limits do not reach threads.
    "worker_pool": "threads",
    "worker_concurrency": 8,
    "worker_prefetch_multiplier": 1,
    "worker_eta_task_limit": 1000,
    "worker_cancel_long_running_tasks_on_connection_loss": False,  # a call under way is better ended than cut
    "worker_soft_shutdown_timeout": 20.0,  # with REMAP_SIGTERM=SIGQUIT in the environment
    "worker_enable_soft_shutdown_on_idle": False,
    "worker_send_task_events": True,  # for Flower
    # No events of what is only sent: a task's own `send_events` does not stop them, so ticks would drown
    # Flower; and each publisher's pid would be one more label of Flower's metrics, for ever.
    "task_send_sent_event": False,
    "worker_hijack_root_logger": False,  # structlog owns logging
    "worker_redirect_stdouts": False,
    "worker_state_db": None,
}

# Ticks do not pile up: none is sent while others wait (`is_behind`), and what a stopped worker missed ends.
# Not at once: two machines' clocks may differ by seconds, and a tick must not be stale when it arrives.
TICKS: dict[str, dict[str, Any]] = {
    "dispatch": {"task": "awards.dispatch", "schedule": 1.0, "options": {"expires": 10}},
    "sweep": {"task": "rules.sweep", "schedule": 5.0, "options": {"expires": 15}},
    "backfill": {"task": "rules.backfill", "schedule": 5.0, "options": {"expires": 15}},
    # Whether a night has come that nobody saw to: the database knows, a beat that was down does not.
    "nightly": {"task": "rules.nightly", "schedule": 300.0, "options": {"expires": 30}},
}

_TIME: dict[str, Any] = {
    "beat_schedule": TICKS,
    "timezone": "UTC",
    "enable_utc": True,
    "beat_scheduler": "worker.adapters.celery_beat:Ticker",
    "beat_max_loop_interval": 5,
}


def _transport_options(broker_url: str) -> dict[str, Any]:
    # Whoever finds the broker gone at the first try is told at once; workers and beat try for ever.
    at_once = {"max_retries": 1, "interval_start": 0}
    if not urlsplit(broker_url).scheme.startswith("redis"):
        # A frozen broker would never confirm, and so hold up whoever nudges after a commit.
        return {**at_once, "confirm_publish": True, "read_timeout": 10, "write_timeout": 10}
    return {
        **at_once,
        "visibility_timeout": VISIBILITY,
        "unacked_restore_interval": 5,  # look for abandoned messages every 5 s, not every 100
        "unacked_restore_throttle": 1,
        "socket_timeout": 10,  # without time-outs a half-open connection hangs for ever
        "socket_connect_timeout": 5,
        "health_check_interval": 10,
        "socket_keepalive": True,
        "global_keyprefix": "badge-worker:celery:",
        "queue_order_strategy": "round_robin",
    }
