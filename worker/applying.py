"""Applying definitions: badges and issuers as written become the rules in force (design.md section 4)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

import structlog

from worker.errors import ConfigurationError
from worker.ports import RulesChange, RulesStore, StoredBadge
from worker.rules.definitions import Badge, Definitions

log = structlog.get_logger(__name__)


class Change(StrEnum):
    """What an `apply` does to one badge."""

    ADDED = "added"
    CHANGED = "changed"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class BadgeChange:
    """One badge that an `apply` adds, changes or disables; `backfill` says everybody is evaluated for it."""

    badge_id: str
    change: Change
    badge: Badge
    backfill: bool


@dataclass(frozen=True, slots=True)
class Applied:
    """What an `apply` did: the version now in force, and each badge that changed."""

    version: int
    changes: list[BadgeChange]


def changes_between(stored: Iterable[StoredBadge], definitions: Definitions) -> list[BadgeChange]:
    """Return what it takes to get from the stored badges to these definitions.

    A badge that is missing from the definitions is disabled; its holders keep it.
    """
    before = {each.badge_id: Badge.model_validate(each.definition) for each in stored}
    changes = []
    for badge_id, badge in definitions.badges.items():
        old = before.get(badge_id)
        if old is None:
            changes.append(BadgeChange(badge_id, Change.ADDED, badge, badge.published))
        elif old != badge:
            changes.append(_changed(badge_id, old, badge))
    for badge_id in before.keys() - definitions.badges.keys():
        old = before[badge_id]
        if old.published:
            gone = old.model_copy(update={"status": "disabled"})
            changes.append(BadgeChange(badge_id, Change.DISABLED, gone, backfill=False))
    return sorted(changes, key=lambda change: change.badge_id)


def _changed(badge_id: str, old: Badge, new: Badge) -> BadgeChange:
    what = Change.DISABLED if old.published and not new.published else Change.CHANGED
    earns_anew = new.published and (new.criteria != old.criteria or not old.published)
    return BadgeChange(badge_id, what, new, earns_anew)


def apply(store: RulesStore, definitions: Definitions) -> Applied:
    """Make the definitions the rules in force; commits before any backfill begins.

    Under RULES taken alone: a batch that still holds it decided by the old rules, and the backfill sees what
    it committed; one that comes later reads the new ones. The backfills are noted in the same transaction.

    Raises ConfigurationError, and changes nothing, if an issuer would go that still has awards to deal with.
    """
    with store.change() as change:
        state = change.begin()
        changes = changes_between(change.badges(), definitions)
        issuers = {name: issuer.model_dump(mode="json") for name, issuer in definitions.issuers.items()}
        if changes or issuers != change.issuers():
            version = state.version + 1
            with _dropping(change, change.issuers().keys() - issuers.keys()):
                change.save_issuers(issuers)
                for each in changes:
                    _save(change, each, version)
            change.raise_version(version)
        else:
            version = state.version
    counted = Counter(each.change.value for each in changes)
    log.info("badges.applied", version=version, **counted)
    return Applied(version, changes)


@contextmanager
def _dropping(change: RulesChange, dropped: Collection[str]) -> Iterator[None]:
    """Refuse to lose sight of awards: nobody would ever send, look up or revoke them."""
    if dropped:
        change.hold_issuers(dropped)
    yield
    if dropped and (left := change.unsettled(dropped)):
        said = ", ".join(f"issuer {name} with {count} awards" for name, count in sorted(left.items()))
        raise ConfigurationError(
            f"not applied: {said} not settled yet; keep it in the file until `awards list` shows them as "
            "issued or revoked, or give their badges another issuer"
        )


def _save(change: RulesChange, each: BadgeChange, version: int) -> None:
    badge = each.badge
    issuer = badge.issue.issuer if badge.issue else None
    stored = StoredBadge(each.badge_id, version, badge.model_dump(mode="json"))
    change.save_badge(stored, badge.status, issuer)
    change.reroute(each.badge_id, issuer)
    if each.backfill:
        change.evaluate_later(each.badge_id, version)
