"""POST /events over real HTTP and a real queue: 202 is on the queue, and everything else is not."""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from tests.support import web_site
from tests.support.forwarder import Forwarder
from worker.adapters.queues import open_queue
from worker.events import LARGEST_EVENT
from worker.intake import MOST_AT_ONCE, Intake
from worker.web import intake
from worker.web.rate import CallerRate

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx
    import redis

    from tests.support.rabbitmq import RabbitMQ

PUBLISHER = web_site.bearer(web_site.PUBLISH)
STRUCTURED = {"Content-Type": "application/cloudevents+json"}
BATCH = {"Content-Type": "application/cloudevents-batch+json"}
PLAIN = {"Content-Type": "application/json"}
ATTRIBUTES = {
    "ce-specversion": "1.0",
    "ce-id": "1",
    "ce-source": "lms",
    "ce-type": "post.created.v1",
    "ce-time": "2026-01-01T00:00:00Z",
}


def event(**fields: Any) -> dict[str, Any]:
    plain = {"specversion": "1.0", "id": "1", "source": "lms", "time": "2026-01-01T00:00:00Z"}
    return plain | {"type": "post.created.v1", "data": {"user_id": "7", "post_id": "8"}} | fields


@pytest.fixture(scope="module")
def client(valkey_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    url = f"sqlite:///{tmp_path_factory.mktemp('site') / 'none.db'}"
    with web_site.site(web_site.settings(url, valkey_server)) as client:
        client.headers.update(PUBLISHER)
        yield client


@pytest.fixture
def queue(redis_client: redis.Redis) -> redis.Redis:
    """The empty queue."""
    return redis_client


def queued(queue: redis.Redis) -> list[Any]:
    return [json.loads(body) for body in bodies(queue)]


def bodies(queue: redis.Redis) -> list[bytes]:
    entries: Any = queue.xrange("badge-events")
    return [fields[b"event"] for _, fields in entries]


@pytest.mark.parametrize(
    ("headers", "sent"),
    [
        pytest.param(STRUCTURED, event(), id="structured"),
        pytest.param(BATCH, [event(), event(id="2")], id="batch"),
        pytest.param(PLAIN, event(), id="plain-object"),
        pytest.param(PLAIN, [event(), event(id="2")], id="plain-array"),
        pytest.param({"Content-Type": "Application/JSON; charset=UTF-8"}, event(), id="with-a-charset"),
        pytest.param(
            PLAIN, [event(id=str(number)) for number in range(MOST_AT_ONCE)], id="as-many-as-may-be"
        ),
    ],
)
def test_what_is_accepted_is_on_the_queue(
    client: httpx.Client, queue: redis.Redis, headers: dict[str, str], sent: Any
) -> None:
    answer = client.post("/events", content=json.dumps(sent), headers=headers)

    events = sent if isinstance(sent, list) else [sent]
    assert (answer.status_code, answer.json()) == (202, {"accepted": len(events), "unknown_types": []})
    assert queued(queue) == events


def test_in_binary_mode_the_attributes_stand_in_headers(client: httpx.Client, queue: redis.Redis) -> None:
    headers = {**PLAIN, **ATTRIBUTES, "ce-id": "%C3%A4%20%22b%22", "ce-other": "passed over"}

    answer = client.post("/events", content='{"user_id": 7, "post_id": "8"}', headers=headers)

    assert answer.status_code == 202
    assert queued(queue) == [event(id='ä "b"', data={"user_id": 7, "post_id": "8"})]


def test_an_event_stays_as_it_was_written(client: httpx.Client, queue: redis.Redis) -> None:
    written = json.dumps(event()).replace("{", '{ "more" : 1.0e2, ', 1).encode()

    client.post("/events", content=b" [ " + written + b"\n, " + written + b" ] ", headers=PLAIN)

    assert bodies(queue) == [written, written]


def test_types_that_are_unknown_are_accepted_and_named(client: httpx.Client, queue: redis.Redis) -> None:
    sent = [event(), event(type="x.y"), event(type="x.z"), event(type="x.y")]

    answer = client.post("/events", json=sent)

    assert (answer.status_code, answer.json()) == (202, {"accepted": 4, "unknown_types": ["x.y", "x.z"]})
    assert len(queued(queue)) == 4


def test_each_bad_one_is_named_and_none_is_queued(client: httpx.Client, queue: redis.Redis) -> None:
    sent = [event(), event(time="yesterday", data={"user_id": "7"}), 3, event(type="")]

    with capture_logs() as logs:
        answer = client.post("/events", json=sent)

    assert answer.status_code == 400
    assert [(each["index"], each["field"]) for each in answer.json()["errors"]] == [
        (1, "time"),
        (1, "data.post_id"),
        (2, "body"),
        (3, "type"),
    ]
    assert answer.json()["errors"][1]["message"] == "missing"
    (said,) = [each for each in logs if each["event"] == "intake.refused"]
    assert (said["caller"], said["fields"]) == ("lms", ["body", "data.post_id", "time", "type"])
    assert queued(queue) == []


@pytest.mark.parametrize(
    ("headers", "content", "status", "field"),
    [
        pytest.param(PLAIN, b"", 400, "body", id="nothing"),
        pytest.param(PLAIN, b"[", 400, "body", id="half-an-array"),
        pytest.param(PLAIN, b"[1 2]", 400, "body", id="no-comma"),
        pytest.param(PLAIN, b"[{},]", 400, "body", id="a-comma-too-many"),
        pytest.param(PLAIN, b"[] []", 400, "body", id="two-arrays"),
        pytest.param(PLAIN, b"[" * 100_000, 400, "body", id="deep"),
        pytest.param(PLAIN, b'{"a":' * 10_000, 400, "body", id="deep-objects"),
        pytest.param(PLAIN, b"[\xff]", 400, "body", id="not-utf-8"),
        pytest.param(BATCH, b"[]", 400, "body", id="no-events"),
        pytest.param(STRUCTURED, json.dumps([event()]), 400, "body", id="an-array-as-one"),
        pytest.param(BATCH, json.dumps(event()), 400, "body", id="one-as-an-array"),
        pytest.param(PLAIN | ATTRIBUTES, b'{"user_id":"7"}', 400, "data.post_id", id="binary-bad-data"),
        pytest.param(PLAIN | ATTRIBUTES, b"", 400, "data", id="binary-without-data"),
        pytest.param(PLAIN | ATTRIBUTES, b'{},"type":"x.y"', 400, "body", id="binary-with-more-than-data"),
        pytest.param(PLAIN | {"ce-id": "1"}, b"{}", 400, "type", id="binary-without-attributes"),
        pytest.param(PLAIN | ATTRIBUTES | {"ce-id": "%ff"}, b"{}", 400, "id", id="binary-not-utf-8"),
        pytest.param(PLAIN, json.dumps(event(x="x" * LARGEST_EVENT)), 413, "body", id="a-large-event"),
        pytest.param(PLAIN, json.dumps([event()] * 1001), 413, "body", id="too-many"),
        pytest.param({"Content-Type": "text/plain"}, json.dumps(event()), 415, "content-type", id="text"),
        pytest.param({}, json.dumps(event()), 415, "content-type", id="of-no-type"),
        pytest.param(
            {"Content-Type": "application/json; charset=latin-1"}, b"{}", 415, "content-type", id="latin"
        ),
        pytest.param(PLAIN | {"Content-Encoding": "gzip"}, b"{}", 415, "content-encoding", id="compressed"),
        pytest.param(
            ATTRIBUTES | {"Content-Type": "application/xml"}, b"<a/>", 415, "content-type", id="binary-xml"
        ),
    ],
)
def test_what_holds_no_events_is_refused_with_the_reason(
    client: httpx.Client,
    queue: redis.Redis,
    headers: dict[str, str],
    content: str | bytes,
    status: int,
    field: str,
) -> None:
    answer = client.post("/events", content=content, headers=headers)

    assert answer.status_code == status, answer.text
    assert field in [each["field"] for each in answer.json()["errors"]]
    assert queued(queue) == []


@pytest.mark.parametrize(
    ("authorization", "status", "code"),
    [
        pytest.param("", 401, "UNAUTHENTICATED", id="none"),
        pytest.param("Bearer made-up", 401, "UNAUTHENTICATED", id="unknown"),
        pytest.param(f"Bearer {web_site.READ}", 403, "FORBIDDEN", id="without-the-role"),
        pytest.param(f"Bearer {web_site.ADMIN}", 403, "FORBIDDEN", id="not-even-an-admin"),
    ],
)
def test_without_a_token_that_may_publish_nothing_comes_in(
    client: httpx.Client, queue: redis.Redis, authorization: str, status: int, code: str
) -> None:
    answer = client.post("/events", json=event(), headers={"Authorization": authorization})

    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (status, code)
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert queued(queue) == []


@pytest.mark.parametrize("declared", [True, False])
def test_a_request_that_is_too_big_is_not_read_to_its_end(client: httpx.Client, declared: bool) -> None:
    chunks = [b" " * 1024 * 1024] * 17
    content: Any = b"".join(chunks) if declared else iter(chunks)

    answer = client.post("/events", content=content, headers=PLAIN)

    assert answer.status_code == 413


def test_who_comes_too_often_is_told_when_to_come_again(
    client: httpx.Client, queue: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CallerRate, "take", lambda _self, _caller: 2.5)

    answer = client.post("/events", json=event())

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert queued(queue) == []


def test_many_at_once_share_the_connection_and_each_finds_its_own(
    client: httpx.Client, queue: redis.Redis
) -> None:
    together = threading.Barrier(16)

    def send(number: int) -> int:
        together.wait()
        return client.post("/events", json=[event(id=f"{number}-{each}") for each in range(20)]).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(send, range(16)))

    assert statuses == [202] * 16
    assert {each["id"] for each in queued(queue)} == {f"{a}-{b}" for a in range(16) for b in range(20)}


