"""Migrations: they are the schema, run at any time, together and both ways."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from tests.support.bodies import posted
from tests.support.ground import Ground
from tests.support.running import Running
from worker.adapters.database.engine import make_engine
from worker.adapters.database.locks import MIGRATION
from worker.adapters.database.migrations import config, current, head, upgrade
from worker.adapters.database.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine of an empty database."""
    made = make_engine(database_url)
    yield made
    made.dispose()


def differences(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))


def go(engine: Engine, revision: str) -> None:
    """Bring the schema up or down to a revision."""
    alembic = config()
    with engine.begin() as connection:
        alembic.attributes["connection"] = connection
        before = MigrationContext.configure(connection).get_current_revision()
        way = command.upgrade if ORDER.index(revision) > ORDER.index(before or "base") else command.downgrade
        way(alembic, revision)


ORDER = [
    "base",
    *reversed([each.revision for each in ScriptDirectory.from_config(config()).walk_revisions()]),
]


def test_the_migrations_make_the_schema_of_the_models(engine: Engine) -> None:
    revision = upgrade(engine)

    assert differences(engine) == []
    assert (current(engine), revision) == (head(), head())


def test_without_migrations_there_is_no_revision(engine: Engine) -> None:
    assert current(engine) is None


def test_going_up_twice_keeps_what_is_there(engine: Engine) -> None:
    upgrade(engine)
    ground = Ground(engine)
    ground.ingest(posted(1, "ada", "p"))

    upgrade(engine)

    assert ground.counts() == {("ada", "post"): 1}


@pytest.mark.parametrize("seed", range(3))
def test_the_schema_goes_up_and_down_in_any_order(engine: Engine, seed: int) -> None:
    walk = random.Random(seed)  # noqa: S311 # repeatable, not secret

    for revision in [*ORDER[1:], *reversed(ORDER[:-1]), *(walk.choice(ORDER) for _ in range(8)), "base"]:
        go(engine, revision)
        assert (current(engine) or "base") == revision
    tables = set(inspect(engine).get_table_names()) - {"alembic_version"}
    upgrade(engine)

    assert tables == set()
    assert differences(engine) == []


def test_two_at_once_take_turns(postgres_url: str) -> None:
    engine = make_engine(postgres_url)
    ground = Ground(engine)
    with engine.begin() as connection:
        MIGRATION.exclude(connection)
        both = [Running(lambda: upgrade(engine)) for _ in range(2)]
        ground.until_waiting(*both)
        untouched = inspect(connection).get_table_names()

    revisions = [each.result() for each in both]

    assert untouched == []
    assert revisions == [head(), head()]
    assert differences(engine) == []
    engine.dispose()


def test_two_at_once_do_not_disturb_each_other_on_sqlite(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)

    both = [Running(lambda: upgrade(engine)) for _ in range(2)]
    revisions = [each.result() for each in both]

    assert revisions == [head(), head()]
    assert differences(engine) == []
    engine.dispose()


def test_every_id_compares_by_code_point_on_postgresql(postgres: Ground) -> None:
    statement = text(
        "SELECT table_name || '.' || column_name FROM information_schema.columns "
        "WHERE table_schema = 'public' AND collation_name = 'C' ORDER BY 1"
    )
    with postgres.engine.connect() as connection:
        by_code_point = set(connection.scalars(statement))

    keys = {
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.primary_key
        if column.type.python_type is str
    }
    assert len(keys) > 15
    assert keys - by_code_point == set()


def test_ids_come_in_the_order_that_python_sorts_them(ground: Ground) -> None:
    names = ["b", "B", "a", "é", "z", "Z", "_", "10", "9", "ß", "😀", "\ufffd"]
    ground.ingest(*(posted(1, name, "p") for name in names))

    with ground.engine.connect() as connection:
        stored = list(connection.scalars(text("SELECT user_id FROM users ORDER BY user_id")))

    assert stored == sorted(names)


def test_the_index_of_leased_awards_finds_those_of_one_lease(ground: Ground) -> None:
    explain = "EXPLAIN QUERY PLAN" if ground.engine.dialect.name == "sqlite" else "EXPLAIN"
    asked = text(f"{explain} SELECT user_id FROM awards WHERE lease_id = :known")  # noqa: S608 # our words

    with ground.engine.begin() as connection:
        if explain == "EXPLAIN":  # as if there were many awards, and whatever is asked for
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            connection.execute(text("SET LOCAL plan_cache_mode = force_generic_plan"))
        plan = connection.execute(asked, {"known": "abc"}).all()

    assert "ix_awards_lease" in str(plan)
