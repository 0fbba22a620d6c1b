"""All that goes wrong in the ingestion drill."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import psycopg

from tests.support.drill_world import soon
from tests.support.services import plain
from worker.adapters.redis_connection import connect

if TYPE_CHECKING:
    from tests.support.drill_world import World
    from tests.support.patient_publisher import PatientPublisher
    from tests.support.processes import Spawned

# When consumers are killed: where they wait for a table, between commit and acknowledgement, or anywhere.
ANYWHERE, COMMITTED = "anywhere", "committed"
MOMENTS = ["activities", COMMITTED, ANYWHERE, "awards", ANYWHERE, "dead_letters", "users", "counts"]
PAUSED = 10_000  # ms, or until we say

Publish = Callable[[], None]
Action = Callable[[Publish], None]


@dataclass(frozen=True, slots=True)
class Weather:
    """What goes wrong how often, and how many seconds lie between."""

    kills: int = 30
    postgres_restarts: int = 6
    valkey_restarts: int = 4
    pause: tuple[float, float] = (0.2, 1.5)
    most_left: int = 20_000  # entries on the stream, before the next slice comes


class Storm:
    """Kills consumers and restarts servers, and counts it. `in_hand`: the entries of each who was killed."""

    def __init__(self, world: World, weather: Weather, seed: int, tell: Callable[[str], None]) -> None:
        self.in_hand: list[int] = []
        self.restarts = {signal.SIGINT: 0, signal.SIGQUIT: 0}
        self.valkey_kills = 0
        self._world = world
        self._weather = weather
        self._rng = random.Random(seed)  # noqa: S311 # repeatable, not secret
        self._tell = tell

    def rage(self, publisher: PatientPublisher, bodies: Sequence[bytes]) -> None:
        """Publish these in slices, one for each thing that goes wrong, while that goes wrong."""
        actions = self._actions()
        for number, action in enumerate(actions):
            soon(lambda: self._world.left()[0] < self._weather.most_left, seconds=20)
            action(partial(publisher.publish, _slice(bodies, number, len(actions))))
            time.sleep(self._rng.uniform(*self._weather.pause))

    def _actions(self) -> list[Action]:
        kills: list[Action] = [
            partial(self._kill, moment)
            for moment in itertools.islice(itertools.cycle(MOMENTS), self._weather.kills)
        ]
        restarts: list[Action] = [
            partial(self._restart_postgres, how)
            for how in itertools.islice(itertools.cycle(self.restarts), self._weather.postgres_restarts)
        ]
        actions = [*kills, *restarts, *[self._restart_valkey] * self._weather.valkey_restarts]
        self._rng.shuffle(actions)
        return actions

    def _kill(self, moment: str, publish: Publish) -> None:
        """Kill a consumer with entries in hand, at a moment, and start another in its place."""
        consumers = self._world.consumers
        with self._caught(moment, publish) as victim:
            self._world.note_memory(victim)
            victim.signal(signal.SIGKILL)
            victim.wait()
        held = len(self._world.in_hand(victim))
        self.in_hand.append(held)
        consumers[consumers.index(victim)] = self._world.consumer()
        self._tell(f"kill {len(self.in_hand)} ({moment}), {held} entries in hand")

    @contextmanager
    def _caught(self, moment: str, publish: Publish) -> Iterator[Spawned]:
        """Publish, and catch one where it waits for a table, before it acknowledges, or anywhere."""
        if moment == ANYWHERE:
            publish()
            victim = self._one_at_work()
            time.sleep(self._rng.uniform(0, 0.03))
            yield victim
            return
        with psycopg.connect(plain(self._world.postgres.url)) as locking:
            locking.execute(f"LOCK TABLE {moment if moment != COMMITTED else 'users'} IN EXCLUSIVE MODE")
            publish()
            victim = self._one_at_work()
            soon(self._world.waiting)
            if moment != COMMITTED:
                yield victim
                return
            with self._no_writes_to_valkey():
                locking.rollback()
                soon(lambda: not self._world.busy())
                yield victim

    def _one_at_work(self) -> Spawned:
        """Wait a while for a consumer with entries in hand, and choose one."""
        world = self._world
        soon(lambda: any(world.in_hand(each) for each in world.consumers), seconds=5)
        return self._rng.choice([each for each in world.consumers if world.in_hand(each)] or world.consumers)

    @contextmanager
    def _no_writes_to_valkey(self) -> Iterator[None]:
        with connect(self._world.valkey.url) as client:
            client.client_pause(PAUSED, all=False)
            yield
            client.client_unpause()

    def _restart_postgres(self, how: signal.Signals, publish: Publish) -> None:
        publish()
        soon(self._world.busy)
        self._world.postgres.end(how)
        time.sleep(self._rng.uniform(0, 1))
        self._world.postgres.start()
        self.restarts[how] += 1
        self._tell(f"PostgreSQL restarted after {how.name}")

    def _restart_valkey(self, publish: Publish) -> None:
        publish()
        soon(self._world.busy)
        self._world.valkey.kill()
        time.sleep(self._rng.uniform(0, 1))
        self._world.valkey.start()
        self.valkey_kills += 1
        self._tell("Valkey killed and restarted")


def _slice(bodies: Sequence[bytes], number: int, of: int) -> Sequence[bytes]:
    return bodies[len(bodies) * number // of : len(bodies) * (number + 1) // of]
