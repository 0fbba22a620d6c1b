"""What goes wrong on purpose while a batch is taken in: deaths at a point, errors of the database."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import event, text

from tests.support.running import Running
from worker.adapters.database.engine import make_engine
from worker.consuming import Consumer, Pace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL

    from tests.support.ground import Ground
    from worker.awarding import Awarding, Ingested
    from worker.awards import Call
    from worker.ports import EventQueue


class Killed(BaseException):
    """Nothing of the process happens after this."""


class Mortal:
    """A process with a database engine of its own, that dies at the point of this number.

    Points are before and after each statement and each commit. Its connections end with it, as the kernel has
    it; `died` says whether it got that far.
    """

    def __init__(self, url: URL, point: int) -> None:
        self.engine = make_engine(url.render_as_string(hide_password=False))
        self.died = False
        self._left = point
        self._connections: list[Any] = []
        self._commit = self.engine.dialect.do_commit
        self.engine.dialect.do_commit = self._committing  # type: ignore[method-assign,assignment]
        event.listen(self.engine, "connect", lambda connection, _: self._connections.append(connection))
        event.listen(self.engine, "before_cursor_execute", self._live_or_die)
        event.listen(self.engine, "after_cursor_execute", self._live_or_die)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.engine.dispose()

    def _committing(self, connection: Any) -> None:
        self._live_or_die()
        self._commit(connection)
        self._live_or_die()

    def _live_or_die(self, *_what: object) -> None:
        if self.died:
            return  # what the driver still does to clear up
        self._left -= 1
        if self._left < 0:
            self.died = True
            for each in self._connections:
                each.rollback()  # or SQLite's keep their lock while anybody knows their cursors
            raise Killed


class NoTaskWorkers:
    """Nobody to hand work to."""

    def nudge(self) -> None:
        """Nobody hears it."""

    def send(self, call: Call) -> None:
        raise AssertionError(call)


@contextmanager
def consuming(
    awarding: Awarding, queue: EventQueue, size: int = 10
) -> Iterator[tuple[threading.Event, Running[Ingested]]]:
    """Let a consumer run in a thread; it has ended with the block."""
    stop = threading.Event()
    consumer = Consumer(queue, awarding, NoTaskWorkers(), Pace(size, 0))
    running = Running(lambda: consumer.run(stop))
    with ExitStack() as stack:
        stack.callback(running.result)
        stack.callback(stop.set)
        yield stop, running


def fail_at_first(ground: Ground, table: str, state: str, times: int) -> None:
    """Let the first inserts into a table fail with this SQLSTATE; the sequence that counts is not undone."""
    failing = f"""
        CREATE SEQUENCE tries;
        CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('tries') <= {times} THEN
                RAISE EXCEPTION 'not now' USING ERRCODE = '{state}';
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER fail BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION fail()"""
    with ground.engine.begin() as connection:
        connection.execute(text(failing))
