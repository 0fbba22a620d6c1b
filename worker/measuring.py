"""What this process does, counted for Prometheus: events, calls, tasks, requests.

How things stand (awards by state, queue, permits) is not counted here: it is read where it is kept, at each
scrape. Names of metrics are for operators: like the contract, they only grow.

A pool of Celery's forks children, which nobody can scrape. So a child counts nothing itself: it sends what
it would have counted down a pipe to its parent, whose counters outlive it. There are no files that could
grow stale, and nothing is counted twice.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Protocol

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

_PREFIX = "badge_worker_"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_MOST_TRIGGERS = 50  # names of webhook triggers that are told apart: they come from outside
_LONGEST_NAME = 64
_SMALL = 4096  # bytes of a message: writes of no more than PIPE_BUF never mix (POSIX)
OTHERS = "others"

disable_created_metrics()  # type: ignore[no-untyped-call] # one more sample for each, which nobody asks for

EVENTS = Counter(
    _PREFIX + "events", "Events taken from the queue; refused ones are dead letters.", ["type", "outcome"]
)
AWARDS_DECIDED = Counter(_PREFIX + "awards_decided", "Awards that events led to.")
BATCH_EVENTS = Histogram(
    _PREFIX + "batch_events", "Messages in one batch.", buckets=(1, 5, 10, 50, 100, 250, 500, 1000, 5000)
)
BATCH_SECONDS = Histogram(
    _PREFIX + "batch_seconds", "Seconds that the transaction of one batch took.", buckets=_SECONDS
)
PROVIDER_CALLS = Counter(
    _PREFIX + "provider_calls", "Calls to a provider.", ["issuer", "operation", "outcome"]
)
PROVIDER_SECONDS = Histogram(
    _PREFIX + "provider_call_seconds", "Seconds until a provider answered.", ["issuer"], buckets=_SECONDS
)
TASKS = Counter(_PREFIX + "tasks", "Celery tasks that ended.", ["task", "outcome"])
TASK_SECONDS = Histogram(
    _PREFIX + "task_seconds", "Seconds that a Celery task took.", ["task"], buckets=_SECONDS
)
WEBHOOKS_IGNORED = Counter(
    _PREFIX + "webhooks_ignored", "Webhook calls that no event was made of.", ["trigger"]
)
HTTP_REQUESTS = Counter(
    _PREFIX + "http_requests", "Answers of the web application.", ["method", "route", "status"]
)
HTTP_SECONDS = Histogram(
    _PREFIX + "http_request_seconds", "Seconds until an answer of the web application.", ["route"]
)
PROGRESS = Gauge(
    _PREFIX + "last_progress_timestamp_seconds", "When this process last showed that it goes on."
)

# What begins with its first sample has no increase, and what is not there no rate: alerts would be silent.
for _labels in (("unknown", "ignored"), ("none", "refused")):
    EVENTS.labels(*_labels)


def _name(metric: Counter | Histogram) -> str:
    return next(iter(metric.describe())).name


_BY_NAME: Mapping[str, Counter | Histogram] = {
    _name(metric): metric
    for metric in (
        EVENTS,
        AWARDS_DECIDED,
        BATCH_EVENTS,
        BATCH_SECONDS,
        PROVIDER_CALLS,
        PROVIDER_SECONDS,
        TASKS,
        TASK_SECONDS,
        WEBHOOKS_IGNORED,
        HTTP_REQUESTS,
        HTTP_SECONDS,
    )
}


class Batch(Protocol):
    """What became of a batch of events."""

    events: int
    awards: int
    dead: int
    unknown: dict[str, int]


def batch_committed(messages: int, done: Batch, types: Mapping[str, int]) -> None:
    """Count a batch, once; `types` are those of its events. What nobody knows has any name: it has one here.

    Where an event could not be kept after all, nobody knows of which type the others were.
    """
    for name, times in (types if sum(types.values()) == done.events else {"any": done.events}).items():
        _count(EVENTS, times, name, "taken")
    _count(EVENTS, sum(done.unknown.values()), "unknown", "ignored")
    _count(EVENTS, done.dead, "none", "refused")
    _count(AWARDS_DECIDED, done.awards)
    _count(BATCH_EVENTS, messages)


@contextmanager
def committing() -> Iterator[None]:
    """Measure how long a batch's transaction takes."""
    begun = time.perf_counter()
    yield
    _count(BATCH_SECONDS, time.perf_counter() - begun)


