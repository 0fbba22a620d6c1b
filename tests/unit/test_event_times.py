"""The times of events (contract.md section 3): RFC 3339 with offset, from 1970 to five minutes ahead."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.unit.envelopes import A_STRING, NOW, event_bytes, parsed, reason
from worker.events import PostCreated, parse_event


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2026-03-01T10:15:00Z", "2026-03-01T10:15:00", id="z"),
        pytest.param("2026-03-01t10:15:00z", "2026-03-01T10:15:00", id="small-letters"),
        pytest.param("2026-03-01 10:15:00Z", "2026-03-01T10:15:00", id="a-space-for-the-t"),
        pytest.param("2026-03-01T10:15:00+00:00", "2026-03-01T10:15:00", id="offset-nought"),
        pytest.param("2026-03-01T10:15:00-00:00", "2026-03-01T10:15:00", id="offset-unknown"),
        pytest.param("2026-03-01T10:15:00+05:45", "2026-03-01T04:30:00", id="east"),
        pytest.param("2026-03-01T23:15:00-02:00", "2026-03-02T01:15:00", id="west-and-tomorrow"),
        pytest.param("2026-03-01T00:00:00+23:59", "2026-02-28T00:01:00", id="farthest-offset"),
        pytest.param("2026-03-01T10:15:00.5Z", "2026-03-01T10:15:00.500000", id="half-a-second"),
        pytest.param(
            "2026-03-01T10:15:00.123456789Z",
            "2026-03-01T10:15:00.123456",
            id="nanoseconds-are-cut-to-microseconds",
        ),
        pytest.param("2024-02-29T00:00:00Z", "2024-02-29T00:00:00", id="leap-day"),
        pytest.param("1970-01-01T00:00:00Z", "1970-01-01T00:00:00", id="earliest"),
        pytest.param("1969-12-31T23:00:00-01:00", "1970-01-01T00:00:00", id="earliest-with-offset"),
        pytest.param("2026-06-01T12:05:00Z", "2026-06-01T12:05:00", id="five-minutes-ahead"),
    ],
)
def test_a_time_is_read_as_an_instant(text: str, instant: str) -> None:
    assert parsed(event_bytes(time=text)).time.isoformat() == f"{instant}+00:00"


RFC = "an RFC 3339 time with offset, such as 2026-03-01T10:15:00Z, please"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param("2026-03-01T10:15:00", RFC, id="no-offset"),
        pytest.param("2026-03-01", RFC, id="a-day"),
        pytest.param("2026-03-01T10:15Z", RFC, id="no-seconds"),
        pytest.param("20260301T101500Z", RFC, id="basic-format"),
        pytest.param("2026-W09-7T10:15:00Z", RFC, id="week-date"),
        pytest.param("2026-03-01T10:15:00+0100", RFC, id="offset-without-colon"),
        pytest.param("2026-03-01T10:15:00Z\n", RFC, id="line-end-behind"),
        pytest.param(" 2026-03-01T10:15:00Z", RFC, id="blank-in-front"),
        pytest.param("02026-03-01T10:15:00Z", RFC, id="five-digit-year"),
        pytest.param("", RFC, id="empty"),
        pytest.param(1772360100, A_STRING, id="seconds-since-1970"),
        pytest.param(None, A_STRING, id="null"),
        pytest.param("2026-02-29T00:00:00Z", "day is out of range for month", id="no-leap-year"),
        pytest.param("2026-13-01T00:00:00Z", "month must be in 1..12", id="month-13"),
        pytest.param("2026-03-01T24:00:00Z", "hour must be in 0..23", id="hour-24"),
        pytest.param("2026-03-01T10:15:60Z", "second must be in 0..59", id="leap-second"),
        pytest.param("0000-01-01T00:00:00Z", "year 0 is out of range", id="year-0"),
        pytest.param("0001-01-01T00:00:00+00:01", "not a time of this calendar", id="calendar-begins"),
        pytest.param("9999-12-31T23:59:59-00:01", "not a time of this calendar", id="calendar-ends"),
        pytest.param(
            "1969-12-31T23:59:59.999999Z",
            "before 1970; please send the time of the occurrence",
            id="just-before-1970",
        ),
        pytest.param(
            "1970-01-01T00:00:00+00:01",
            "before 1970; please send the time of the occurrence",
            id="before-1970-by-offset",
        ),
        pytest.param(
            "2026-06-01T12:05:00.000001Z",
            "2026-06-01T12:05:00.000001+00:00 lies more than five minutes in the future",
            id="a-microsecond-too-far-ahead",
        ),
        pytest.param(
            "9999-12-31T23:59:59Z",
            "9999-12-31T23:59:59+00:00 lies more than five minutes in the future",
            id="the-calendars-last-second",
        ),
    ],
)
def test_another_time_is_refused(value: object, said: str) -> None:
    assert reason(event_bytes(time=value)) == f"time: {said}"


def test_digits_of_another_script_are_no_time() -> None:
    assert reason(event_bytes(time="٢٠٢٦-03-01T10:15:00Z")).startswith("time: ")


def test_the_clock_that_bounds_the_future_is_the_callers() -> None:
    raw = event_bytes(time=(NOW + timedelta(minutes=6)).isoformat())

    assert reason(raw).endswith("lies more than five minutes in the future")
    assert isinstance(parse_event(raw, NOW + timedelta(minutes=1)), PostCreated)
