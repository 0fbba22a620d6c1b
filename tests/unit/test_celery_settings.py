"""How Celery is set up: nothing is lost, nothing is doubled, nothing is hidden (facts/celery-ops.md 5)."""

from __future__ import annotations

from typing import Any

import pytest
from celery import Celery
from celery.exceptions import QueueNotFound

from worker import issuing
from worker.adapters.celery_app import TICKS, check_broker, make_celery
from worker.adapters.celery_dispatch import _FRESH
from worker.errors import ConfigurationError
from worker.rules.definitions import Issuer
from worker.tasks import awards, rules

DEFAULT_TIMEOUT: float = Issuer.model_fields["timeout"].default


@pytest.fixture
def celery() -> Celery:
    return make_celery(lambda: "redis://127.0.0.1:1/0")


def options(broker_url: str) -> dict[str, Any]:
    found: dict[str, Any] = make_celery(lambda: broker_url).conf.broker_transport_options
    return found


def expiries() -> list[float]:
    return [_FRESH, *(tick["options"]["expires"] for tick in TICKS.values())]


def test_nothing_runs_or_waits_as_long_as_the_visibility_timeout(celery: Celery) -> None:
    visible = celery.conf.broker_transport_options["visibility_timeout"]
    lease = DEFAULT_TIMEOUT + issuing.PERMIT_WAIT + issuing.SLACK
    retry = celery.conf.task_annotations["*"]["default_retry_delay"]

    assert celery.conf.task_soft_time_limit < celery.conf.task_time_limit
    assert 2 * max(celery.conf.task_time_limit, lease, retry, *expiries()) < visible


def test_a_call_ends_before_its_task_is_stopped(celery: Celery) -> None:
    longest_task = issuing.PERMIT_WAIT + DEFAULT_TIMEOUT

    assert longest_task < issuing.PERMIT_WAIT + DEFAULT_TIMEOUT + issuing.SLACK
    assert longest_task < celery.conf.task_soft_time_limit


def test_a_frozen_broker_is_noticed_before_the_next_minute() -> None:
    found = options("redis://127.0.0.1:1/0")

    assert found["socket_connect_timeout"] + found["socket_timeout"] + found["health_check_interval"] < 60


def test_abandoned_messages_are_looked_for_every_few_seconds() -> None:
    found = options("redis://127.0.0.1:1/0")

    assert found["unacked_restore_interval"] * found["unacked_restore_throttle"] <= 10


@pytest.mark.parametrize("scheme", ["redis", "rediss"])
def test_keys_in_redis_are_known_by_their_prefix(scheme: str) -> None:
    assert options(f"{scheme}://127.0.0.1:1/0")["global_keyprefix"] == "badge-worker:celery:"


def test_rabbitmq_confirms_what_it_took() -> None:
    assert options("amqp://127.0.0.1:1//")["confirm_publish"]


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_whoever_sends_to_a_dead_broker_is_told_at_once(scheme: str) -> None:
    found = options(f"{scheme}://127.0.0.1:1/0")

    assert (found["max_retries"], found["interval_start"]) == (1, 0)


def test_a_frozen_rabbitmq_does_not_hold_whoever_waits_for_its_word() -> None:
    found = options("amqp://127.0.0.1:1//")

    assert 0 < found["read_timeout"] == found["write_timeout"] <= 10


def test_messages_are_json_and_nothing_else(celery: Celery) -> None:
    assert celery.conf.accept_content == ["json"]
    assert {celery.conf.task_serializer, celery.conf.event_serializer} == {"json"}


def test_no_results_are_kept(celery: Celery) -> None:
    assert celery.conf.task_ignore_result
    assert celery.conf.result_backend is None


def test_every_task_goes_to_a_queue_that_a_worker_reads_by_default(celery: Celery) -> None:
    tasks = [awards.dispatch, awards.issue, awards.look_up, awards.revoke, rules.sweep, rules.evaluate]

    queues = [celery.amqp.router.route({}, task.name)["queue"].name for task in tasks]

    assert queues == ["dispatch", "awards", "awards", "awards", "rules", "rules"]
    assert set(celery.amqp.queues.consume_from) == {"dispatch", "awards", "rules"}


def test_each_queue_is_bound_by_its_own_name(celery: Celery) -> None:
    bound = {queue.name: queue.routing_key for queue in celery.amqp.queues.values()}

    assert bound == {"dispatch": "dispatch", "awards": "awards", "rules": "rules"}


def test_a_misspelt_queue_is_refused(celery: Celery) -> None:
    with pytest.raises(QueueNotFound):
        celery.send_task("awards.dispatch", queue="dispach")


@pytest.mark.parametrize("tick", TICKS)
def test_a_tick_of_long_ago_is_worth_nothing(tick: str) -> None:
    assert 0 < TICKS[tick]["options"]["expires"] < 60


def test_beat_sends_ticks_to_tasks_that_there_are(celery: Celery) -> None:
    there = {task.name for task in (awards.dispatch, rules.sweep, rules.backfill, rules.nightly)}

    assert {entry["task"] for entry in celery.conf.beat_schedule.values()} == there


def test_the_dispatcher_runs_every_second_and_nudges_outlive_one_round() -> None:
    assert TICKS["dispatch"]["schedule"] == 1.0
    assert TICKS["dispatch"]["schedule"] <= _FRESH < 60


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        pytest.param("task_acks_late", True, id="a task that was cut off comes again"),
        pytest.param("task_acks_on_failure", True, id="a failure does not come round again"),
        pytest.param("task_reject_on_worker_lost", False, id="no endless loop over a deadly task"),
        pytest.param("task_retry_on_worker_lost", True, id="a lost child is tried again, so many times"),
        pytest.param("broker_connection_max_retries", None, id="a worker never gives its broker up"),
        pytest.param("broker_connection_retry_on_startup", True, id="nor when it starts"),
        pytest.param("worker_prefetch_multiplier", 1, id="no worker hoards"),
        pytest.param("worker_send_task_events", True, id="Flower sees tasks"),
        pytest.param("task_send_sent_event", False, id="Flower is not drowned by ticks"),
        pytest.param("worker_hijack_root_logger", False, id="the log is ours"),
        pytest.param("enable_utc", True, id="times are UTC"),
        pytest.param("timezone", "UTC", id="beat's too"),
    ],
)
def test_celery_is_told(celery: Celery, setting: str, value: object) -> None:
    assert celery.conf[setting] == value


def test_publishing_gives_up_within_seconds(celery: Celery) -> None:
    policy = celery.conf.task_publish_retry_policy

    assert policy["max_retries"] * policy["interval_max"] <= 5


@pytest.mark.parametrize("url", ["nonsense://hidden@host", "hidden", "redis://host:hidden/1x", ""])
def test_what_is_no_brokers_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="BADGE_WORKER_BROKER_URL") as refused:
        check_broker(url)

    assert "hidden" not in str(refused.value)
