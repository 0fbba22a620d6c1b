"""How long an assertion is good for: days, weeks, months and years from `earned_at`, by the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.story import tried
from worker.rules.definitions import Expiry


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("start", "amount", "duration", "end"),
    [
        pytest.param("2026-01-31T08:30", 1, "months", "2026-02-28T08:30", id="31-january-and-a-month"),
        pytest.param("2024-01-31", 1, "months", "2024-02-29", id="31-january-in-a-leap-year"),
        pytest.param("2026-01-31", 2, "months", "2026-03-31", id="31-january-and-two-months"),
        pytest.param("2026-03-31", 1, "months", "2026-04-30", id="31-march-and-a-month"),
        pytest.param("2026-12-15", 1, "months", "2027-01-15", id="over-new-year"),
        pytest.param("2026-11-30", 15, "months", "2028-02-29", id="over-two-new-years"),
        pytest.param("2026-06-15", 12, "months", "2027-06-15", id="twelve-months"),
        pytest.param("2024-02-29", 1, "years", "2025-02-28", id="29-february-and-a-year"),
        pytest.param("2024-02-29", 4, "years", "2028-02-29", id="29-february-and-four-years"),
        pytest.param("1896-02-29", 4, "years", "1900-02-28", id="1900-was-no-leap-year"),
        pytest.param("2024-02-28T23:59:59", 2, "days", "2024-03-01T23:59:59", id="days-over-a-leap-day"),
        pytest.param("2026-01-01T12:00:00.000001", 3, "weeks", "2026-01-22T12:00:00.000001", id="weeks"),
        pytest.param("9999-12-01", 30, "days", "9999-12-31", id="the-calendars-last-day"),
    ],
)
def test_an_assertion_expires(start: str, amount: int, duration: Any, end: str) -> None:
    assert Expiry(amount=amount, duration=duration).after(instant(start)) == instant(end)


@pytest.mark.parametrize(
    ("start", "amount", "duration"),
    [
        ("9999-12-01", 31, "days"),
        ("9999-12-31", 1, "weeks"),
        ("9999-12-01", 1, "months"),
        ("2026-01-01", 10_000, "years"),
        ("9999-02-28", 12, "months"),
    ],
)
def test_beyond_the_calendar_nothing_expires(start: str, amount: int, duration: Any) -> None:
    assert Expiry(amount=amount, duration=duration).after(instant(start)) is None


@tried
@given(
    st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds are bare
    st.integers(1, 5000),
    st.sampled_from(["months", "years"]),
)
def test_months_keep_the_day_or_end_on_a_shorter_months_last(
    start: datetime, amount: int, duration: Any
) -> None:
    end = Expiry(amount=amount, duration=duration).after(start)

    assert end is not None
    months = amount * (12 if duration == "years" else 1)
    assert (end.year - start.year) * 12 + end.month - start.month == months
    assert end.timetz() == start.timetz()
    assert end.day == start.day or (end + timedelta(days=1)).day == 1
