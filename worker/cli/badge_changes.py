# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""What a badges file would change, as `badges plan` and `badges apply` show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from worker.cli.output import print_table

if TYPE_CHECKING:
    from worker.adapters.database.store import Database
    from worker.applying import BadgeChange
    from worker.rules.definitions import Definitions


@dataclass(frozen=True, slots=True)
class Changes:
    """What is added, changed or removed of the issuers, by id, and what happens to the badges."""

    issuers: dict[str, str]
    badges: list[BadgeChange]

    def __bool__(self) -> bool:
        return bool(self.issuers or self.badges)


def changes_to(database: Database, definitions: Definitions) -> Changes:
    """Return what it takes to get from the rules in force to these definitions."""
    from worker.applying import changes_between

    with database.change() as stored:  # only looked at: nothing is changed
        issuers, badges = stored.issuers(), changes_between(stored.badges(), definitions)
    after = {name: issuer.model_dump(mode="json") for name, issuer in definitions.issuers.items()}
    changed = {
        name: _change_of(issuers.get(name), after.get(name))
        for name in sorted(issuers.keys() | after.keys())
        if issuers.get(name) != after.get(name)
    }
    return Changes(changed, badges)


def _change_of(before: object, after: object) -> str:
    if before is None:
        return "added"
    return "removed" if after is None else "changed"


def describe(changes: list[BadgeChange]) -> list[dict[str, Any]]:
    """Return changed badges as JSON has them."""
    return [
        {"badge_id": each.badge_id, "change": each.change.value, "backfill": each.backfill}
        for each in changes
    ]


def print_changes(changes: Changes, gains: Mapping[str, int] | None = None, *, err: bool = False) -> None:
    """Print what would change; `gains` are how many people would gain each badge, where that was counted."""
    last = "everybody is evaluated" if gains is None else "people who gain it"
    issuers = [(change, f"issuer {name}", "", "", "") for name, change in changes.issuers.items()]
    badges = [_cells(change, gains) for change in changes.badges]
    print_table("Changes", ("change", "what", "title", "criterion", last), [*issuers, *badges], err=err)


def _cells(change: BadgeChange, gains: Mapping[str, int] | None) -> tuple[object, ...]:
    badge = change.badge
    last: object = ("yes" if change.backfill else "no") if gains is None else gains.get(change.badge_id, 0)
    return change.change.value, f"badge {change.badge_id}", badge.title, ", ".join(badge.criteria), last
