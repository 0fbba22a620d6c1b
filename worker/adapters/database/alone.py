"""Work that one process does at a time: others find it taken, and leave it."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from sqlalchemy import Connection, Engine, text

from worker.adapters.database.engine import translated


class Work(IntEnum):
    """What is not worth doing twice at once. The numbers are PostgreSQL's advisory locks."""

    SWEEP = 0x62616467_00000010
    # Of everybody's evaluations as many as there are slots: the others' threads are for the provider's calls.
    FIRST_EVALUATION = 0x62616467_00000011
    SECOND_EVALUATION = 0x62616467_00000012


_WORKERS = 0x6261_0000_0000_0000  # above all locks that have a name


# SQLite has one machine's processes, in practice one: there a lock within the process does.
_within_process = {work: threading.Lock() for work in Work}


@contextmanager
def alone(engine: Engine, work: Work) -> Iterator[bool]:
    """Give True to the one that does this work now, for as long as the block lasts, and False to the others.

    It saves work and threads; nothing is wrong if two do it. The lock ends with its connection.
    """
    lock = _within_process[work]
    if not lock.acquire(blocking=False):
        yield False
        return
    try:
        if engine.dialect.name == "sqlite":
            yield True
        else:
            with _among_processes(engine, work) as mine:
                yield mine
    finally:
        lock.release()


@contextmanager
def at_work(engine: Engine) -> Iterator[int]:
    """Give a number that is ours alone; until the block ends `is_free` says of it that we live.

    The database knows of a process that is killed as soon as its connection is gone.
    """
    number = _WORKERS + secrets.randbelow(2**32)
    if engine.dialect.name == "sqlite":
        yield number
        return
    with _among_processes(engine, number):
        yield number


def is_free(connection: Connection, number: int) -> bool:
    """Say whether nobody works under this number. SQLite does not know: then a part is done twice."""
    if connection.dialect.name == "sqlite":
        return True
    return bool(connection.scalar(text("SELECT pg_try_advisory_xact_lock(:number)"), {"number": number}))


@contextmanager
def _among_processes(engine: Engine, number: int) -> Iterator[bool]:
    parameters = {"number": int(number)}
    # Outside a transaction, which would lie idle for as long as the work takes.
    with translated(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        mine = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), parameters))
        try:
            yield mine
        finally:
            if mine:
                connection.execute(text("SELECT pg_advisory_unlock(:number)"), parameters)
