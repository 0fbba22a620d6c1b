"""The worker's merging and rules against the oracle, which keeps every event and counts nothing ahead."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from examples.replay import replay
from tests.unit.rules.story import BEGINNING, NOW, Story, body, met, parted, tried
from worker.activities import Kind
from worker.rules.criteria import criterion_of

SECONDS = st.integers(0, 12)
PEOPLE = ["a", "b", "c", "d"]
PAIRS = st.lists(st.sampled_from(PEOPLE), min_size=2, max_size=2, unique=True)
POSTS, PATHS = st.sampled_from("xyz"), st.sampled_from(["40", "41"])
SCORES = st.none() | st.integers(0, 2)


def of_user(what: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda seconds, user_id, **data: body(what, seconds, user_id=user_id, **data),
        SECONDS,
        st.sampled_from(PEOPLE),
        **fields,
    )


PROFILE = {
    "scope": st.sampled_from([None, None, "AUTHENTICATED", "ANONYMOUS"]),
    "is_active": st.sampled_from([None, None, True, False]),
}
EVENTS = st.one_of(
    st.builds(lambda seconds, pair: met(seconds, *pair), SECONDS, PAIRS),
    st.builds(lambda seconds, pair: met(seconds, *pair), SECONDS, PAIRS),
    st.builds(lambda seconds, pair: parted(seconds, *pair), SECONDS, PAIRS),
    of_user("post.created", post_id=POSTS),
    of_user("post.deleted", post_id=POSTS),
    of_user("learning_path.enrolled", learning_path_id=PATHS),
    of_user("learning_path.unenrolled", learning_path_id=PATHS),
    of_user(
        "learning_path.completed",
        learning_path_id=PATHS,
        passed=st.none() | st.booleans(),
        score=SCORES,
        required_score=SCORES,
    ),
    of_user("user.registered", **PROFILE),
    of_user("user.updated", **PROFILE),
    of_user("user.blocked"),
    of_user("user.unblocked"),
    of_user("user.deleted"),
)
CRITERIA: dict[str, dict[str, Any]] = {
    "enrolled": {"lp_enroll": {"learning_path_id": 40}},
    "completed": {"lp_complete": {"learning_path_id": "40"}},
    "passed": {"lp_passed": {"learning_path_id": "40"}},
    "one": {"social_connection": {"threshold": 1}},
    "two": {"social_connection": {"threshold": 2}},
    "two-at-once": {"social_connection": {"threshold": 2, "period": 1}},
    "two-soon": {"social_connection": {"threshold": 2, "period": 4}},
    "three-soon": {"social_connection": {"threshold": 3, "period": 6}},
    "posts": {"social_engagement": {"threshold": 2}},
    "old": {"registered_for": {"threshold": 5}},
    "far-too-old": {"registered_for": {"threshold": 31 * 86400}},
    "both": {"all_of": [{"lp_enroll": {"learning_path_id": 40}}, {"social_engagement": {"threshold": 1}}]},
    "either": {"any_of": [{"lp_passed": {"learning_path_id": 41}}, {"social_connection": {"threshold": 2}}]},
    "nested": {
        "all_of": [
            {"any_of": [{"registered_for": {"threshold": 5}}, {"social_engagement": {"threshold": 2}}]},
            {
                "any_of": [
                    {"social_connection": {"threshold": 2, "period": 4}},
                    {"lp_complete": {"learning_path_id": 40}},
                ]
            },
        ]
    },
}
DEFINITIONS = {"badges": {badge_id: {"criteria": wanted} for badge_id, wanted in CRITERIA.items()}}


def earned_by_the_rules(story: Story) -> dict[tuple[str, str], float]:
    found = {}
    for badge_id, wanted in CRITERIA.items():
        for user_id in PEOPLE:
            moment = story.earned(criterion_of(wanted), user_id)
            if moment is not None:
                found[user_id, badge_id] = moment
    return found


@tried
@given(st.lists(EVENTS, max_size=25))
def test_the_rules_award_what_the_oracle_awards(bodies: list[bytes]) -> None:
    by_the_oracle = {
        pair: (award.earned_at - BEGINNING).total_seconds()
        for pair, award in replay(DEFINITIONS, bodies, NOW).awards.items()
    }

    assert earned_by_the_rules(Story(bodies)) == by_the_oracle


@tried
@given(st.lists(EVENTS, max_size=25), st.data())
def test_counts_are_the_oracles_in_any_order(bodies: list[bytes], data: st.DataObject) -> None:
    story = Story(data.draw(st.permutations(bodies)))

    counts = {(user_id, kind.value): story.count(kind, user_id) for user_id in PEOPLE for kind in Kind}

    assert {key: value for key, value in counts.items() if value} == replay(
        {"badges": {}}, bodies, NOW
    ).counts


@tried
@given(st.lists(EVENTS, max_size=20), st.data())
def test_repeated_and_shuffled_deliveries_award_the_same(bodies: list[bytes], data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(bodies), max_size=8)) if bodies else []
    delivered = data.draw(st.permutations([*bodies, *again]))

    assert earned_by_the_rules(Story(delivered)) == earned_by_the_rules(Story(bodies))


def test_the_examples_reach_every_type_of_event() -> None:
    seen: set[str] = set()

    @tried
    @given(EVENTS)
    def look(raw: bytes) -> None:
        seen.add(json.loads(raw)["type"])

    look()

    assert len(seen) == 12