def provider_called(issuer: str, operation: str, outcome: str, seconds: float) -> None:
    """Count a call to a provider, and how long it took."""
    _count(PROVIDER_CALLS, 0, issuer, operation, "throttled")  # there before the first one, for its increase
    _count(PROVIDER_CALLS, 1, issuer, operation, outcome)
    _count(PROVIDER_SECONDS, seconds, issuer)


def task_ended(task: str, outcome: str, seconds: float | None = None) -> None:
    """Count a task that ended; one that never ran took no time."""
    _count(TASKS, 1, task, outcome)
    if seconds is not None:
        _count(TASK_SECONDS, seconds, task)


def webhook_ignored(trigger: str) -> None:
    """Count a webhook call that no event was made of. Its trigger may be any text."""
    _count(WEBHOOKS_IGNORED, 1, _told_apart(trigger, _triggers))


def request_answered(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request of the web application. Its route is one of ours, never what the client asked for."""
    _count(HTTP_REQUESTS, 1, method, route, str(status))
    _count(HTTP_SECONDS, seconds, route)


def went_on() -> None:
    """Note that the process makes progress."""
    PROGRESS.set_to_current_time()
    _progress[:] = [time.monotonic()]
    for tell in also_told:
        tell()


def silence() -> float | None:
    """Return for how many seconds nothing went on; None for a process that does not say."""
    return time.monotonic() - _progress[0] if _progress else None


also_told: list[Callable[[], None]] = []  # who wants to know that it goes on
_progress: list[float] = []
_triggers: set[str] = set()


def _told_apart(name: str, seen: set[str]) -> str:
    """Return the name, or one for all others: whoever invents new ones must not fill our memory."""
    if name in seen:
        return name
    if len(seen) >= _MOST_TRIGGERS or len(name) > _LONGEST_NAME or not name.replace("_", "").isalnum():
        return OTHERS
    seen.add(name)
    return name


# Counting, in this process or in its parent


class _Parent:
    """Where counters are: in this process, or at the other end of a pipe."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.pipe: int | None = None


_parent = _Parent()


def share_with_children() -> None:
    """Count for children that are forked from now on, too."""
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    _parent.process, _parent.pipe = os.getpid(), writes
    threading.Thread(target=_count_for_children, args=[reads], name="measuring", daemon=True).start()


def _count(metric: Counter | Histogram, amount: float, *labels: str) -> None:
    if _parent.pipe is not None and os.getpid() != _parent.process:
        _send(metric, amount, labels)
    else:
        _apply(metric, amount, labels)


def _apply(metric: Counter | Histogram, amount: float, labels: Collection[str]) -> None:
    one = metric.labels(*labels) if labels else metric
    if isinstance(one, Histogram):
        one.observe(amount)
    elif amount:
        one.inc(amount)


def _send(metric: Counter | Histogram, amount: float, labels: Collection[str]) -> None:
    message = json.dumps([_name(metric), amount, *labels]).encode() + b"\n"
    # A parent that is too busy to read must not hold up what is counted.
    with suppress(OSError):
        if _parent.pipe is not None and len(message) <= _SMALL:
            os.write(_parent.pipe, message)


def _count_for_children(pipe: int) -> None:
    with os.fdopen(pipe, "rb") as messages:
        for message in messages:
            name, amount, *labels = json.loads(message)
            _apply(_BY_NAME[name], amount, labels)
