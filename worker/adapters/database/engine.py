"""Engines and transactions on PostgreSQL and SQLite, and the translation of their errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, exc, make_url, text

from worker.errors import ConfigurationError, DatabaseUnavailable, TookTooLong, Unstorable

_READ_ONLY = "read_only"
# PostgreSQL's SQLSTATE classes and codes that time mends: connection, rollback, resources, shutdown, locks,
# a statement that was cancelled, a transaction that lay idle, a server that only reads after a failover.
_ONLY_READS = "25006"
_CANCELED = "57014"
_TIME_MENDS = ("08", "40", "53", "57P", _CANCELED, "55P03", "58", "25P03", _ONLY_READS)
_TOO_MUCH = "54"  # a limit of the server's, which no other try gets under

# A consumer that vanished in the middle of a batch must not hold the rules for hours, nor one hang for hours
# on a server that vanished.
_SESSION = "-c timezone=UTC -c idle_in_transaction_session_timeout=60000"
_KEEPALIVE = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # ms
}


# What a consumer asks is always a batch against indexes, and asked again and again. Planned anew by what the
# statistics of a young table say, it would now and then read that table whole. Up to PostgreSQL 17 what is
# off and needed all the same looks endlessly dear, as the one row of the rulebook does: each batch would be
# compiled first.
_INTAKE = (
    " -c plan_cache_mode=force_generic_plan -c jit=off"
    " -c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off"
)
_TIMEOUT = " -c statement_timeout={}"


def make_engine(database_url: str, pool_size: int = 5, *, intake: bool = False, longest: int = 0) -> Engine:
    """Return an engine for ``postgresql+psycopg://…`` or ``sqlite:///…``; nothing is connected yet.

    `intake` plans statements for batches of events. A statement that takes `longest` ms (0: whatever the
    server says) fails with what time mends; SQLite does not look. Raises ConfigurationError for any other
    database.
    """
    try:
        url = make_url(database_url)
    except (exc.ArgumentError, ValueError):  # which quote a part of it: a password with an @, say
        raise ConfigurationError("BADGE_WORKER_DATABASE_URL: not a database URL") from None
    if url.drivername == "postgresql+psycopg":
        engine = create_engine(
            url,
            hide_parameters=True,  # an error's text goes to logs, and parameters hold addresses
            pool_size=pool_size,
            max_overflow=10,
            pool_pre_ping=not intake,  # a batch that meets a lost connection is simply done again
            connect_args={
                "options": _SESSION
                + (_INTAKE if intake else "")
                + (_TIMEOUT.format(longest) if longest else ""),
                **_KEEPALIVE,
                "connect_timeout": 10,
                "application_name": "badge-worker",
            },
        )
        event.listen(engine, "handle_error", _part_if_it_only_reads)
        return engine
    if url.get_backend_name() == "sqlite":
        return _sqlite(create_engine(url, hide_parameters=True, connect_args={"timeout": 30}))
    raise ConfigurationError(
        f"BADGE_WORKER_DATABASE_URL: {url.drivername} is not supported; "
        "use postgresql+psycopg://… or sqlite:///…"
    )


def _part_if_it_only_reads(context: ExceptionContext) -> None:
    """Keep no connection to what may not be written: the session may stay so when the database does not.

    It is settled as a session begins, and behind the same address may be another server by now.
    """
    if getattr(context.original_exception, "sqlstate", None) == _ONLY_READS:
        context.is_disconnect = True


def _sqlite(engine: Engine) -> Engine:
    """Make the one writer both locks: BEGIN IMMEDIATE, WAL, every commit on the disk (design.md 1)."""

    @event.listens_for(engine, "connect")
    def _connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "busy_timeout=30000",
            "cache_size=-16384",  # KiB
            "wal_autocheckpoint=16000",  # pages
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get(_READ_ONLY)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """Run one transaction; raises DatabaseUnavailable for what time mends, Unstorable for bad data."""
    with translated(), engine.begin() as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Run one transaction that only reads: on SQLite it does not wait for the writer."""
    with translated(), engine.connect() as connection:
        options = connection.execution_options(**{_READ_ONLY: True})
        with options.begin():
            yield options


@contextmanager
def translated() -> Iterator[None]:
    """Turn the driver's errors into the worker's, whose class says what to do."""
    try:
        yield
    except (exc.DataError, UnicodeEncodeError) as error:
        raise Unstorable(_first_line(error)) from error
    except exc.DBAPIError as error:
        if _state(error).startswith(_TOO_MUCH):
            raise Unstorable(_first_line(error.orig)) from error
        if _state(error) == _CANCELED:
            raise TookTooLong(_first_line(error.orig)) from error
        if error.connection_invalidated or _time_mends(error):
            raise DatabaseUnavailable(_first_line(error.orig)) from error
        raise
    except exc.TimeoutError as error:  # no connection was free in the pool
        raise DatabaseUnavailable("no free connection") from error


def _time_mends(error: exc.DBAPIError) -> bool:
    if state := _state(error):
        return state.startswith(_TIME_MENDS)
    # Without a state: PostgreSQL could not be reached, or SQLite is busy or its disk full.
    schema = "no such table" in str(error.orig) or "no such column" in str(error.orig)
    return isinstance(error, (exc.OperationalError, exc.InterfaceError)) and not schema


def _state(error: exc.DBAPIError) -> str:
    """Return PostgreSQL's SQLSTATE, or nothing."""
    return str(getattr(error.orig, "sqlstate", None) or "")


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().split("\n", 1)[0]


def now(connection: Connection) -> datetime:
    """Return the database's clock: the one clock of leases, due times and sweeps (design.md section 4)."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC)
    at: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
    return at
