"""Work that one process does at a time: others find it taken, and leave it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from sqlalchemy import Engine, text

from worker.adapters.database.engine import translated


class Work(IntEnum):
    """What is not worth doing twice at once. The numbers are PostgreSQL's advisory locks."""

    SWEEP = 0x62616467_00000010
    BACKFILL = 0x62616467_00000011


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
def _among_processes(engine: Engine, work: Work) -> Iterator[bool]:
    parameters = {"number": int(work)}
    # Outside a transaction, which would lie idle for as long as the work takes.
    with translated(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        mine = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), parameters))
        try:
            yield mine
        finally:
            if mine:
                connection.execute(text("SELECT pg_advisory_unlock(:number)"), parameters)
