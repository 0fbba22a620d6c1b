"""The cases of issue 4, each measured once a turn, so that a noisy minute hits all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

import psycopg

from benchmarks import bare, graphql, ingest, latency, mix, reevaluation, simulate
from benchmarks.bare import Transaction
from benchmarks.figures import Figure, Figures, Wanted
from benchmarks.ground import Ground, prepare
from benchmarks.ingest import Rate, Work
from benchmarks.plain.measuring import PlainDesign
from benchmarks.stored import store
from benchmarks.stream import Streams
from tests.support.services import plain
from worker.adapters.database.engine import make_engine

PER_SECOND = "/s"
BEYOND = 9_990  # badges that nobody earns, beside ten others
LATENCY_SECONDS = 12.0
PAGES_SECONDS = 10.0
BATCH = 2_000  # BATCH_SIZE where a rate is measured, unless told otherwise
BY_DEFAULT = 500  # BATCH_SIZE if nothing is set
PEOPLE = 1_000_000  # who are evaluated, with ten activities each unless told otherwise


def known(stored: int) -> dict[str, Figure]:
    """Return every figure, in the order of the table."""
    many = f"{stored:,}"
    return {
        "two": Figure("PostgreSQL, two consumers", PER_SECOND, Wanted(20_000)),
        "one": Figure("PostgreSQL, one consumer", PER_SECOND, Wanted(15_000)),
        "default": Figure(f"PostgreSQL, two consumers, BATCH_SIZE={BY_DEFAULT} (the default)", PER_SECOND),
        "two/one": Figure("two consumers / one", "", Wanted(1)),
        "cpu consumers": Figure("processor time of one consumer, an event", "µs"),
        "cpu postgres": Figure("processor time of PostgreSQL for it", "µs"),
        "cpu valkey": Figure("processor time of Valkey for it", "µs"),
        "bare": Figure("the same SQL without Python, one connection", PER_SECOND),
        "one/bare": Figure("one consumer / the same SQL", "", Wanted(0.65)),
        "plain": Figure(
            "plain design: a task and a transaction an event, prefork 2", PER_SECOND, Wanted(500)
        ),
        "two/plain": Figure("two consumers / plain design", "", Wanted(25)),
        "single": Figure("batches of one event, one consumer", PER_SECOND),
        "statements": Figure("SQL statements for one event that earns nothing", "", Wanted(4, at_most=True)),
        "sqlite": Figure("SQLite, one consumer", PER_SECOND, Wanted(20_000)),
        "latency rate": Figure("load while latency is measured, two consumers", PER_SECOND),
        "p50": Figure("XADD to committed award, 50th percentile", "ms"),
        "p99": Figure("XADD to committed award, 99th percentile", "ms", Wanted(100, at_most=True)),
        "memory": Figure("largest consumer's peak memory", "MB", Wanted(150, at_most=True)),
        "few stored": Figure("100,000 activities stored, one consumer", PER_SECOND),
        "many stored": Figure(f"{many} activities stored, one consumer", PER_SECOND),
        "stored": Figure(f"rate with {many} / with 100,000", "", Wanted(0.8)),
        "few badges": Figure("10 badges, one consumer", PER_SECOND),
        "many badges": Figure("10,000 badges, one consumer", PER_SECOND),
        "badges": Figure("rate with 10,000 badges / with 10", "", Wanted(0.9)),
        "pages": Figure("getBadges(first: 20) of 1,000 badges, one process", PER_SECOND),
        "ready-made": Figure("the same schema over ready-made objects", PER_SECOND),
        "pages/ready-made": Figure("pages / ready-made ones", "", Wanted(graphql.LEAST_RATIO)),
        "pages p99": Figure(
            "a page at half load, 99th percentile", "ms", Wanted(graphql.MOST_P99 * 1000, at_most=True)
        ),
        **{
            f"everybody {name}": Figure(
                f"everybody's evaluation for a new badge, {name}", "s", Wanted(60, at_most=True)
            )
            for name in reevaluation.CRITERIA
        },
        "sweep": Figure("a sweep of a million people, 1,000 of them due", "s", Wanted(1, at_most=True)),
        "slowed": Figure(
            "consumer at a quarter of its load, slowed by evaluations alongside",
            "%",
            Wanted(20, at_most=True),
        ),
        "batch alone": Figure("a batch of its, alone", "ms"),
        "batch alongside": Figure("a batch of its, with evaluations alongside", "ms"),
        "simulate": Figure(
            "dry run of 100,000 events, the whole command", "s", Wanted(simulate.AT_MOST, at_most=True)
        ),
    }


class Cases:
    """Everything that can be measured; what a case needs is made when it is first run."""

    def __init__(self, ground: Ground, figures: Figures, events: int, stored: int, batch: int) -> None:
        self._ground = ground
        self._figures = figures
        self._stored = stored
        self._batch = batch
        self._streams = Streams(ground.redis_url)
        self._events = events
        self._few = max(events * 3 // 10, 1)
        self._slow = max(events // 20, 1)
        self._memory = 0.0
        self._turn = 0

    def by_name(self) -> dict[str, Callable[[], None]]:
        """Return the cases in the order in which a turn runs them.

        What is held against something else comes right after it: the machine may be another one in a minute.
        """
        return {
            "one": self.one,
            "bare": self.bare,
            "two": self.two,
            "latency": self.latency,
            "plain": self.plain,
            "default": self.default,
            "single": self.single,
            "statements": self.statements,
            "sqlite": self.sqlite,
            "stored": self.stored,
            "badges": self.badges,
            "pages": self.pages,
            "everybody": self.everybody,
            "simulate": self.simulate,
        }

    def begin(self, turn: int) -> None:
        """Begin a turn: each has events of its own where databases stay."""
        self._turn = turn

    def end(self) -> None:
        """Note what is known only now: ratios, and the largest consumer."""
        note = self._figures
        note.ratio("two/one", "two", "one")
        note.ratio("one/bare", "one", "bare")
        note.ratio("two/plain", "two", "plain")
        note.ratio("stored", "many stored", "few stored")
        note.ratio("badges", "many badges", "few badges")
        note.ratio("pages/ready-made", "pages", "ready-made")
        if self._memory:
            note.note("memory", self._memory)
        note.end_turn()
        self._memory = 0.0

    def everybody(self) -> None:
        """Measure evaluations, the sweep, and what a consumer feels of them: once, since they take long."""
        if self._turn:
            return
        found = reevaluation.run(PEOPLE, self._stored, workers=2)
        for each in found["evaluation"]:
            self._figures.note(f"everybody {each['criterion']}", each["new_badge"])
        self._figures.note("sweep", found["sweep"]["seconds"])
        alone, alongside = found["consumer"]["at_a_quarter"], found["consumer"]["with_evaluations"]
        self._figures.note("slowed", 100 * (1 - alongside["per_second"] / alone["per_second"]))
        self._figures.note("batch alone", alone["median_ms"])
        self._figures.note("batch alongside", alongside["median_ms"])

    def simulate(self) -> None:
        self._figures.note("simulate", simulate.measure(repeat=1).seconds)

    def one(self) -> None:
        with self._fresh() as url:
            rate = self._measure(url, self._work, consumers=1)
        self._note("one", rate)
        for name, used in rate.processors.items():
            self._figures.note(f"cpu {name}", used)

    def two(self) -> None:
        with self._fresh() as url:
            self._note("two", self._measure(url, self._work, consumers=2))

    def default(self) -> None:
        with self._fresh() as url:
            self._note("default", self._measure(url, self._work, consumers=2, batch_size=BY_DEFAULT))

    def bare(self) -> None:
        warm_up, transactions = self._recorded
        with self._fresh() as url:
            self._ground.checkpoint()
            self._figures.note("bare", self._events / bare.replay(url, warm_up, transactions))

    def plain(self) -> None:
        self._figures.note("plain", self._plain.measure(self._mix))

    def single(self) -> None:
        work = self._stream("slow", self._slow, 0, self._warm_up[: self._slow // 10])
        with self._fresh() as url:
            self._note("single", self._measure(url, work, consumers=1, batch_size=1))

    def statements(self) -> None:
        with self._fresh() as url:
            counts = bare.statements_for_one(url, *_acquainted_and_probes())
        self._figures.note("statements", max(counts))

    def sqlite(self) -> None:
        file = self._ground.folder / f"bench-{self._turn}.db"
        url = f"sqlite:///{file}"
        prepare(url, mix.definitions())
        self._note("sqlite", self._measure(url, self._work, consumers=1))
        for each in file.parent.glob(f"{file.name}*"):
            each.unlink()

    def latency(self) -> None:
        """Half of what two consumers took in, this turn, or of what is wanted of them."""
        rate = (self._figures.of_this_turn("two") or 20_000) / 2
        template = self._ground.template("latency", latency.definitions())
        seconds = LATENCY_SECONDS * min(1, self._events / 200_000)
        with self._ground.copy(template) as url:
            found = latency.measure(
                self._ground, self._streams, url, self._warm_up, rate, seconds, self._batch
            )
        if found.publisher_late > found.p99 / 2:
            print(
                f"latency: the publisher itself was late by up to {found.publisher_late:.0f} ms", flush=True
            )
        self._figures.note("latency rate", rate)
        self._figures.note("p50", found.p50)
        self._figures.note("p99", found.p99)

    def stored(self) -> None:
        """Events that neither database has seen: the large one stays from turn to turn."""
        work = self._stream(f"stored-{self._turn}", self._few, 100 + self._turn, self._unseen())
        with self._ground.copy(self._few_stored) as url:
            self._note("few stored", self._measure(url, work, consumers=1))
        self._note("many stored", self._measure(self._many_stored, work, consumers=1))

    def badges(self) -> None:
        work = self._stream("few", self._few, 0, self._warm_up)
        awards = []
        for name, beyond in (("few badges", 0), ("many badges", BEYOND)):
            template = self._ground.template(name, mix.definitions(10, beyond))
            with self._ground.copy(template) as url:
                self._note(name, self._measure(url, work, consumers=1))
                awards.append(_count_awards(url))
        if awards[0] != awards[1]:
            raise ValueError(f"other awards with more badges: {awards}")

    def pages(self) -> None:
        """With the default size, a million users."""
        seconds = PAGES_SECONDS * min(1, self._events / 200_000)
        found = graphql.measure(self._pages, self._users, seconds)
        self._figures.note("pages", found.database.per_second)
        self._figures.note("ready-made", found.ready_made.per_second)
        self._figures.note("pages p99", found.half.p99 * 1000)

    def _note(self, name: str, rate: Rate) -> None:
        self._figures.note(name, rate.per_second)
        self._memory = max(self._memory, rate.memory)

    def _measure(self, url: str, work: Work, *, consumers: int, batch_size: int = 0) -> Rate:
        size = batch_size or self._batch
        return ingest.measure(self._ground, self._streams, url, work, consumers=consumers, batch_size=size)

    def _stream(self, name: str, count: int, seed: int, warm_up: Sequence[bytes]) -> Work:
        self._streams.keep(name, mix.events(count, seed))
        return Work(name, count, warm_up)

    @cached_property
    def _work(self) -> Work:
        return self._stream("all", self._events, 0, self._warm_up)

    @cached_property
    def _warm_up(self) -> list[bytes]:
        return mix.events(self._events // 10, 99)

    def _unseen(self) -> list[bytes]:
        """Return enough to have met most people: a consumer that has run for a while remembers them."""
        return mix.events(self._events // 2, 200 + self._turn)

    @cached_property
    def _mix(self) -> str:
        return self._ground.template("mix", mix.definitions())

    @contextmanager
    def _fresh(self) -> Iterator[str]:
        with self._ground.copy(self._mix) as url:
            yield url

    @cached_property
    def _recorded(self) -> list[list[Transaction]]:
        with self._fresh() as url:
            return bare.record(url, self._batch, self._warm_up, mix.events(self._events))

    @cached_property
    def _plain(self) -> PlainDesign:
        warm_up = mix.events(self._slow // 10, 99, removals=False)
        return PlainDesign(self._ground, warm_up, mix.events(self._slow, removals=False))

    @property
    def _users(self) -> int:
        return max(self._events * 5, 1000)

    @cached_property
    def _pages(self) -> str:
        url = self._ground.empty()
        graphql.fill(url, self._users, 1000)
        return url

    @cached_property
    def _few_stored(self) -> str:
        return self._filled("few stored", 100_000)

    @cached_property
    def _many_stored(self) -> str:
        return self._filled("many stored", self._stored)

    def _filled(self, name: str, rows: int) -> str:
        """Return a database with so many activities, and the awards that they earned."""
        url = self._ground.template(name, mix.definitions())
        engine = make_engine(url)
        store(engine, rows, mix.definitions())
        engine.dispose()
        return url


def _acquainted_and_probes() -> tuple[list[bytes], list[bytes]]:
    """Return events that make two people known, and single ones about them and a stranger; none earns."""
    path = "not-asked-for"
    data: dict[str, dict[str, object]] = {
        "learning_path.enrolled.v1": {"user_id": "u1", "learning_path_id": path},
        "learning_path.completed.v1": {"user_id": "u1", "learning_path_id": path, "passed": True},
        "post.created.v1": {"user_id": "u1", "post_id": "p1"},
        "connection.established.v1": {"user_ids": ["u1", "u2"]},
    }
    probes = [_body(number, kind, each) for number, (kind, each) in enumerate(data.items())]
    stranger = _body(10, "post.created.v1", {"user_id": "u3", "post_id": "p3"})
    acquainted = [
        _body(number, "post.created.v1", {"user_id": user, "post_id": f"p{number}"})
        for number, user in ((20, "u1"), (21, "u2"))
    ]
    return acquainted, [*probes, stranger]


def _body(number: int, kind: str, data: dict[str, object]) -> bytes:
    event = {"specversion": "1.0", "id": f"one-{number}", "source": "https://lms.example.org"}
    return json.dumps(event | {"type": kind, "time": mix.START.isoformat(), "data": data}).encode()


def _count_awards(url: str) -> int:
    with psycopg.connect(plain(url)) as connection:
        row = connection.execute("SELECT count(*) FROM awards").fetchone()
    return int(row[0]) if row else 0
