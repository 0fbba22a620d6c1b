"""Many applies under load: badges change while four consumers work, and not one award is lost."""

from __future__ import annotations

import random
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.support.bodies import enrolled, met
from tests.support.ground import Ground, badge, definitions, now, read
from tests.support.running import Running
from worker.adapters.database.store import Database
from worker.applying import apply
from worker.awarding import Awarding
from worker.reevaluation import backfill

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from worker.adapters.database.batch import Batch

APPLIES, CONSUMERS, PEOPLE = 40, 4, 24
BATCH = 2
LONGEST_COMMIT = 0.05  # seconds


def new_badge(number: int) -> dict[str, Any]:
    """Return the badge that the round brings: about a path of its own, or a number of people met."""
    if number % 4 == 3:
        return badge({"social_connection": {"threshold": number // 4 + 1}})
    return badge({"lp_enroll": {"learning_path_id": f"path-{number}"}})


def happenings(number: int) -> list[list[bytes]]:
    """Return what happens in a round, for each consumer: everybody earns its badge, in any order."""
    names = [f"user-{person}" for person in range(PEOPLE)]
    random.Random(number).shuffle(names)  # noqa: S311 # repeatable, not secret
    if number % 4 == 3:
        bodies = [met(number, name, f"friend-{number}-{name}") for name in names]
    else:
        bodies = [enrolled(number, name, f"path-{number}") for name in names]
    return [bodies[consumer::CONSUMERS] for consumer in range(CONSUMERS)]


class Far(Database):
    """A database whose commits take their time, as over a network: the more of them are under way at once."""

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        with super().batch() as batch:
            yield batch
            time.sleep(random.random() * LONGEST_COMMIT)  # noqa: S311 # chance is what is wanted


def consume(ground: Ground, start: threading.Barrier, rounds: Sequence[list[bytes]]) -> None:
    awarding = Awarding(Far(ground.engine), now)
    for bodies in rounds:
        start.wait()
        for first in range(0, len(bodies), BATCH):
            awarding.ingest(bodies[first : first + BATCH])


def apply_all(ground: Ground, start: threading.Barrier) -> None:
    badges: dict[str, Any] = {}
    for number in range(APPLIES):
        badges[f"badge-{number}"] = new_badge(number)
        start.wait()
        apply(ground.database, read(definitions(badges)))
        backfill(ground.database)


def test_forty_applies_under_load_lose_not_one_award(postgres: Ground) -> None:
    start = threading.Barrier(CONSUMERS + 1, timeout=60)
    rounds = [happenings(number) for number in range(APPLIES)]
    consumers = [
        Running(lambda mine=mine: consume(postgres, start, [each[mine] for each in rounds]))  # type: ignore[misc]
        for mine in range(CONSUMERS)
    ]
    applies = Running(lambda: apply_all(postgres, start))
    for each in (applies, *consumers):
        each.result(patience=120)

    people = {f"user-{person}" for person in range(PEOPLE)}
    earned = postgres.earned()
    holders = [
        {user for user, badge_id in earned if badge_id == f"badge-{number}"} & people
        for number in range(APPLIES)
    ]
    assert [number for number, those in enumerate(holders) if those != people] == []
