"""Figures: what was measured, what is wanted of it, and how both are shown."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Wanted:
    """A bound: at least, or at most, so much."""

    bound: float
    at_most: bool = False

    def is_met(self, value: float) -> bool:
        return value <= self.bound if self.at_most else value >= self.bound

    def __str__(self) -> str:
        return f"{'≤' if self.at_most else '≥'} {_number(self.bound)}"


@dataclass(slots=True)
class Figure:
    """One line of the table: a value for each turn, in `unit`."""

    title: str
    unit: str
    wanted: Wanted | None = None
    values: list[float] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def as_json(self) -> dict[str, Any]:
        wanted = self.wanted
        found: dict[str, Any] = {"title": self.title, "unit": self.unit, "median": round(self.median, 4)}
        found["values"] = [round(value, 4) for value in self.values]
        if wanted:
            found |= {"wanted": str(wanted), "met": wanted.is_met(self.median)}
        return found


class Figures:
    """All that is measured, in the order in which it is shown; turn by turn."""

    def __init__(self, known: Mapping[str, Figure]) -> None:
        self._known = known
        self._turn: dict[str, float] = {}

    def note(self, name: str, value: float) -> None:
        """Note a value of this turn."""
        self._turn[name] = value

    def ratio(self, name: str, over: str, under: str) -> None:
        """Note the ratio of two values of this turn, if both were measured."""
        if over in self._turn and under in self._turn:
            self.note(name, self._turn[over] / self._turn[under])

    def of_this_turn(self, name: str) -> float | None:
        return self._turn.get(name)

    def end_turn(self) -> None:
        """Keep this turn's values: ratios are of what was measured side by side."""
        for name, value in self._turn.items():
            self._known[name].values.append(value)
        self._turn.clear()

    def measured(self) -> dict[str, Figure]:
        return {name: figure for name, figure in self._known.items() if figure.values}


def show(report: Mapping[str, Any], figures: Mapping[str, Figure]) -> None:
    """Print the table, with what it was measured on."""
    table = Table(
        title=f"{report['events']:,} events of the mix, median of {report['turns']}", title_justify="left"
    )
    for column, justify in (("", "left"), ("", "right"), ("from … to", "right"), ("wanted", "right")):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]  # its names
    for figure in figures.values():
        table.add_row(*_row(figure))
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=120)
    console.print(table)
    for name in ("machine", "postgres", "broker", "load"):
        console.print(f"{name}: {_plainly(report[name])}", highlight=False)


def _row(figure: Figure) -> tuple[str, ...]:
    value = f"{_number(figure.median)}{f' {figure.unit}' if figure.unit else ''}"
    spread = f"{_number(min(figure.values))} … {_number(max(figure.values))}"
    if figure.wanted is None:
        return figure.title, value, spread, ""
    mark = "[green]✓[/green]" if figure.wanted.is_met(figure.median) else "[red]✗[/red]"
    return figure.title, value, spread, f"{figure.wanted} {mark}"


def _number(value: float) -> str:
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _plainly(facts: Any) -> str:
    if isinstance(facts, Mapping):
        return ", ".join(f"{name} {_plainly(value)}" for name, value in facts.items())
    return " ".join(map(str, facts)) if isinstance(facts, list) else str(facts)


def write(report: Mapping[str, Any], file: Path) -> None:
    """Write it all for machines."""
    file.write_text(json.dumps(report, indent=1) + "\n")
