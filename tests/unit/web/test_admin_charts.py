"""Earners over time: which unit a bar stands for, and where bars and lines stand."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import pytest

from worker.adapters.database.looking import DayCount
from worker.web.admin.charts import HEIGHT, WIDTH, Chart, chart

TODAY = date(2026, 11, 22)  # a Sunday


def drawn(*counts: tuple[int, int], today: date = TODAY) -> Chart:
    """Return the chart of so many earners so many days ago."""
    found = chart([DayCount(TODAY - timedelta(ago), number) for ago, number in counts], today)
    assert found is not None
    return found


def test_nobody_makes_no_chart() -> None:
    assert chart([], TODAY) is None


@pytest.mark.parametrize(
    ("days", "unit", "bars"),
    [
        pytest.param(0, "day", 1, id="today"),
        pytest.param(59, "day", 60, id="two-months"),
        pytest.param(60, "week", 9, id="a-day-more"),
        pytest.param(364, "week", 53, id="a-year"),
        pytest.param(1000, "month", 34, id="three-years"),
        pytest.param(3650, "year", 11, id="ten-years"),
        pytest.param(20_000, "year", 55, id="since-1972"),
        pytest.param(25_000, "year", 69, id="more-than-should-be"),
    ],
)
def test_the_smallest_unit_is_taken_of_which_not_too_many_are_needed(days: int, unit: str, bars: int) -> None:
    found = drawn((days, 1))

    assert (found.unit, len(found.bars)) == (unit, bars)


def test_every_earner_is_in_one_bar() -> None:
    found = drawn((100, 3), (99, 4), (50, 5), (0, 7))

    assert sum(bar.number for bar in found.bars) == found.total == 19


def test_days_on_which_nobody_earned_it_have_their_place() -> None:
    found = drawn((3, 2), (0, 1))

    assert [bar.number for bar in found.bars] == [2, 0, 0, 1]
    assert [bar.height > 0 for bar in found.bars] == [True, False, False, True]


def test_the_chart_goes_on_to_today_even_if_nobody_earns_it_any_more() -> None:
    found = drawn((30, 2))

    assert found.bars[-1].label == f"{TODAY:%d %b}"


def test_an_earner_ahead_of_the_clock_has_a_bar() -> None:
    found = drawn((0, 1), (-2, 1))

    assert [bar.number for bar in found.bars] == [1, 0, 1]


@pytest.mark.parametrize(
    ("most", "numbers"),
    [
        pytest.param(1, [0, 1], id="1"),
        pytest.param(3, [0, 1, 2, 3], id="3"),
        pytest.param(7, [0, 2, 4, 6, 8], id="7"),
        pytest.param(19, [0, 5, 10, 15, 20], id="19"),
        pytest.param(40, [0, 10, 20, 30, 40], id="40"),
        pytest.param(123_456, [0, 50_000, 100_000, 150_000], id="123456"),
    ],
)
def test_lines_stand_at_round_numbers(most: int, numbers: list[int]) -> None:
    found = drawn((0, most))

    assert [number for _, number in found.lines] == numbers


def test_bars_stand_on_the_floor_inside_the_picture() -> None:
    found = drawn(*((ago, ago + 1) for ago in reversed(range(60))))

    for bar in found.bars:
        assert bar.y + bar.height == pytest.approx(found.floor, abs=0.2)
        assert found.left <= bar.x < bar.x + bar.width <= WIDTH
        assert 0 <= bar.y <= HEIGHT
    assert max(bar.height for bar in found.bars) == found.bars[0].height


def test_labels_leave_each_other_room() -> None:
    found = drawn((364, 1))

    middles = [bar.middle for bar in found.bars if bar.labelled]

    assert 2 < len(middles) <= 8
    assert min(later - earlier for earlier, later in pairwise(middles)) > 90
