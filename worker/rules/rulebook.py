"""The rulebook: an index from what changed to the badges it may decide (design.md section 2).

The cost of an event does not grow with the number of badges: learning paths are looked up by their id,
counts find the thresholds they crossed by bisection, and most events find nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from worker.activities import Kind
from worker.rules.criteria import Criterion, LpComplete, LpEnroll, LpPassed, RegisteredFor, SocialConnection


@dataclass(frozen=True, slots=True)
class Rule:
    """One badge as rules see it. `version` is that of its definition; `issuer` is None for our own badges.

    `needs_names` says that its issuer wants a person's names beside the address.
    """

    badge_id: str
    version: int
    criterion: Criterion
    issuer: str | None = None
    needs_names: bool = False


class Rulebook:
    """The published badges at one version of the rules, indexed. Immutable."""

    def __init__(self, version: int, rules: Iterable[Rule]) -> None:
        self.version = version
        self.rules = {rule.badge_id: rule for rule in rules}
        self._by_object: dict[tuple[Kind, str], list[Rule]] = defaultdict(list)
        by_count: dict[Kind, list[tuple[int, Rule]]] = defaultdict(list)
        windowed: dict[Kind, list[tuple[int, Rule]]] = defaultdict(list)
        ages: list[tuple[int, Rule]] = []
        for rule in self.rules.values():
            match rule.criterion:
                case LpEnroll() | LpComplete() | LpPassed() as path:
                    self._by_object[path.kind, path.learning_path_id].append(rule)
                case RegisteredFor() as age:
                    ages.append((age.threshold, rule))
                case SocialConnection() as social if social.period is not None:
                    windowed[social.kind].append((social.threshold, rule))
                case counted:
                    by_count[counted.kind].append((counted.threshold, rule))
        self._by_count = {kind: _Thresholds(rules) for kind, rules in by_count.items()}
        self._windowed = {kind: _Thresholds(rules) for kind, rules in windowed.items()}
        self._ages = _Thresholds(ages)

    def about(self, kind: Kind, object_id: str) -> Sequence[Rule]:
        """Return the rules that one activity about this object decides."""
        return self._by_object.get((kind, object_id), ())

    def crossed(self, kind: Kind, old: int, new: int) -> Sequence[Rule]:
        """Return the rules whose threshold lies in (old, new]."""
        thresholds = self._by_count.get(kind)
        return thresholds.between(old, new) if thresholds else ()

    def windowed(self, kind: Kind, count: int) -> Sequence[Rule]:
        """Return the windowed rules that `count` live activities are enough for."""
        thresholds = self._windowed.get(kind)
        return thresholds.between(0, count) if thresholds else ()

    def ages(self, most: float) -> Sequence[Rule]:
        """Return the rules about an account's age of at most so many seconds."""
        return self._ages.between(0, most)

    def all_ages(self) -> Iterator[tuple[int, Rule]]:
        """Yield every age in seconds that a rule asks for, with its rule."""
        return iter(self._ages.pairs)


class _Thresholds:
    """Rules in the order of their thresholds."""

    def __init__(self, pairs: list[tuple[int, Rule]]) -> None:
        self.pairs = sorted(pairs, key=lambda pair: (pair[0], pair[1].badge_id))
        self._keys = [threshold for threshold, _ in self.pairs]

    def between(self, above: float, upto: float) -> Sequence[Rule]:
        """Return the rules with a threshold in (above, upto]."""
        start, end = bisect_right(self._keys, above), bisect_right(self._keys, upto)
        return [rule for _, rule in self.pairs[start:end]]
