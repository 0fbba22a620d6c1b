"""A command ends with all that it opened: nothing is left to whoever collects the garbage."""

from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING

import pytest

from tests.support import bodies, commands
from tests.support.ground import Ground, badge, definitions, now, read
from worker.applying import apply
from worker.sandbox import SandboxOptions, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis

    from tests.support.commands import Result
    from worker.adapters.queues import RedisStreamQueue


@pytest.fixture
def clients(redis_client: redis.Redis, queue: RedisStreamQueue) -> Iterator[Clients]:
    """Who is connected to Redis, while nothing is collected."""
    queue.backlog()  # it is connected from now on
    gc.collect()
    gc.disable()
    yield Clients(redis_client)
    gc.enable()


class Clients:
    """The connections to Redis that were made since."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._before = self._all()

    def left_by(self, *words: str) -> tuple[Result, set[str]]:
        ended = commands.run(*words)
        return ended, self._all() - self._before

    def _all(self) -> set[str]:
        return {each["id"] for each in self._client.client_list()}


@pytest.mark.parametrize(
    "words",
    [
        ("publish", "events.jsonl"),
        ("consume", "--until-idle", "0.1"),
        ("dead-letters", "replay", "--all"),
        ("doctor",),
    ],
    ids=" ".join,
)
def test_a_command_leaves_no_connection(
    ground: Ground, bare: Path, clients: Clients, words: tuple[str, ...]
) -> None:
    ground.apply(one=badge({"lp_enroll": {"learning_path_id": "40"}}))
    ground.ingest(b"junk")
    (bare / "events.jsonl").write_bytes(bodies.enrolled(now(), "ada"))

    ended, left = clients.left_by(*words)

    assert ended.code in {0, 1}, ended.err
    assert left == set()


def test_nor_does_one_that_fails(ground: Ground, clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BADGE_WORKER_ISSUER_ACADEMY_USERNAME", "us@example.org")
    monkeypatch.setenv("BADGE_WORKER_ISSUER_ACADEMY_PASSWORD", "any")
    about = ("--name", "Academy", "--email", "badges@example.org", "--url", "https://example.org")

    with running(SandboxOptions(rate_limit=None)) as url:
        apply(ground.database, read(definitions({}, academy={"provider": "badgr", "url": url})))
        made = json.loads(commands.run("badgr", "issuers", "create", *about, "--json").out)
        (me,) = (each["user"] for each in made["staff"])
        refused, left = clients.left_by(
            "badgr", "issuers", "update", made["entity_id"], "--staff", f"{me}=king"
        )

    assert refused.code == 2
    assert left == set()
