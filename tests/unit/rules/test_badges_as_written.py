"""What an operator may write of one badge (contract.md section 4), field by field."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.rules.written import (
    A_MAPPING,
    A_NUMBER,
    A_STRING,
    A_URL,
    MISSING,
    NOT_EMPTY,
    ONE_OF,
    about_badge,
)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param({"title": MISSING}, {"title": "missing"}, id="no-title"),
        pytest.param({"title": ""}, {"title": NOT_EMPTY}, id="empty-title"),
        pytest.param({"title": 7}, {"title": A_STRING}, id="number-as-title"),
        pytest.param({"picture": MISSING}, {"picture": "missing"}, id="no-picture"),
        pytest.param({"picture": "first.png"}, {"picture": A_URL}, id="picture-without-host"),
        pytest.param({"picture": "ftp://example.org/p"}, {"picture": A_URL}, id="picture-elsewhere"),
        pytest.param({"narrative": ""}, {"narrative": NOT_EMPTY}, id="empty-narrative"),
        pytest.param({"evidence": {"url": "https://x"}}, {"evidence": "a list, please"}, id="one-evidence"),
        pytest.param({"evidence": [{}]}, {"evidence.0": "a url or a narrative, please"}, id="no-evidence"),
        pytest.param(
            {"evidence": [{"narrative": "x"}, {"url": "x"}]}, {"evidence.1.url": A_URL}, id="second-evidence"
        ),
        pytest.param({"notify": 1}, {"notify": "Input should be a valid boolean"}, id="notify-number"),
        pytest.param({"notify": "yes"}, {"notify": "Input should be a valid boolean"}, id="notify-text"),
        pytest.param(
            {"status": "draft"}, {"status": "Input should be 'published' or 'disabled'"}, id="status"
        ),
        pytest.param({"colour": "red"}, {"colour": "unknown field"}, id="unknown-field"),
        pytest.param({"expires": "2 years"}, {"expires": A_MAPPING}, id="expiry-as-text"),
        pytest.param(
            {"expires": {"amount": True, "duration": "days"}}, {"expires.amount": A_NUMBER}, id="expiry-true"
        ),
        pytest.param(
            {"expires": {"amount": 0, "duration": "days"}},
            {"expires.amount": "Input should be greater than 0"},
            id="expiry-nought",
        ),
        pytest.param(
            {"expires": {"amount": 1, "duration": "day"}},
            {"expires.duration": "Input should be 'days', 'weeks', 'months' or 'years'"},
            id="expiry-in-the-singular",
        ),
        pytest.param(
            {"issue": {"badgeclass": 7}},
            {"issue.issuer": "missing", "issue.badgeclass": A_STRING},
            id="issue-names-both",
        ),
        pytest.param(
            {"title": 7, "picture": 7, "colour": 7},
            {"title": A_STRING, "picture": A_STRING, "colour": "unknown field"},
            id="all-at-once",
        ),
    ],
)
def test_a_badge_has_these_problems(fields: dict[str, Any], found: dict[str, str]) -> None:
    assert about_badge(**fields) == found


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        pytest.param(MISSING, {"criteria": "missing"}, id="none"),
        pytest.param(None, {"criteria": A_MAPPING}, id="null"),
        pytest.param([], {"criteria": A_MAPPING}, id="list"),
        pytest.param({}, {"criteria": f"exactly one criterion, please: one of {ONE_OF}"}, id="empty"),
        pytest.param(
            {"lp_enroll": {"learning_path_id": "40"}, "lp_complete": {"learning_path_id": "40"}},
            {"criteria": f"exactly one criterion, please: one of {ONE_OF}"},
            id="two",
        ),
        pytest.param(
            {"lp_enrol": {"learning_path_id": "40"}},
            {"criteria.lp_enrol": f"unknown criterion; one of {ONE_OF}, please"},
            id="unknown",
        ),
        pytest.param({"lp_enroll": None}, {"criteria.lp_enroll": A_MAPPING}, id="without-fields"),
        pytest.param({"lp_passed": {}}, {"criteria.lp_passed.learning_path_id": "missing"}, id="no-path"),
        pytest.param(
            {"lp_passed": {"learning_path_id": True}},
            {"criteria.lp_passed.learning_path_id": A_STRING},
            id="path-true",
        ),
        pytest.param(
            {"social_engagement": {"threshold": True}},
            {"criteria.social_engagement.threshold": A_NUMBER},
            id="threshold-true",
        ),
        pytest.param(
            {"social_engagement": {"threshold": 0}},
            {"criteria.social_engagement.threshold": "Input should be greater than 0"},
            id="threshold-nought",
        ),
        pytest.param(
            {"social_connection": {"threshold": -3}},
            {"criteria.social_connection.threshold": "Input should be greater than 0"},
            id="threshold-negative",
        ),
        pytest.param(
            {"social_connection": {"threshold": 3.0}},
            {"criteria.social_connection.threshold": A_NUMBER},
            id="threshold-float",
        ),
        pytest.param(
            {"registered_for": {"threshold": "86400"}},
            {"criteria.registered_for.threshold": A_NUMBER},
            id="threshold-text",
        ),
        pytest.param(
            {"registered_for": {"threshold": 315360000000}},
            {"criteria.registered_for.threshold": "Input should be less than 59918400000"},
            id="ten-years-in-milliseconds",
        ),
        pytest.param(
            {"social_connection": {"threshold": 3, "period": 0}},
            {"criteria.social_connection.period": "Input should be greater than 0"},
            id="period-nought",
        ),
        pytest.param(
            {"social_connection": {"threshold": 2.5, "period": True, "count_mode": "live"}},
            {
                "criteria.social_connection.threshold": A_NUMBER,
                "criteria.social_connection.period": A_NUMBER,
                "criteria.social_connection.count_mode": "unknown field",
            },
            id="all-at-once",
        ),
    ],
)
def test_criteria_have_these_problems(criteria: object, found: dict[str, str]) -> None:
    assert about_badge(criteria=criteria) == found


LEAF: dict[str, Any] = {"lp_enroll": {"learning_path_id": "40"}}
A_LIST = "a list of one criterion or more, please"


def nested(depth: int) -> dict[str, Any]:
    written = LEAF
    for number in range(depth):
        written = {"any_of" if number % 2 else "all_of": [written]}
    return written


@pytest.mark.parametrize(
    ("criteria", "found"),
    [
        pytest.param({"all_of": [LEAF, {"any_of": [LEAF]}]}, {}, id="one-within-the-other"),
        pytest.param({"all_of": []}, {"criteria.all_of": A_LIST}, id="empty"),
        pytest.param({"any_of": None}, {"criteria.any_of": A_LIST}, id="null"),
        pytest.param({"any_of": LEAF}, {"criteria.any_of": A_LIST}, id="a-mapping"),
        pytest.param({"all_of": "lp_enroll"}, {"criteria.all_of": A_LIST}, id="text"),
        pytest.param({"all_of": [LEAF, 7]}, {"criteria.all_of.1": A_MAPPING}, id="a-number-in-it"),
        pytest.param(
            {"all_of": [LEAF | {"any_of": [LEAF]}]},
            {"criteria.all_of.0": f"exactly one criterion, please: one of {ONE_OF}"},
            id="two-in-one",
        ),
        pytest.param(
            {"any_of": [LEAF, {"all_off": [LEAF]}]},
            {"criteria.any_of.1.all_off": f"unknown criterion; one of {ONE_OF}, please"},
            id="unknown",
        ),
        pytest.param(
            {"any_of": [{40: LEAF}]},
            {"criteria.any_of.0.40": f"unknown criterion; one of {ONE_OF}, please"},
            id="a-number-as-name",
        ),
        pytest.param(
            {"all_of": [{"lp_enroll": {}}, {"any_of": [LEAF, {"social_engagement": {"threshold": 0}}]}]},
            {
                "criteria.all_of.0.lp_enroll.learning_path_id": "missing",
                "criteria.all_of.1.any_of.1.social_engagement.threshold": "Input should be greater than 0",
            },
            id="several-at-once",
        ),
        pytest.param(nested(8), {}, id="eight-deep"),
        pytest.param(
            nested(9),
            {
                "criteria" + ".all_of.0.any_of.0" * 4 + ".all_of": (
                    "nested too deep; at most 8 of all_of and any_of in each other, please"
                )
            },
            id="nine-deep",
        ),
        pytest.param({"any_of": [LEAF] * 64}, {}, id="sixty-four"),
        pytest.param(
            {"any_of": [{"all_of": [LEAF] * 32}, {"all_of": [LEAF] * 32}, LEAF]},
            {"criteria": "too many criteria; at most 64 in one badge, please"},
            id="sixty-five",
        ),
    ],
)
def test_criteria_that_are_put_together_have_these_problems(
    criteria: dict[str, Any], found: dict[str, str]
) -> None:
    assert about_badge(criteria=criteria) == found


@pytest.mark.parametrize(
    "inmost", [LEAF, {"lp_enrol": {}}, {"all_of": []}], ids=["right", "unknown", "empty"]
)
def test_many_criteria_in_few_words_are_refused_at_once(inmost: dict[str, Any]) -> None:
    """As YAML's aliases write them: 10^7 criteria in seven lists of ten."""
    written: dict[str, Any] = inmost
    for _ in range(7):
        written = {"all_of": [written] * 10}

    found = about_badge(criteria=written)

    assert found["criteria"] == "too many criteria; at most 64 in one badge, please"
    assert len(found) < 1000
