"""The same SQL with ready-made arrays: what a consumer executes is recorded, and replayed without it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, event

from worker.adapters.database.engine import make_engine
from worker.adapters.database.store import Database
from worker.awarding import Awarding

Executed = tuple[str, Any, bool]  # a statement, its parameters, and whether these are those of many
Transaction = list[Executed]


def record(database_url: str, size: int, *parts: Sequence[bytes]) -> list[list[Transaction]]:
    """Take events in, in batches of `size`, and return what was executed for each part of them."""
    with taking_in(database_url) as (awarding, transactions):
        recorded = []
        for bodies in parts:
            for start in range(0, len(bodies), size):
                awarding.ingest(bodies[start : start + size])
            recorded.append(transactions.copy())
            transactions.clear()
    return recorded


@contextmanager
def taking_in(database_url: str) -> Iterator[tuple[Awarding, list[Transaction]]]:
    """Give what takes events in, and the transactions that it committed."""
    engine = make_engine(database_url, intake=True)
    transactions: list[Transaction] = []
    _listen(engine, transactions)
    try:
        yield Awarding(Database(engine), lambda: datetime.now(UTC)), transactions
    finally:
        engine.dispose()


def _listen(engine: Engine, transactions: list[Transaction]) -> None:
    current: Transaction = []

    def executed(_connection: Any, _cursor: Any, sql: str, values: Any, _context: Any, many: bool) -> None:
        current.append((sql, values, many))

    def committed(_connection: Any) -> None:
        transactions.append(current.copy())
        current.clear()

    event.listen(engine, "before_cursor_execute", executed)
    event.listen(engine, "commit", committed)
    event.listen(engine, "rollback", lambda _connection: current.clear())


def replay(database_url: str, warm_up: Sequence[Transaction], transactions: Sequence[Transaction]) -> float:
    """Execute recorded transactions on one bare connection; return seconds, without those of the warm-up."""
    engine = make_engine(database_url, intake=True)  # for the same session settings, and nothing else
    pooled = engine.raw_connection()
    try:
        _execute(pooled.driver_connection, warm_up)
        begin = time.perf_counter()
        _execute(pooled.driver_connection, transactions)
        return time.perf_counter() - begin
    finally:
        pooled.close()
        engine.dispose()


def _execute(connection: Any, transactions: Sequence[Transaction]) -> None:
    with connection.cursor() as cursor:
        for transaction in transactions:
            for sql, values, many in transaction:
                (cursor.executemany if many else cursor.execute)(sql, values)
            connection.commit()


def statements_for_one(database_url: str, warm_up: Sequence[bytes], probes: Sequence[bytes]) -> list[int]:
    """Return how many statements each event takes that comes alone, without the lock on the rules."""
    with taking_in(database_url) as (awarding, transactions):
        awarding.ingest(warm_up)
        transactions.clear()
        for body in probes:
            if awarding.ingest([body]).awards:
                raise ValueError("this one was to earn nothing")
        return [sum("pg_advisory_xact_lock" not in sql for sql, _, _ in each) for each in transactions]
