"""`all_of` and `any_of`: since when they hold, because of what, and where they stand in the index."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.story import BEGINNING, DAY, Story, at, body, met, posted, tried
from worker.activities import Kind
from worker.rules.criteria import AllOf, AnyOf, Holds, LpEnroll, NotYet, Reason, criterion_of, leaves
from worker.rules.facts import Counted, Facts
from worker.rules.rulebook import Rule, Rulebook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from worker.rules.criteria import Criterion

ENROL: dict[str, Any] = {"lp_enroll": {"learning_path_id": "40"}}
PASS: dict[str, Any] = {"lp_passed": {"learning_path_id": "40"}}
TWO_POSTS: dict[str, Any] = {"social_engagement": {"threshold": 2}}
THREE_POSTS: dict[str, Any] = {"social_engagement": {"threshold": 3}}
TWO_A_MINUTE: dict[str, Any] = {"social_connection": {"threshold": 2, "period": 60}}
A_DAY: dict[str, Any] = {"registered_for": {"threshold": DAY}}


def all_of(*criteria: dict[str, Any]) -> dict[str, Any]:
    return {"all_of": list(criteria)}


def any_of(*criteria: dict[str, Any]) -> dict[str, Any]:
    return {"any_of": list(criteria)}


def counted(seconds: float, object_id: str) -> Counted:
    return Counted(object_id, at(seconds), "lms", f"event-{object_id}")


PATH = counted(5, "40")
POSTS = (counted(3, "p1"), counted(9, "p2"))
FACTS = Facts(at(30), {Kind.ENROLLED: (PATH,), Kind.POST: POSTS}, registered_at=at(20 - DAY))
REASONS = [Reason(Kind.ENROLLED, PATH), *(Reason(Kind.POST, post) for post in POSTS)]


@pytest.mark.parametrize(
    ("written", "judgement"),
    [
        pytest.param(all_of(ENROL, TWO_POSTS), Holds(at(9), tuple(REASONS)), id="all-since-the-latest"),
        pytest.param(
            all_of(TWO_POSTS, ENROL), Holds(at(9), (*REASONS[1:], REASONS[0])), id="reasons-as-written"
        ),
        pytest.param(all_of(ENROL, A_DAY), Holds(at(20), (REASONS[0],)), id="an-age-is-no-reason"),
        pytest.param(all_of(ENROL, ENROL), Holds(at(5), (REASONS[0],)), id="one-reason-once"),
        pytest.param(all_of(ENROL), Holds(at(5), (REASONS[0],)), id="all-of-one"),
        pytest.param(all_of(ENROL, PASS, THREE_POSTS), NotYet(3, 1), id="one-of-three"),
        pytest.param(any_of(TWO_POSTS, ENROL), Holds(at(5), (REASONS[0],)), id="any-since-the-earliest"),
        pytest.param(any_of(PASS, TWO_POSTS), Holds(at(9), tuple(REASONS[1:])), id="any-that-holds"),
        pytest.param(any_of(ENROL, A_DAY, PASS), Holds(at(5), (REASONS[0],)), id="before-the-age"),
        pytest.param(any_of(PASS, THREE_POSTS), NotYet(1, 0), id="none"),
        pytest.param(
            all_of(any_of(PASS, ENROL), any_of(TWO_POSTS, THREE_POSTS)),
            Holds(at(9), tuple(REASONS)),
            id="any-within-all",
        ),
        pytest.param(
            any_of(all_of(ENROL, PASS), all_of(A_DAY, TWO_POSTS)),
            Holds(at(20), tuple(REASONS[1:])),
            id="all-within-any",
        ),
    ],
)
def test_criteria_that_are_put_together(written: dict[str, Any], judgement: Holds | NotYet) -> None:
    assert criterion_of(written).judge(FACTS) == judgement


def test_a_window_within_all_is_the_one_that_holds() -> None:
    story = Story([met(0, "a", "b"), met(100, "a", "c"), posted(120, "p"), posted(130, "q")])
    wanted = criterion_of(all_of(TWO_A_MINUTE, TWO_POSTS))

    before = story.earned(wanted)
    story.tell(met(150, "a", "d"))

    assert (before, story.earned(wanted)) == (None, 150)


def test_an_instant_inside_a_block_moves_to_its_end_as_for_one_criterion() -> None:
    story = Story([posted(1, "p"), posted(5, "q"), body("user.blocked", 4, user_id="a")])
    story.tell(body("user.unblocked", 8, user_id="a"))

    assert story.earned(criterion_of(any_of(TWO_POSTS, PASS))) == 8


def test_leaves_are_found_however_deep_in_the_order_written() -> None:
    wanted = criterion_of(all_of(ENROL, any_of(PASS, all_of(TWO_POSTS, A_DAY)), ENROL))

    found = [type(leaf).__name__ for leaf in leaves(wanted)]

    assert found == ["LpEnroll", "LpPassed", "SocialEngagement", "RegisteredFor", "LpEnroll"]


def test_a_leaf_is_its_own_only_leaf() -> None:
    wanted = criterion_of(ENROL)

    assert list(leaves(wanted)) == [wanted] == [LpEnroll(learning_path_id="40")]


def book(*written: dict[str, Any]) -> Rulebook:
    return Rulebook(1, [Rule(f"badge-{n}", 1, criterion_of(each)) for n, each in enumerate(written)])


def ids(rules: Sequence[Rule]) -> list[str]:
    return [rule.badge_id for rule in rules]


def test_a_rule_stands_under_each_of_its_leaves() -> None:
    rules = book(all_of(ENROL, any_of(TWO_POSTS, TWO_A_MINUTE), A_DAY))

    found = [
        rules.by_object[Kind.ENROLLED, "40"],
        rules.crossed(Kind.POST, 1, 2),
        rules.windowed(Kind.CONNECTED, 2),
        rules.ages(DAY),
        [rule for _, rule in rules.all_ages()],
    ]

    assert [ids(each) for each in found] == [["badge-0"]] * 5


def test_what_is_none_of_its_leaves_does_not_find_a_rule() -> None:
    rules = book(all_of(ENROL, TWO_POSTS))

    found = [
        *rules.by_object.get((Kind.ENROLLED, "41"), ()),
        *rules.by_object.get((Kind.COMPLETED, "40"), ()),
        *rules.crossed(Kind.POST, 0, 1),
        *rules.crossed(Kind.POST, 2, 9),
        *rules.crossed(Kind.CONNECTED, 0, 9),
        *rules.windowed(Kind.CONNECTED, 9),
        *rules.all_ages(),
    ]

    assert found == []


def test_a_rule_is_found_once_however_many_of_its_leaves_were_crossed() -> None:
    rules = book(any_of(TWO_POSTS, THREE_POSTS, ENROL, ENROL), TWO_POSTS)

    assert ids(rules.crossed(Kind.POST, 0, 9)) == ["badge-0", "badge-1"]
    assert ids(rules.crossed(Kind.POST, 2, 3)) == ["badge-0"]
    assert ids(rules.by_object.get((Kind.ENROLLED, "40"), ())) == ["badge-0"]


def test_each_age_of_a_rule_falls_due_on_its_own() -> None:
    rules = book(any_of(A_DAY, all_of(ENROL, {"registered_for": {"threshold": 5}})))

    assert [age for age, _ in rules.all_ages()] == [5, DAY]
    assert ids(rules.ages(DAY)) == ["badge-0"]


LEAVES = [ENROL, PASS, TWO_POSTS, THREE_POSTS, TWO_A_MINUTE, A_DAY]
WRITTEN = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.builds(
        lambda name, criteria: {name: criteria},
        st.sampled_from(["all_of", "any_of"]),
        st.lists(inner, min_size=1, max_size=3),
    ),
    max_leaves=8,
)
HELD = st.lists(st.sampled_from(LEAVES), max_size=6)


def by_truth_table(written: dict[str, Any], held: list[dict[str, Any]]) -> bool:
    ((name, inner),) = written.items()
    if name == "all_of":
        return all(by_truth_table(each, held) for each in inner)
    if name == "any_of":
        return any(by_truth_table(each, held) for each in inner)
    return written in held or (written == TWO_POSTS and THREE_POSTS in held)


def facts_in_which(held: list[dict[str, Any]]) -> Facts:
    posts = 3 if THREE_POSTS in held else 2 if TWO_POSTS in held else 0
    found = {
        Kind.ENROLLED: [counted(1, "40")] if ENROL in held else [],
        Kind.PASSED: [counted(2, "40")] if PASS in held else [],
        Kind.POST: [counted(n, f"p{n}") for n in range(posts)],
        Kind.CONNECTED: [counted(n, f"c{n}") for n in range(2)] if TWO_A_MINUTE in held else [],
    }
    return Facts(at(2 * DAY), found, BEGINNING if A_DAY in held else None)


@tried
@given(WRITTEN, HELD)
def test_a_group_holds_as_its_truth_table_says(written: dict[str, Any], held: list[dict[str, Any]]) -> None:
    judgement = criterion_of(written).judge(facts_in_which(held))

    assert isinstance(judgement, Holds) == by_truth_table(written, held)


@tried
@given(WRITTEN)
def test_a_group_is_what_is_written(written: dict[str, Any]) -> None:
    assert as_written(criterion_of(written)) == written


def as_written(wanted: Criterion) -> dict[str, Any]:
    if isinstance(wanted, AllOf | AnyOf):
        name = "all_of" if isinstance(wanted, AllOf) else "any_of"
        return {name: [as_written(each) for each in wanted.criteria]}
    return next(each for each in LEAVES if criterion_of(each) == wanted)
