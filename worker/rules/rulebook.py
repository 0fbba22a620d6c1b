"""The rulebook: an index from what changed to the badges it may decide (design.md section 2).

The cost of an event does not grow with the number of badges: learning paths are looked up by their id,
counts find the thresholds they crossed by bisection, and most events find nothing. A badge that puts several
criteria together stands under each of them: only a change of one of them can make it hold.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from worker.activities import Kind
from worker.rules.criteria import (
    Criterion,
    Leaf,
    LpComplete,
    LpEnroll,
    LpPassed,
    RegisteredFor,
    SocialConnection,
    SocialEngagement,
    leaves,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One badge as rules see it. `version` is that of its definition; `issuer` is None for our own badges.

    `needs_names` says that its issuer wants a person's names beside the address.

    What follows from the criterion, and is asked for every candidate: `kinds` are those of which it looks at
    all activities of a user, `objects` the single ones that it looks at; `window` is the length of one window
    that alone decides.
    """

    badge_id: str
    version: int
    criterion: Criterion = field(hash=False)  # hashed often, and long: id and version are enough
    issuer: str | None = None
    needs_names: bool = False
    kinds: tuple[Kind, ...] = field(init=False, repr=False, compare=False)
    objects: tuple[tuple[Kind, str], ...] = field(init=False, repr=False, compare=False)
    window: timedelta | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out what follows from the criterion."""
        parts = list(leaves(self.criterion))
        counted = [part.kind for part in parts if isinstance(part, SocialConnection | SocialEngagement)]
        paths = [part for part in parts if isinstance(part, LpEnroll | LpComplete | LpPassed)]
        object.__setattr__(self, "kinds", tuple(dict.fromkeys(counted)))
        object.__setattr__(self, "objects", tuple((path.kind, path.learning_path_id) for path in paths))
        object.__setattr__(self, "window", _window(self.criterion))


def _window(criterion: Criterion) -> timedelta | None:
    if isinstance(criterion, SocialConnection) and criterion.period is not None:
        return timedelta(seconds=criterion.period)
    return None


@dataclass(frozen=True, slots=True)
class Marks:
    """Which counts of a kind may decide something.

    One that passes one of `thresholds` (sorted), and one that is at least `enough` when an activity was added
    or began to count at another time; None: never.
    """

    thresholds: tuple[int, ...] = ()
    enough: int | None = None

    def passed(self, old: int, new: int, *, moved: bool) -> bool:
        """Return whether a count that went from `old` to `new` may decide something."""
        if moved and self.enough is not None and new >= self.enough:
            return True
        return bisect_right(self.thresholds, old) < bisect_right(self.thresholds, new)


class Rulebook:
    """The published badges at one version of the rules, indexed. Immutable.

    `by_object` has the rules that one activity of a kind about an object decides.
    """

    def __init__(self, version: int, rules: Iterable[Rule]) -> None:
        self.version = version
        self.rules = {rule.badge_id: rule for rule in rules}
        index = _Index()
        for rule in self.rules.values():
            for leaf in dict.fromkeys(leaves(rule.criterion)):
                index.add(leaf, rule)
        self.by_object: Mapping[tuple[Kind, str], Sequence[Rule]] = dict(index.by_object)
        self._by_count = {kind: _Thresholds(rules) for kind, rules in index.by_count.items()}
        self._windowed = {kind: _Thresholds(rules) for kind, rules in index.windowed.items()}
        self._ages = _Thresholds(index.ages)
        self.marks = {kind: self._marks(kind) for kind in {*self._by_count, *self._windowed}}

    def _marks(self, kind: Kind) -> Marks:
        by_count, windowed = self._by_count.get(kind), self._windowed.get(kind)
        return Marks(
            by_count.distinct if by_count else (),
            windowed.distinct[0] if windowed else None,
        )

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


class _Index:
    """Rules under what they ask for, as they are collected."""

    def __init__(self) -> None:
        self.by_object: dict[tuple[Kind, str], list[Rule]] = defaultdict(list)
        self.by_count: dict[Kind, list[tuple[int, Rule]]] = defaultdict(list)
        self.windowed: dict[Kind, list[tuple[int, Rule]]] = defaultdict(list)
        self.ages: list[tuple[int, Rule]] = []

    def add(self, leaf: Leaf, rule: Rule) -> None:
        """Put a rule under one of its criteria."""
        match leaf:
            case LpEnroll() | LpComplete() | LpPassed() as path:
                self.by_object[path.kind, path.learning_path_id].append(rule)
            case RegisteredFor() as age:
                self.ages.append((age.threshold, rule))
            case SocialConnection() as social if social.period is not None:
                self.windowed[social.kind].append((social.threshold, rule))
            case counted:
                self.by_count[counted.kind].append((counted.threshold, rule))


class _Thresholds:
    """Rules in the order of their thresholds. One that puts criteria together may stand here repeatedly."""

    def __init__(self, pairs: list[tuple[int, Rule]]) -> None:
        self.pairs = sorted(pairs, key=lambda pair: (pair[0], pair[1].badge_id))
        self._keys = [threshold for threshold, _ in self.pairs]
        self.distinct = tuple(dict.fromkeys(self._keys))
        self._repeated = len({rule.badge_id for _, rule in pairs}) < len(pairs)

    def between(self, above: float, upto: float) -> Sequence[Rule]:
        """Return the rules with a threshold in (above, upto], each once."""
        start, end = bisect_right(self._keys, above), bisect_right(self._keys, upto)
        found = [rule for _, rule in self.pairs[start:end]]
        return list(dict.fromkeys(found)) if self._repeated else found
