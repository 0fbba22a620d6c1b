"""The index from what changed to the badges it may decide, held against looking at every badge."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.story import criterion, tried
from worker.activities import Kind
from worker.rules.criteria import (
    AllOf,
    AnyOf,
    Leaf,
    LpComplete,
    LpEnroll,
    LpPassed,
    RegisteredFor,
    SocialConnection,
    SocialEngagement,
    leaves,
)
from worker.rules.rulebook import Rule, Rulebook

if TYPE_CHECKING:
    from collections.abc import Callable

PATH_KINDS = [Kind.ENROLLED, Kind.COMPLETED, Kind.PASSED]
COUNT_KINDS = [Kind.CONNECTED, Kind.POST]


def rule(badge_id: str, name: str, **fields: object) -> Rule:
    return Rule(badge_id, 1, criterion(name, **fields))


BOOK = Rulebook(
    7,
    [
        rule("ten", "social_connection", threshold=10),
        rule("three", "social_connection", threshold=3),
        rule("also-three", "social_connection", threshold=3),
        rule("three-a-week", "social_connection", threshold=3, period=604800),
        rule("posts", "social_engagement", threshold=3),
        rule("enrolled", "lp_enroll", learning_path_id="40"),
        rule("passed", "lp_passed", learning_path_id=40),
        rule("a-day", "registered_for", threshold=86400),
        rule("a-year", "registered_for", threshold=31536000),
    ],
)


def ids(rules: object) -> list[str]:
    return [each.badge_id for each in rules]  # type: ignore[attr-defined]  # any sequence of rules


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        pytest.param(0, 2, [], id="none-reached"),
        pytest.param(2, 3, ["also-three", "three"], id="reached"),
        pytest.param(3, 4, [], id="reached-before"),
        pytest.param(0, 99, ["also-three", "three", "ten"], id="several-at-once-in-order"),
        pytest.param(9, 10, ["ten"], id="the-highest"),
        pytest.param(3, 2, [], id="downwards"),
        pytest.param(3, 3, [], id="unmoved"),
    ],
)
def test_a_count_that_moved_finds_the_thresholds_it_crossed(old: int, new: int, found: list[str]) -> None:
    assert ids(BOOK.crossed(Kind.CONNECTED, old, new)) == found


@pytest.mark.parametrize(("count", "found"), [(2, []), (3, ["three-a-week"]), (99, ["three-a-week"])])
def test_windowed_rules_are_found_when_there_are_enough(count: int, found: list[str]) -> None:
    assert ids(BOOK.windowed(Kind.CONNECTED, count)) == found


def test_kinds_are_kept_apart() -> None:
    assert ids(BOOK.crossed(Kind.POST, 0, 99)) == ["posts"]
    assert ids(BOOK.windowed(Kind.POST, 99)) == []
    assert ids(BOOK.crossed(Kind.ENROLLED, 0, 99)) == []


@pytest.mark.parametrize(
    ("kind", "path", "found"),
    [
        (Kind.ENROLLED, "40", ["enrolled"]),
        (Kind.PASSED, "40", ["passed"]),
        (Kind.COMPLETED, "40", []),
        (Kind.ENROLLED, "4", []),
    ],
)
def test_a_learning_path_finds_the_badges_about_it(kind: Kind, path: str, found: list[str]) -> None:
    assert ids(BOOK.by_object.get((kind, path), ())) == found


@pytest.mark.parametrize(
    ("age", "found"),
    [
        (-5.0, []),
        (86399.999, []),
        (86400.0, ["a-day"]),
        (1e12, ["a-day", "a-year"]),
    ],
)
def test_an_age_finds_the_badges_it_is_enough_for(age: float, found: list[str]) -> None:
    assert ids(BOOK.ages(age)) == found


def test_every_age_is_listed_with_its_rule() -> None:
    assert [(age, each.badge_id) for age, each in BOOK.all_ages()] == [(86400, "a-day"), (31536000, "a-year")]


def test_every_rule_is_in_the_book_and_nothing_else() -> None:
    assert len(BOOK.rules) == 9
    assert all(each.badge_id == badge_id for badge_id, each in BOOK.rules.items())
    assert BOOK.version == 7


def test_an_empty_book_finds_nothing() -> None:
    empty = Rulebook(1, [])

    assert not empty.rules
    assert not list(empty.all_ages())
    assert not any([*empty.crossed(Kind.POST, 0, 99), *empty.windowed(Kind.CONNECTED, 99), *empty.ages(9e9)])


NUMBERS = st.integers(1, 6)
CRITERIA: st.SearchStrategy[Leaf] = st.one_of(
    st.builds(LpEnroll, learning_path_id=st.sampled_from(["40", "41"])),
    st.builds(LpComplete, learning_path_id=st.sampled_from(["40", "41"])),
    st.builds(LpPassed, learning_path_id=st.sampled_from(["40", "41"])),
    st.builds(SocialConnection, threshold=NUMBERS, period=st.none() | NUMBERS),
    st.builds(SocialEngagement, threshold=NUMBERS),
    st.builds(RegisteredFor, threshold=NUMBERS),
)
GROUPS = st.recursive(
    CRITERIA,
    lambda inner: st.builds(
        lambda group, criteria: group(tuple(criteria)),
        st.sampled_from([AllOf, AnyOf]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=6,
)
RULES = st.lists(GROUPS, max_size=12).map(
    lambda wanted: [Rule(f"badge-{number}", 1, each) for number, each in enumerate(wanted)]
)


def is_windowed(wanted: Leaf) -> bool:
    return isinstance(wanted, SocialConnection) and wanted.period is not None


def kind_of(wanted: Leaf) -> Kind | None:
    return None if isinstance(wanted, RegisteredFor) else wanted.kind


def threshold_of(wanted: Leaf) -> int:
    return 0 if isinstance(wanted, LpEnroll | LpComplete | LpPassed) else wanted.threshold


def with_a_leaf(rules: list[Rule], fits: Callable[[Leaf], bool]) -> list[str]:
    """Return the badges of which a leaf fits, found by looking at every leaf of every rule."""
    return sorted(rule.badge_id for rule in rules if any(map(fits, leaves(rule.criterion))))


@tried
@given(RULES, st.sampled_from(COUNT_KINDS), st.integers(0, 7), st.integers(0, 7))
def test_what_was_crossed_is_what_looking_at_every_rule_finds(
    rules: list[Rule], kind: Kind, old: int, new: int
) -> None:
    found = Rulebook(1, rules).crossed(kind, old, new)

    assert sorted(ids(found)) == with_a_leaf(
        rules,
        lambda leaf: kind_of(leaf) is kind and not is_windowed(leaf) and old < threshold_of(leaf) <= new,
    )


@tried
@given(RULES, st.sampled_from(COUNT_KINDS), st.integers(0, 7))
def test_what_is_windowed_is_what_looking_at_every_rule_finds(
    rules: list[Rule], kind: Kind, count: int
) -> None:
    found = Rulebook(1, rules).windowed(kind, count)

    assert sorted(ids(found)) == with_a_leaf(
        rules, lambda leaf: kind_of(leaf) is kind and is_windowed(leaf) and threshold_of(leaf) <= count
    )


@tried
@given(RULES, st.sampled_from(PATH_KINDS), st.sampled_from(["40", "41", "42"]))
def test_what_is_about_a_path_is_what_looking_at_every_rule_finds(
    rules: list[Rule], kind: Kind, path: str
) -> None:
    found = Rulebook(1, rules).by_object.get((kind, path), ())

    assert sorted(ids(found)) == with_a_leaf(
        rules, lambda leaf: kind_of(leaf) is kind and getattr(leaf, "learning_path_id", None) == path
    )


@tried
@given(RULES, st.integers(0, 7))
def test_ages_are_what_looking_at_every_rule_finds(rules: list[Rule], age: int) -> None:
    book = Rulebook(1, rules)

    assert sorted(ids(book.ages(age))) == with_a_leaf(
        rules, lambda leaf: isinstance(leaf, RegisteredFor) and leaf.threshold <= age
    )
    every_age = {
        (leaf.threshold, rule.badge_id)
        for rule in rules
        for leaf in leaves(rule.criterion)
        if isinstance(leaf, RegisteredFor)
    }
    assert sorted((seconds, each.badge_id) for seconds, each in book.all_ages()) == sorted(every_age)


@tried
@given(st.lists(CRITERIA, min_size=1, max_size=4), st.booleans())
def test_a_rule_looks_at_what_its_leaves_are_about(wanted: list[Leaf], alone: bool) -> None:
    made = Rule("b", 1, wanted[0] if alone else AllOf(tuple(wanted)))

    found = list(leaves(made.criterion))
    counts = [leaf for leaf in found if isinstance(leaf, (SocialConnection, SocialEngagement))]
    paths = [leaf for leaf in found if isinstance(leaf, (LpEnroll, LpComplete, LpPassed))]
    assert set(made.kinds) == {leaf.kind for leaf in counts}
    assert set(made.objects) == {(leaf.kind, leaf.learning_path_id) for leaf in paths}
    assert (made.window is not None) == (alone and is_windowed(wanted[0]))
