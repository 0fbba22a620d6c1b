"""What holds for every request: its size and pace, the headers of its answer, what the log says of it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from structlog.testing import capture_logs

from tests.support import web_site
from tests.support.waiting import wait_until
from worker.errors import DatabaseUnavailable
from worker.web import guard, intake, webhooks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

PUBLISHER = web_site.bearer(web_site.PUBLISH)
MARK = "ada.marked@example.org"
SECRET = "s3cr3t-m4rk"
CHECKS = ("database", "migrations", "event_queue", "task_broker")


@pytest.fixture(scope="module")
def client(valkey_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    url = f"sqlite:///{tmp_path_factory.mktemp('site') / 'none.db'}"
    with web_site.site(web_site.settings(url, valkey_server)) as client:
        yield client


@pytest.mark.parametrize("path", ["/healthz", "/events", "/no-such-page", "/graphql", "/openapi.json"])
def test_every_answer_has_the_headers_that_protect(client: httpx.Client, path: str) -> None:
    answer = client.get(path)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-frame-options"] == "DENY"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/no-such-page", 404), ("GET", "/events", 405), ("PUT", "/", 404)]
)
def test_refusals_are_json(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)

    assert (answer.status_code, list(answer.json())) == (status, ["errors"])


@pytest.mark.parametrize(
    ("method", "size", "status", "code"),
    [
        pytest.param("GET", 0, 405, "METHOD_NOT_ALLOWED", id="another-method"),
        pytest.param("POST", guard.LARGEST_BODY + 1, 413, "REQUEST_ENTITY_TOO_LARGE", id="too-big"),
    ],
)
def test_refusals_of_graphql_have_their_code_where_graphql_has_it(
    client: httpx.Client, method: str, size: int, status: int, code: str
) -> None:
    answer = client.request(method, "/graphql", content=b" " * size)

    (error,) = answer.json()["errors"]
    assert (answer.status_code, error["code"], error["extensions"]) == (status, code, {"code": code})


def test_nobody_is_sent_to_an_address_that_they_made_up(client: httpx.Client) -> None:
    answer = client.get("/healthz/", headers={"Host": "evil.example.org"})

    assert (answer.status_code, "location" in answer.headers) == (404, False)


def test_a_mistake_of_ours_is_told_without_its_words(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError(MARK)

    monkeypatch.setattr(intake, "documents", fail)

    with capture_logs() as logs:
        answer = client.post("/events", json={}, headers=PUBLISHER)

    assert answer.status_code == 500
    assert MARK not in answer.text
    assert [entry["error"] for entry in logs if entry["event"] == "request.failed"] == ["RuntimeError"]


def test_what_time_mends_is_worth_another_try(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise DatabaseUnavailable(MARK)

    monkeypatch.setattr(intake, "documents", fail)

    answer = client.post("/events", json={}, headers=PUBLISHER)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert MARK not in answer.text


@pytest.mark.parametrize("declared", [True, False])
def test_each_door_has_a_largest_body(client: httpx.Client, declared: bool) -> None:
    size = webhooks.LARGEST_BODY + 1
    content: Any = b" " * size if declared else iter([b" " * size])
    headers = {webhooks.HEADER: web_site.SECRET, "Content-Type": "application/json"}

    answer = client.post(webhooks.PATH, content=content, headers=headers)

    assert answer.status_code == 413


def begun(client: httpx.Client) -> socket.socket:
    """Return a connection over which half a request was sent."""
    address = (client.base_url.host, client.base_url.port or 80)
    connection = socket.create_connection(address, timeout=30)
    head = ["POST /events HTTP/1.1", "Host: test", f"Authorization: {PUBLISHER['Authorization']}"]
    head += ["Content-Type: application/json", "Content-Length: 100", "", "half"]
    connection.sendall("\r\n".join(head).encode())
    return connection


def test_who_sends_too_slowly_is_not_waited_for(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "SLOWEST_BODY", 0.05)

    with begun(client) as connection:
        answer = connection.recv(100)

    assert answer.startswith(b"HTTP/1.1 408 ")


def test_who_goes_away_in_the_middle_is_no_mistake_of_ours(client: httpx.Client) -> None:
    with capture_logs() as logs:
        begun(client).close()
        wait_until(lambda: 499 in [each.get("status") for each in logs], 30, "its end noted")

    assert "request.failed" not in [each["event"] for each in logs]


def test_neither_tokens_nor_addresses_nor_paths_stand_in_the_log(client: httpx.Client) -> None:
    with capture_logs() as logs:
        client.get(f"/admin/{MARK}", params={"search": MARK})
        client.get(f"/{MARK}", headers={"Authorization": f"Bearer {MARK}"})
        client.post("/events", json={"data": {"email": MARK}}, headers=PUBLISHER)
        client.request(MARK.replace("@", "-"), "/healthz")
        doors = {"/admin", "other", "/events", "/healthz"}
        wait_until(lambda: doors <= {each.get("door") for each in logs}, 30, "all of them noted")

    assert MARK not in str(logs)
    assert web_site.PUBLISH not in str(logs)


class TestReadiness:
    def test_each_thing_that_is_missing_is_named_and_no_more(self, client: httpx.Client) -> None:
        answer = client.get("/readyz")

        checks = answer.json()["checks"]
        assert answer.status_code == 503
        assert (checks["event_queue"], checks["task_broker"]) == ("ok", "ok")
        assert "badge-worker db upgrade" in checks["migrations"]

    def test_looking_makes_no_database(self, client: httpx.Client, tmp_path_factory: Any) -> None:
        client.get("/readyz")

        assert list(tmp_path_factory.getbasetemp().rglob("none.db")) == []

    def test_it_is_ready_once_everything_is_there(self, migrated_file: Path, redis_url: str) -> None:
        with web_site.site(web_site.settings(f"sqlite:///{migrated_file}", redis_url)) as client:
            answer = client.get("/readyz")

        assert (answer.status_code, answer.json()) == (
            200,
            {"status": "ready", "checks": dict.fromkeys(CHECKS, "ok")},
        )

    @pytest.mark.parametrize(
        ("missing", "setting", "value"),
        [
            pytest.param(
                {"database", "migrations"},
                "database_url",
                f"postgresql+psycopg://u:{SECRET}@127.0.0.1:1/n",
                id="database",
            ),
            pytest.param({"event_queue"}, "events_url", "redis://127.0.0.1:1/0?stream=x", id="event-queue"),
            pytest.param({"event_queue"}, "events_url", "amqp://127.0.0.1:1//?queue=x", id="rabbitmq"),
            pytest.param({"task_broker"}, "broker_url", f"redis://:{SECRET}@127.0.0.1:1/1", id="task-broker"),
        ],
    )
    def test_what_is_missing_is_named_and_nothing_else(
        self, migrated_file: Path, redis_url: str, missing: set[str], setting: str, value: str
    ) -> None:
        given = {"database_url": f"sqlite:///{migrated_file}", "redis_url": redis_url, setting: value}
        with web_site.site(web_site.settings(**given)) as client:
            answer = client.get("/readyz")

        assert answer.status_code == 503
        assert {name for name, found in answer.json()["checks"].items() if found != "ok"} == missing
        assert SECRET not in answer.text

    def test_a_database_without_its_schema_is_not_ready(self, postgres_url: str, redis_url: str) -> None:
        with web_site.site(web_site.settings(postgres_url, redis_url)) as client:
            checks = client.get("/readyz").json()["checks"]

        said = "the schema is missing or old; run `badge-worker db upgrade`"
        assert checks == dict.fromkeys(CHECKS, "ok") | {"migrations": said}

    def test_being_alive_needs_nothing(self, client: httpx.Client) -> None:
        assert client.get("/healthz").json() == {"status": "alive"}
