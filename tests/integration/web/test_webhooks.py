"""POST /webhooks/opigno: two triggers become events, others are acknowledged, strangers stay outside."""

from __future__ import annotations

import hmac
import json
from hashlib import sha256
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from tests.support import web_site
from worker.web import webhooks
from worker.web.rate import CallerRate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    import redis

REGISTERED, COMPLETED = "USER_REGISTERED_TO_TRAINING", "USER_COMPLETED_TRAINING"
SECRET = {webhooks.HEADER: web_site.SECRET}


def call(trigger: str = REGISTERED, **more: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {"triggerEvent": trigger, "user": {"id": 242}, "training": {"id": "40"}}
    return plain | {"timestamp": 1767225600} | more


@pytest.fixture(scope="module")
def client(valkey_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    url = f"sqlite:///{tmp_path_factory.mktemp('site') / 'none.db'}"
    with web_site.site(web_site.settings(url, valkey_server)) as client:
        client.headers.update(SECRET)
        yield client


@pytest.fixture
def queue(redis_client: redis.Redis) -> redis.Redis:
    """The empty queue."""
    return redis_client


def queued(queue: redis.Redis) -> list[Any]:
    entries: Any = queue.xrange("badge-events")
    return [json.loads(fields[b"event"]) for _, fields in entries]


def ignored(trigger: str) -> float:
    return REGISTRY.get_sample_value("badge_worker_webhooks_ignored_total", {"trigger": trigger}) or 0.0


def test_being_registered_to_a_training_is_an_enrolment(client: httpx.Client, queue: redis.Redis) -> None:
    answer = client.post(webhooks.PATH, json=call(id="hook-1"))

    assert (answer.status_code, answer.json()) == (202, {"accepted": 1, "unknown_types": []})
    assert queued(queue) == [
        {
            "specversion": "1.0",
            "id": "hook-1",
            "source": "opigno",
            "type": "learning_path.enrolled.v1",
            "time": "2026-01-01T00:00:00+00:00",
            "data": {"user_id": 242, "learning_path_id": "40"},
        }
    ]


def test_completing_a_training_is_a_completion_with_what_is_known_of_it(
    client: httpx.Client, queue: redis.Redis
) -> None:
    bare, passed = call(COMPLETED), call(COMPLETED, passed=True, score=92, requiredScore=60)

    statuses = [client.post(webhooks.PATH, json=sent).status_code for sent in (bare, passed)]

    assert statuses == [202, 202]
    nothing = {"passed": None, "score": None, "required_score": None}
    about = {"user_id": 242, "learning_path_id": "40"}
    assert [event["data"] for event in queued(queue)] == [
        about | nothing,
        about | {"passed": True, "score": 92, "required_score": 60},
    ]


def test_the_same_call_again_is_the_same_event(client: httpx.Client, queue: redis.Redis) -> None:
    for _ in range(2):
        client.post(webhooks.PATH, json=call())
    client.post(webhooks.PATH, json=call(timestamp=1767225601))

    first, again, other = (event["id"] for event in queued(queue))

    assert first == again != other


def test_other_triggers_are_acknowledged_and_counted(client: httpx.Client, queue: redis.Redis) -> None:
    before = ignored("CERTIFICATE_EXPIRED")

    answer = client.post(webhooks.PATH, json={"triggerEvent": "CERTIFICATE_EXPIRED"})

    assert (answer.status_code, answer.json()) == (200, {"accepted": 0})
    assert ignored("CERTIFICATE_EXPIRED") == before + 1
    assert queued(queue) == []


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        pytest.param("{", "body: not JSON", id="no-json"),
        pytest.param("[" * 60_000, "body: not JSON", id="deep"),
        pytest.param("[]", "body: not a JSON object", id="an-array"),
        pytest.param("{}", "trigger: nothing stands at triggerEvent or trigger", id="no-trigger"),
        pytest.param(json.dumps(call(user={})), "user_id: nothing stands at user.id", id="no-user"),
        pytest.param(json.dumps(call(training=7)), "learning_path_id: nothing stands", id="no-training"),
        pytest.param(json.dumps(call(timestamp="soon")), "time: an RFC 3339 time", id="no-time"),
        pytest.param(json.dumps(call(timestamp=1e300)), "time: not a time", id="beyond-time"),
        pytest.param(json.dumps(call(COMPLETED, passed="yes")), "data.passed: ", id="no-flag"),
    ],
)
def test_what_is_not_understood_is_refused_and_its_names_logged_without_values(
    client: httpx.Client, queue: redis.Redis, sent: str, says: str
) -> None:
    with capture_logs() as logs:
        answer = client.post(webhooks.PATH, content=sent, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400
    assert says in answer.json()["errors"][0]["message"]
    assert queued(queue) == []
    (said,) = [entry for entry in logs if entry["event"] == "webhook.not_understood"]
    assert "242" not in str(said)
    assert ("user.id" in said["names"]) == ('"id": 242' in sent)


def test_a_key_that_is_no_name_is_not_logged(client: httpx.Client) -> None:
    sent = {"users": {"ada@example.org": {"score": 1}, "x" * 41: 2, "7": 3}, "ada lovelace": 4}

    with capture_logs() as logs:
        client.post(webhooks.PATH, json=sent)

    (said,) = [entry for entry in logs if entry["event"] == "webhook.not_understood"]
    assert said["names"] == ["*", "users.*", "users.*.score"]


@pytest.mark.parametrize(
    "presented",
    [
        pytest.param("", id="none"),
        pytest.param("another", id="another"),
        pytest.param(web_site.SECRET[:-1], id="its-beginning"),
        pytest.param(f"{web_site.SECRET}x", id="more"),
        pytest.param("\u00e9".encode(), id="not-ascii"),
    ],
)
def test_without_the_secret_nobody_comes_in(client: httpx.Client, queue: redis.Redis, presented: Any) -> None:
    answer = client.post(webhooks.PATH, json=call(), headers={webhooks.HEADER: presented})

    assert answer.status_code == 403
    assert queued(queue) == []


@pytest.mark.parametrize("presented", ["", "x", web_site.SECRET, "x" * 1000])
def test_the_secret_is_compared_in_constant_time(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, presented: str
) -> None:
    """Of both sides a hash is compared, so that not even the length of the secret shows."""
    compared: list[bytes] = []

    def compare(ours: bytes, theirs: bytes) -> bool:
        compared.extend((ours, theirs))
        return hmac.compare_digest(ours, theirs)

    monkeypatch.setattr(webhooks, "hmac", SimpleNamespace(compare_digest=compare))

    answer = client.post(webhooks.PATH, json=call(), headers={webhooks.HEADER: presented})

    assert answer.status_code == (202 if presented == web_site.SECRET else 403)
    assert compared == [sha256(text.encode()).digest() for text in (web_site.SECRET, presented)]


def test_calls_that_come_too_often_are_told_when_to_come_again(
    client: httpx.Client, queue: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CallerRate, "take", lambda _self, _caller: 2.5)

    answer = client.post(webhooks.PATH, json=call())

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert queued(queue) == []


def test_without_a_secret_in_the_settings_there_is_no_such_door(sqlite_url: str, redis_url: str) -> None:
    given = web_site.settings(sqlite_url, redis_url, opigno_webhook_secret=None)
    with web_site.site(given) as client:
        answer = client.post(webhooks.PATH, json=call(), headers={webhooks.HEADER: ""})
        bearer = client.post(webhooks.PATH, json=call(), headers=web_site.bearer(web_site.PUBLISH))

    assert (answer.status_code, bearer.status_code) == (404, 404)


def test_where_things_stand_is_a_setting(sqlite_url: str, redis_client: redis.Redis, redis_url: str) -> None:
    paths = "trigger=event, user_id=who|data.who, learning_path_id=data.what"
    sent = {"event": REGISTERED, "data": {"who": "u", "what": "p"}}
    with web_site.site(web_site.settings(sqlite_url, redis_url, opigno_webhook_paths=paths)) as client:
        answer = client.post(webhooks.PATH, json=sent, headers=SECRET)

    assert answer.status_code == 202
    assert queued(redis_client)[0]["data"] == {"user_id": "u", "learning_path_id": "p"}
