"""Counting: once a batch, under names that are ours, and for children in their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
from prometheus_client import REGISTRY

from tests.support.waiting import wait_until
from worker import __version__, measuring


@dataclass
class Done:
    events: int = 0
    awards: int = 0
    dead: int = 0
    unknown: dict[str, int] = field(default_factory=dict)


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(f"badge_worker_{name}", labels) or 0.0


def counted(name: str) -> dict[str, float]:
    """Return the samples of a metric by their labels, in words."""
    families = [family for family in REGISTRY.collect() if family.name == f"badge_worker_{name}"]
    samples = [each for family in families for each in family.samples if each.name.endswith("_total")]
    return {" ".join(each.labels.values()): each.value for each in samples}


def test_a_batch_is_counted_by_type_and_outcome() -> None:
    before = counted("events")

    types = {"post.created.v1": 4, "user.updated.v1": 1}
    measuring.batch_committed(9, Done(5, 2, 1, {"coffee.drunk": 3}), types)

    after = counted("events")
    assert {name: times - before.get(name, 0) for name, times in after.items()} == {
        **dict.fromkeys(before, 0),
        "post.created.v1 taken": 4,
        "user.updated.v1 taken": 1,
        "unknown ignored": 3,
        "none refused": 1,
    }


def test_what_alerts_count_is_there_before_the_first_time() -> None:
    """Prometheus sees no increase in what begins with its first sample, and no rate of what is not there."""
    alone = "from worker.adapters.metrics import answer; print(answer().body.decode())"

    told = subprocess.run([sys.executable, "-c", alone], capture_output=True, text=True, check=True).stdout

    assert 'badge_worker_events_total{outcome="ignored",type="unknown"} 0.0' in told
    assert 'badge_worker_events_total{outcome="refused",type="none"} 0.0' in told
    assert f'badge_worker_build_info{{version="{__version__}"}} 1.0' in told


def test_a_call_that_went_well_says_that_none_was_throttled() -> None:
    measuring.provider_called("an-issuer", "GET here", "done", 0.1)

    assert counted("provider_calls")["an-issuer GET here throttled"] == 0
    assert counted("provider_calls")["an-issuer GET here done"] == 1


def test_types_that_anybody_may_invent_are_one() -> None:
    unknown = {f"made-up-{number}": 1 for number in range(1000)}

    measuring.batch_committed(1000, Done(unknown=unknown), {})

    assert not [name for name in counted("events") if "made-up" in name]


def test_triggers_that_anybody_may_invent_are_one_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_triggers", set())
    monkeypatch.setattr(measuring, "OTHERS", "others of this test")
    for number in range(1000):
        measuring.webhook_ignored(f"TRIGGER_{number}")
    measuring.webhook_ignored("ada@example.org")
    measuring.webhook_ignored("T" * 1000)

    triggers = counted("webhooks_ignored")

    assert len([name for name in triggers if name.startswith("TRIGGER_")]) == 50
    assert triggers["others of this test"] == 952
    assert not [name for name in triggers if "@" in name or len(name) > 64]


@pytest.fixture
def sharing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "_parent", measuring._Parent())
    measuring.share_with_children()


@pytest.mark.usefixtures("sharing")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_what_a_child_counts_is_counted_by_its_parent_however_the_child_ends() -> None:
    before = value("tasks_total", task="forked", outcome="success")

    child = os.fork()
    if child == 0:
        measuring.task_ended("forked", "success", 0.1)
        measuring.task_ended("forked", "success", 0.1)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    measuring.task_ended("forked", "success", 0.1)

    def all_are_there() -> bool:
        return value("tasks_total", task="forked", outcome="success") == before + 3

    wait_until(all_are_there, 20, "three tasks")
    assert value("task_seconds_count", task="forked") == before + 3


@pytest.mark.usefixtures("sharing")
@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")
def test_a_parent_that_does_not_read_holds_no_child_up(monkeypatch: pytest.MonkeyPatch) -> None:
    reads, writes = os.pipe()
    os.set_blocking(writes, False)
    monkeypatch.setattr(measuring._parent, "pipe", writes)

    child = os.fork()
    if child == 0:
        for _ in range(10_000):
            measuring.task_ended("unread", "success", 0.1)
        os._exit(7)
    _, status = os.waitpid(child, 0)
    os.close(reads)
    os.close(writes)

    assert os.waitstatus_to_exitcode(status) == 7


# In a process of its own: an application that is imported stays.
LATE = """
import worker.app
from celery.app.task import Context
from celery.signals import task_revoked
from prometheus_client import REGISTRY
task_revoked.send(sender=None, request=Context({"task": "awards.issue"}), terminated=False, expired=True)
print(REGISTRY.get_sample_value("badge_worker_tasks_total", {"task": "awards.issue", "outcome": "expired"}))
"""


def test_a_task_that_came_too_late_is_counted_by_its_name() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LATE], capture_output=True, text=True, check=False, timeout=60
    )

    assert (ended.stdout, ended.stderr) == ("1.0\n", "")
