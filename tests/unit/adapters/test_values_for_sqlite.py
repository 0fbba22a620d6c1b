"""How many rows travel to SQLite: as VALUES, and instants as text of one width."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from worker.adapters.database.types import as_text, as_texts
from worker.adapters.database.values import execute_values

_ZONES = st.sampled_from([UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-11, minutes=-30))])
_INSTANTS = st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=_ZONES)  # noqa: DTZ001 # the zone is drawn
_OF_SECONDS = _INSTANTS.map(lambda at: at.replace(microsecond=0))


@given(st.lists(st.none() | _INSTANTS | _OF_SECONDS))
def test_instants_are_written_together_as_each_is_alone(instants: list[datetime | None]) -> None:
    together = as_texts(instants)

    assert together == [None if at is None else as_text(at) for at in instants]


@pytest.mark.parametrize("number", [0, 1, 5, 255, 256, 257, 1000])
def test_every_row_is_written_once_in_its_order(number: int) -> None:
    columns = (range(number), [f"row {each}" for each in range(number)])
    with create_engine("sqlite://").connect() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (number, name)")

        executed = list(execute_values(connection, "INSERT INTO kept {values}", columns))
        kept = connection.exec_driver_sql("SELECT number, name FROM kept ORDER BY rowid").all()

    assert kept == list(zip(*columns, strict=True))
    assert len(executed) <= number // 256 + 3 + 3 + 3 + 3  # of each smaller size
