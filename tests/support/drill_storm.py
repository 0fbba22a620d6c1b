"""All that goes wrong in the ingestion drill."""

from __future__ import annotations

import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import psycopg

from tests.support.drill_world import soon
from tests.support.services import plain

if TYPE_CHECKING:
    from tests.support.drill_world import World
    from tests.support.patient_publisher import PatientPublisher
    from tests.support.processes import Spawned
    from tests.support.restartable import Restartable

# When consumers are killed: where they wait for a table, between commit and acknowledgement, or anywhere.
ANYWHERE, COMMITTED = "anywhere", "committed"
MOMENTS = ["activities", COMMITTED, ANYWHERE, "awards", ANYWHERE, "dead_letters", "users", "counts"]

Publish = Callable[[], None]
Action = Callable[[Publish], None]


@dataclass(frozen=True, slots=True)
class Weather:
    """What goes wrong how often, and how many seconds lie between."""

    kills: int = 30
    postgres_restarts: int = 6
    broker_restarts: int = 4
    pause: tuple[float, float] = (0.2, 1.5)
    most_left: int = 20_000  # entries on the stream, before the next slice comes


class Storm:
    """Kills consumers and restarts servers, and counts it.

    `in_hand`: the entries of each who was killed; `restarts`: by server, and by how that ended.
    """

    def __init__(self, world: World, weather: Weather, seed: int, tell: Callable[[str], None]) -> None:
        self.in_hand: list[int] = []
        self.restarts: Counter[tuple[str, signal.Signals]] = Counter()
        self._world = world
        self._weather = weather
        self._rng = random.Random(seed)  # noqa: S311 # repeatable, not secret
        self._tell = tell

    def rage(self, publisher: PatientPublisher, bodies: Sequence[bytes]) -> None:
        """Publish these in slices, one for each thing that goes wrong, while that goes wrong."""
        actions = self._actions()
        for number, action in enumerate(actions):
            soon(lambda: self._world.broker.left()[0] < self._weather.most_left, seconds=20)
            action(partial(publisher.publish, _slice(bodies, number, len(actions))))
            time.sleep(self._rng.uniform(*self._weather.pause))

    def _actions(self) -> list[Action]:
        kills: list[Action] = [
            partial(self._kill, moment)
            for moment in itertools.islice(itertools.cycle(MOMENTS), self._weather.kills)
        ]
        postgres, broker = self._world.postgres, self._world.broker
        actions = [
            *kills,
            *self._restarts(postgres, self._weather.postgres_restarts),
            *self._restarts(broker, self._weather.broker_restarts),
        ]
        self._rng.shuffle(actions)
        return actions

    def _restarts(self, server: Restartable, times: int) -> list[Action]:
        ends = itertools.islice(itertools.cycle(server.ends), times)
        return [partial(self._restart, server, how) for how in ends]

    def _kill(self, moment: str, publish: Publish) -> None:
        """Kill a consumer with entries in hand, at a moment, and start another in its place."""
        consumers = self._world.consumers
        with self._caught(moment, publish) as victim:
            self._world.note_memory(victim)
            victim.signal(signal.SIGSTOP)  # what it has in hand stays there while that is counted
            held = self._world.broker.in_hand(victim.pid)
            victim.signal(signal.SIGKILL)
            victim.wait()
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
        elif moment == COMMITTED:
            with self._world.commits_held():
                publish()
                soon(self._world.committing)
                yield self._rng.choice(self._world.committing() or [self._one_at_work()])
        else:
            with psycopg.connect(plain(self._world.postgres.url)) as locking:
                locking.execute(f"LOCK TABLE {moment} IN EXCLUSIVE MODE")
                publish()
                victim = self._one_at_work()
                soon(self._world.waiting)
                yield victim

    def _one_at_work(self) -> Spawned:
        """Wait a while for a consumer with entries in hand, and choose one."""
        soon(self._at_work, seconds=5)
        return self._rng.choice(self._at_work() or self._world.consumers)

    def _at_work(self) -> list[Spawned]:
        return [each for each in self._world.consumers if self._world.broker.in_hand(each.pid)]

    def _restart(self, server: Restartable, how: signal.Signals, publish: Publish) -> None:
        publish()
        soon(self._world.busy)
        server.end(how)
        time.sleep(self._rng.uniform(0, 1))
        server.start()
        self.restarts[server.name, how] += 1
        self._tell(f"{server.name} restarted after {how.name}")


def _slice(bodies: Sequence[bytes], number: int, of: int) -> Sequence[bytes]:
    return bodies[len(bodies) * number // of : len(bodies) * (number + 1) // of]