def test_a_queue_out_of_reach_is_said_and_found_again(
    sqlite_url: str, rabbitmq_server: RabbitMQ, amqp_url: str, redis_url: str
) -> None:
    with Forwarder(rabbitmq_server.port) as way:
        way.open()
        events_url = amqp_url.replace(f":{rabbitmq_server.port}/", f":{way.port}/")
        given = web_site.settings(sqlite_url, redis_url, events_url=events_url)
        with web_site.site(given) as client:
            client.headers.update(PUBLISHER)
            before = client.post("/events", json=event(id="before"))
            way.close()
            away, ready = client.post("/events", json=event(id="away")), client.get("/readyz")
            way.open()
            after = client.post("/events", json=event(id="after"))

    assert (before.status_code, away.status_code, after.status_code) == (202, 503, 202)
    assert int(away.headers["retry-after"]) > 0
    assert (ready.status_code, ready.json()["checks"]["event_queue"]) == (503, "cannot be reached")
    reader = open_queue(amqp_url)
    ids = {json.loads(message.body)["id"] for message in reader.read(10, 10)}
    reader.close()
    assert {"before", "after"} <= ids


def test_a_queue_that_does_not_answer_is_not_waited_for_without_end(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    never: Future[None] = Future()
    monkeypatch.setattr(Intake, "put", lambda _self, _bodies: never)
    monkeypatch.setattr(intake, "_PATIENCE", 0.05)

    answer = client.post("/events", json=event())

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert never.cancelled()


def test_events_in_the_future_are_refused(client: httpx.Client) -> None:
    ahead = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1).isoformat()

    answer = client.post("/events", json=event(time=ahead))

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "time")


def test_bodies_under_way_have_no_more_room_than_there_is(
    client: httpx.Client, queue: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = json.dumps(event()).encode()
    monkeypatch.setattr(intake, "_MOST_UNDER_WAY", len(sent))

    crowded = client.post(intake.PATH, content=sent + b" ", headers=PLAIN)
    taken = [client.post(intake.PATH, content=sent, headers=PLAIN) for _ in range(2)]

    assert (crowded.status_code, crowded.headers["retry-after"]) == (503, "5")
    assert [answer.status_code for answer in taken] == [202, 202]
    assert len(queued(queue)) == 2
