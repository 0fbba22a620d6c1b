"""Earners over time as a bar chart: where everything stands. The template draws it, as SVG."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from worker.adapters.database.looking import DayCount

WIDTH, HEIGHT = 1080, 290
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 44, 12, 28  # margins
_MOST_BARS = 60
_LABELS = 8
_LINES = 4
_GAP = 0.22  # of a bar's place


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: `label` says when, `title` how many then."""

    x: float
    y: float
    width: float
    height: float
    label: str
    title: str
    number: int
    labelled: bool

    @property
    def middle(self) -> float:
        """Return where the label stands."""
        return round(self.x + self.width / 2, 1)


@dataclass(frozen=True, slots=True)
class Chart:
    """A bar chart in units of its view box. `unit` is what one bar stands for, `lines` are (y, number)."""

    unit: str
    bars: Sequence[Bar]
    lines: Sequence[tuple[float, int]]
    total: int
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    floor: int = HEIGHT - _BOTTOM


@dataclass(frozen=True, slots=True)
class _Unit:
    name: str
    start: Callable[[date], date]
    next: Callable[[date], date]
    label: Callable[[date], str]


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


_UNITS = (
    _Unit("day", lambda day: day, lambda day: day + timedelta(1), lambda day: f"{day:%d %b}"),
    _Unit(
        "week",
        lambda day: day - timedelta(day.weekday()),
        lambda day: day + timedelta(7),
        lambda day: f"{day:%d %b %Y}",
    ),
    _Unit("month", lambda day: day.replace(day=1), _next_month, lambda day: f"{day:%b %Y}"),
    _Unit(
        "year",
        lambda day: day.replace(month=1, day=1),
        lambda day: day.replace(year=day.year + 1, month=1, day=1),
        lambda day: f"{day:%Y}",
    ),
)


def chart(counts: Sequence[DayCount], today: date) -> Chart | None:
    """Return the chart of these days up to today, in the smallest unit that fits; None of no days."""
    if not counts:
        return None
    first, last = counts[0].day, max(counts[-1].day, today)
    unit, starts = _fitting(first, last)
    found = Counter[date]()
    for each in counts:
        found[unit.start(each.day)] += each.awards
    step = _step(max(found.values()))
    top = -(-max(found.values()) // step) * step
    lines = [(_y(number, top), number) for number in range(0, top + 1, step)]
    return Chart(unit.name, _bars(unit, starts, found, top), lines, found.total())


def _fitting(first: date, last: date) -> tuple[_Unit, list[date]]:
    """Return the smallest unit of which not too many lie between two days, and the starts of those."""
    for unit in _UNITS:
        starts = [unit.start(first)]
        while (after := unit.next(starts[-1])) <= last and len(starts) <= _MOST_BARS:
            starts.append(after)
        if len(starts) <= _MOST_BARS:
            return unit, starts
    while (after := unit.next(starts[-1])) <= last:
        starts.append(after)
    return unit, starts


def _bars(unit: _Unit, starts: Sequence[date], found: Counter[date], top: int) -> list[Bar]:
    place = (WIDTH - _LEFT - _RIGHT) / max(len(starts), 12)
    every = -(-len(starts) // _LABELS)
    return [
        Bar(
            x=round(_LEFT + place * (position + _GAP / 2), 1),
            y=_y(found[start], top),
            width=round(place * (1 - _GAP), 1),
            height=round(HEIGHT - _BOTTOM - _y(found[start], top), 1),
            label=unit.label(start),
            title=f"{unit.label(start)}: {found[start]:,}",
            number=found[start],
            labelled=position % every == 0,
        )
        for position, start in enumerate(starts)
    ]


def _y(number: int, top: int) -> float:
    return round(_TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - number / top), 1)


def _step(most: int) -> int:
    """Return a round distance (1, 2 or 5 times a power of ten) of which a few make `most`."""
    power = 1
    while True:
        for digit in (1, 2, 5):
            if digit * power * _LINES >= most:
                return digit * power
        power *= 10
