"""Engines: what each database is told at the beginning, and what its errors mean."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.support.bodies import posted, registered
from tests.support.ground import Ground, badge
from tests.support.ports import free_port
from tests.support.running import Running
from worker.activities import Kind
from worker.adapters.database.engine import make_engine, reading, transaction
from worker.errors import ConfigurationError, DatabaseUnavailable, Unstorable
from worker.ports import Chance

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def other_writer(sqlite: Ground) -> Iterator[sqlite3.Connection]:
    """Somebody else who opened the database file and waits for nothing."""
    connection = sqlite3.connect(str(sqlite.engine.url.database), timeout=0, isolation_level=None)
    yield connection
    connection.close()


def test_on_sqlite_a_transaction_shuts_other_writers_out_from_its_beginning(
    sqlite: Ground, other_writer: sqlite3.Connection
) -> None:
    with transaction(sqlite.engine), pytest.raises(sqlite3.OperationalError, match="locked"):
        other_writer.execute("BEGIN IMMEDIATE")

    other_writer.execute("BEGIN IMMEDIATE")
    other_writer.execute("ROLLBACK")


def test_on_sqlite_reading_neither_waits_for_a_writer_nor_shuts_one_out(
    sqlite: Ground, other_writer: sqlite3.Connection
) -> None:
    sqlite.ingest(posted(1, "ada", "p"))

    with reading(sqlite.engine) as connection:
        connection.execute(text("SELECT count(*) FROM users")).scalar_one()
        other_writer.execute("BEGIN IMMEDIATE")
        other_writer.execute("DELETE FROM counts")
        while_somebody_writes = sqlite.counts()
        other_writer.execute("ROLLBACK")

    assert while_somebody_writes == {("ada", "post"): 1}


def test_on_sqlite_every_commit_is_on_the_disk_and_writers_wait_half_a_minute(sqlite: Ground) -> None:
    with sqlite.engine.connect() as connection:
        pragmas = [
            connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "busy_timeout")
        ]

    assert pragmas == ["wal", 2, 30_000]


def test_two_consumers_on_sqlite_take_turns(sqlite: Ground) -> None:
    bodies = [posted(1, "ada", f"p{number % 40}") for number in range(80)]

    both = [Running(lambda: sqlite.ingest(*bodies, size=10)) for _ in range(2)]
    events = [each.result().events for each in both]

    assert events == [80, 80]
    assert sqlite.counts() == sqlite.recounted() == {("ada", "post"): 40}


def test_on_postgresql_sessions_say_whose_they_are_and_keep_utc(postgres: Ground) -> None:
    with postgres.engine.connect() as connection:
        settings_ = [
            connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("application_name", "timezone", "transaction_isolation")
        ]

    assert settings_ == ["badge-worker", "UTC", "read committed"]


def test_a_server_that_is_not_there_is_told_as_unavailable() -> None:
    engine = make_engine(f"postgresql+psycopg://badge:secret@127.0.0.1:{free_port()}/badge")

    with pytest.raises(DatabaseUnavailable) as refused:
        Ground(engine).ingest(posted(1, "ada", "p"))

    assert "secret" not in str(refused.value)


def test_a_connection_that_is_cut_is_told_as_unavailable_and_replaced(postgres: Ground) -> None:
    cut = text("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(DatabaseUnavailable), transaction(postgres.engine) as connection:
        connection.execute(cut)

    assert postgres.ingest(posted(1, "ada", "p")).events == 1


def test_a_session_that_only_reads_is_told_as_unavailable_and_replaced(postgres: Ground) -> None:
    """It stays so for good, also when the database that made it so takes writes again."""
    with transaction(postgres.engine) as connection:
        connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))

    with pytest.raises(DatabaseUnavailable):
        postgres.ingest(posted(1, "ada", "p"))
    assert postgres.ingest(posted(1, "ada", "p")).events == 1


MENDED = ["40001", "40P01", "53300", "53100", "57P01", "57014", "55P03", "08006", "25P03", "25006"]
NOT_MENDED = ["42501", "23505", "XX000"]


@pytest.mark.parametrize("state", [*MENDED, *NOT_MENDED])
def test_what_time_mends_is_told_as_unavailable(postgres: Ground, state: str) -> None:
    with pytest.raises(Exception, match="no") as told:
        fail_with(postgres, state)

    assert isinstance(told.value, DatabaseUnavailable) == (state in MENDED)


@pytest.mark.parametrize("state", ["22000", "22P05", "54000"])
def test_what_no_other_try_can_keep_is_told_as_unstorable(postgres: Ground, state: str) -> None:
    with pytest.raises(Unstorable):
        fail_with(postgres, state)


def fail_with(ground: Ground, state: str) -> None:
    with transaction(ground.engine) as connection:
        connection.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{state}'; END $$"))


def test_an_error_of_ours_is_not_taken_for_an_outage(ground: Ground) -> None:
    with pytest.raises(Exception, match="no_such_table") as told, transaction(ground.engine) as connection:
        connection.execute(text("SELECT * FROM no_such_table"))

    assert not isinstance(told.value, DatabaseUnavailable)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://root@localhost/x",
        "postgresql://u:secret@localhost/x",
        "not a url",
        "postgresql+psycopg://u:p@ss:secret@localhost/x",  # an @ that is not written as %40
        "postgresql+asyncpg://x/y",
    ],
)
def test_another_database_is_refused_without_telling_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="BADGE_WORKER_DATABASE_URL") as refused:
        make_engine(url)

    assert "secret" not in str(refused.value)


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
AWKWARD = st.sampled_from(
    ['"', "\\", "{}", ",", "NULL", "null", "a:b", "%s", "%(x)s", "'", "\n", "\t", "é", "😀", " "]
)


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(names=st.lists(ANY_TEXT | AWKWARD, min_size=2, max_size=4, unique=True), address=ANY_TEXT | AWKWARD)
def test_whatever_text_comes_is_kept_as_it_is(lasting_ground: Ground, names: list[str], address: str) -> None:
    lasting_ground.clear()

    lasting_ground.ingest(*(posted(1, name, name) for name in names), registered(1, names[0], email=address))

    with reading(lasting_ground.engine) as connection:
        kept = connection.execute(text("SELECT user_id, object_id FROM activities")).all()
        told = connection.execute(text("SELECT email FROM users WHERE user_id = :name"), {"name": names[0]})
        email = told.scalar_one()
    assert {tuple(row) for row in kept} == {(name, name) for name in names}
    assert email == (address.strip() or None)
    assert lasting_ground.counts() == {(name, "post"): 1 for name in names}


def test_instants_are_kept_to_the_microsecond_in_whatever_zone_they_came(ground: Ground) -> None:
    times = ["2025-03-30T02:30:00.000001+01:00", "1970-01-01T00:00:00Z", "2025-12-31T23:59:59.999999-11:30"]
    for number, time in enumerate(times):
        body = posted(1, "ada", f"p{number}").replace(b"2025-01-01T00:00:01+00:00", time.encode())
        ground.ingest(body)

    found = ground.database.list_dead_letters(), counted(ground)

    assert found == (
        [],
        ["1970-01-01T00:00:00+00:00", "2025-03-30T01:30:00.000001+00:00", "2026-01-01T11:29:59.999999+00:00"],
    )


def counted(ground: Ground) -> list[str]:
    with ground.database.batch() as batch:
        found = batch.counted({("ada", Kind.POST)}, ())["ada"][Kind.POST]
    return [each.counted_at.isoformat() for each in found]


def test_what_a_batch_asks_of_postgresql_is_never_compiled(postgres: Ground) -> None:
    engine = make_engine(postgres.engine.url.render_as_string(hide_password=False), intake=True)

    with reading(engine) as connection:
        compiled = connection.execute(text("SHOW jit")).scalar_one()
    engine.dispose()

    assert compiled == "off"


def test_a_chance_is_looked_up_by_the_person_however_many_have_the_badge(own_postgres: Ground) -> None:
    """Planned while nobody had it, the index of a badge's awards would seem as good for ever after."""
    own_postgres.apply(first=badge({"social_engagement": {"threshold": 1}}))
    intake = Ground(
        make_engine(own_postgres.engine.url.render_as_string(hide_password=False), 1, intake=True)
    )

    for number in range(40):
        intake.ingest(*(posted(number, f"user-{number}-{each}", "p") for each in range(50)))
    with intake.engine.begin() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    with intake.engine.begin() as connection:
        by_badge = connection.execute(text(BY_BADGE)).scalar_one()
    intake.engine.dispose()

    assert own_postgres.database.count_awards() == {"earned": 2000}
    assert by_badge == 0


def test_a_chance_costs_the_same_however_many_badges_the_person_has(own_postgres: Ground) -> None:
    own_postgres.apply(
        **{f"first-{number}": badge({"social_engagement": {"threshold": 1}}) for number in range(300)}
    )
    own_postgres.ingest(posted(1, "ada", "p"))
    look = Ground(make_engine(own_postgres.engine.url.render_as_string(hide_password=False), 1, intake=True))

    with look.database.batch() as batch:
        found = batch.look_at([Chance("ada", f"first-{number}") for number in range(300)])
    with look.engine.begin() as connection:
        connection.execute(text("SELECT pg_stat_force_next_flush()"))
    with look.engine.begin() as connection:
        read = connection.execute(text(BY_KEY)).scalar_one()
    look.engine.dispose()

    assert [awarded for _, _, awarded in found] == [True] * 300
    assert read <= 3 * 300


BY_KEY = "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'pk_awards'"
BY_BADGE = (
    "SELECT coalesce(sum(idx_tup_read), 0) FROM pg_stat_user_indexes "
    "WHERE relname = 'awards' AND indexrelname <> 'pk_awards'"
)
