"""The schema: `db upgrade`, and what every other command says of a database without it."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text

from tests.support import commands
from tests.support.ground import Ground
from tests.support.ports import free_port
from worker.adapters.database import migrations
from worker.adapters.database.engine import make_engine

NEEDS_A_SCHEMA: list[list[str]] = [
    ["awards", "list"],
    ["awards", "show", "1", "b"],
    ["awards", "retry", "--all"],
    ["badges", "list"],
    ["dead-letters", "list"],
    ["dead-letters", "show", "0"],
    ["dead-letters", "replay", "--all"],
    ["consume"],
]


@pytest.mark.parametrize("as_json", [False, True])
def test_upgrade_prints_the_revision(bare: Path, as_json: bool) -> None:
    ended = commands.run("db", "upgrade", *(["--json"] if as_json else []))

    assert ended.code == 0
    assert (ended.json if as_json else ended.out) == (
        {"revision": migrations.head()} if as_json else f"{migrations.head()}\n"
    )
    assert (bare / "badge-worker.db").exists()


def test_an_upgrade_of_the_newest_schema_changes_nothing(ground: Ground) -> None:
    ended = commands.run("db", "upgrade")

    assert (ended.code, ended.out) == (0, f"{migrations.head()}\n")
    assert ground.database.list_badges() == []


@pytest.mark.parametrize("command", NEEDS_A_SCHEMA, ids=" ".join)
def test_without_a_database_commands_name_the_one_that_makes_it(
    bare: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("EVENTS_URL", "BROKER_URL"):
        monkeypatch.setenv(f"BADGE_WORKER_{name}", f"redis://127.0.0.1:{free_port()}")

    ended = commands.run(*command)

    assert ended.code == 2
    assert ended.out == ""
    assert ended.err == "badge-worker: the database does not exist yet; run `badge-worker db upgrade`\n"
    assert list(bare.iterdir()) == []


def test_an_empty_database_has_no_schema(bare: Path) -> None:
    (bare / "badge-worker.db").touch()

    ended = commands.run("awards", "list")

    assert ended.code == 2
    assert ended.err == "badge-worker: the database has no schema yet; run `badge-worker db upgrade`\n"


def test_an_old_schema_is_named(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    found = migrations.current(ground.engine)
    monkeypatch.setattr(migrations, "head", lambda: "newer")

    ended = commands.run("awards", "list")

    assert ended.code == 2
    assert f"the database's schema is old ({found}, not newer)" in ended.err
    assert "badge-worker db upgrade" in ended.err


def test_a_schema_that_is_newer_than_the_program_is_all_right(ground: Ground) -> None:
    with ground.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'from the future'"))

    ended = commands.run("awards", "list", "--json")

    assert (ended.code, ended.json) == (0, [])


def test_a_file_that_is_no_database_is_wrong_configuration(bare: Path) -> None:
    (bare / "badge-worker.db").write_text("this is no database, whatever its name says\n" * 100)

    ended = commands.run("awards", "list")

    assert ended.code == 2
    assert ended.err == "badge-worker: BADGE_WORKER_DATABASE_URL: cannot be used: file is not a database\n"


def test_a_database_that_cannot_be_reached_is_one_line(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del bare
    url = f"postgresql+psycopg://worker:hidden@127.0.0.1:{free_port()}/worker"
    monkeypatch.setenv("BADGE_WORKER_DATABASE_URL", url)

    ended = commands.run("awards", "list")

    assert ended.code == 1
    assert ended.err.startswith("badge-worker: ")
    assert ended.err.count("\n") == 1
    assert "hidden" not in ended.err


def test_a_setting_that_is_wrong_is_named(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del bare
    monkeypatch.setenv("BADGE_WORKER_BATCH_SIZE", "many")

    ended = commands.run("awards", "list")

    assert ended.code == 2
    assert ended.err.startswith("badge-worker: BADGE_WORKER_BATCH_SIZE: ")


def test_postgresql_is_upgraded_too(bare: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    del bare
    monkeypatch.setenv("BADGE_WORKER_DATABASE_URL", postgres_url)

    steps = (["awards", "list", "--json"], ["db", "upgrade"], ["awards", "list", "--json"])
    ended = [commands.run(*step) for step in steps]

    assert [each.code for each in ended] == [2, 0, 0]
    assert "the database has no schema yet" in ended[0].err
    assert ended[2].json == []
    engine = make_engine(postgres_url)
    assert migrations.current(engine) == migrations.head()
    engine.dispose()
