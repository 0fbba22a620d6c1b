"""What an operator may write: every problem with its place, and what would be right (contract.md 4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.story import tried
from tests.unit.rules.written import (
    A_MAPPING,
    A_RATE,
    A_TIME,
    A_URL,
    BADGE,
    IDS,
    ISSUER,
    MISSING,
    about_issuer,
    issued,
    problems,
    without_missing,
)
from worker.rules.definitions import (
    Badge,
    Definitions,
    Evidence,
    Expiry,
    Issuer,
    IssueTo,
    RateLimit,
    read_definitions,
)

BADGECLASS_OR_TEMPLATE = "a badgeclass (at Badgr) or a template (at Credly), please, and not both"
CREDLY = {"provider": "credly", "url": "https://api.credly.com/v1", "organization": "3978643a"}


def at_credly(**issue: str) -> dict[str, Any]:
    badge = BADGE | {"issue": {"issuer": "partner", **issue}}
    return {"issuers": {"academy": ISSUER, "partner": CREDLY}, "badges": {"b": badge}}


def test_a_badge_goes_to_credly_by_its_template() -> None:
    definitions, found = read_definitions(at_credly(template="t1"))

    issue = definitions.badges["b"].issue
    partner = definitions.issuers["partner"]
    assert found == []
    assert issue is not None
    assert (issue.target, issue.needs_names, issue.field) == ("t1", True, "template")
    assert (partner.organization, partner.most_per_call, partner.field) == ("3978643a", 1, "template")


def test_a_badge_goes_to_badgr_by_its_badge_class() -> None:
    issue = IssueTo(issuer="academy", badgeclass="c1")

    assert (issue.target, issue.needs_names, issue.field) == ("c1", False, "badgeclass")
    assert Issuer.model_validate(ISSUER).most_per_call == 50


@pytest.mark.parametrize(
    ("issue", "place", "text"),
    [
        pytest.param(
            {"badgeclass": "c1"}, "badgeclass", "a badge of a credly issuer has a template", id="its-field"
        ),
        pytest.param(
            {"issuer": "academy", "template": "t1"},
            "template",
            "a badge of a badgr issuer has a badgeclass",
            id="the-others-field",
        ),
        pytest.param({}, "", BADGECLASS_OR_TEMPLATE, id="neither"),
        pytest.param({"badgeclass": "c1", "template": "t1"}, "", BADGECLASS_OR_TEMPLATE, id="both"),
    ],
)
def test_a_badge_says_what_it_is_at_its_own_provider(issue: dict[str, str], place: str, text: str) -> None:
    assert problems(at_credly(**issue)) == {f"badges.b.issue.{place}".removesuffix("."): text}


def test_evidence_at_credly_has_a_url() -> None:
    document = at_credly(template="t1")
    document["badges"]["b"]["evidence"] = [{"url": "https://example.org/e"}, {"narrative": "only words"}]

    assert problems(document) == {"badges.b.evidence.1.url": "missing: Credly takes no evidence without one"}


def test_two_badges_do_not_share_a_template() -> None:
    document = at_credly(template="t1")
    document["badges"]["c"] = document["badges"]["b"]

    assert problems(document) == {"badges.c.issue.template": "badge b has this one already"}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (CREDLY | {"organization": MISSING}, "missing: the id of your organization at Credly, please"),
        ({"organization": "3978643a"}, "only a credly issuer has one"),
    ],
)
def test_only_credly_issuers_name_an_organization(fields: dict[str, Any], text: str) -> None:
    assert about_issuer(**fields) == {"organization": text}


@pytest.mark.parametrize(
    ("written", "model"),
    [
        pytest.param({"issuer": "academy", "badgeclass": "c1"}, IssueTo, id="badge-class"),
        pytest.param({"issuer": "partner", "template": "t1"}, IssueTo, id="template"),
    ],
)
def test_what_is_stored_has_only_the_fields_of_its_provider(
    written: dict[str, str], model: type[IssueTo]
) -> None:
    assert model.model_validate(written).model_dump(mode="json") == written


def test_a_stored_badgr_issuer_can_be_read_by_a_release_without_credly() -> None:
    assert "organization" not in Issuer.model_validate(ISSUER).model_dump(mode="json")


def test_the_contracts_example_is_right() -> None:
    everything = {
        "issue": {"issuer": "academy", "badgeclass": "K829IK8RS6ercwkpeFOn-Q"},
        "narrative": "*Well* done",
        "evidence": [{"url": "https://example.org/e", "narrative": "what"}, {"narrative": "only words"}],
        "expires": {"amount": 2, "duration": "years"},
        "notify": True,
        "status": "disabled",
    }
    academy = ISSUER | {"rate_limit": "20/30s", "settle_after": "90.5s"}
    networker = BADGE | {"criteria": {"social_connection": {"threshold": 10, "period": 604800}}}

    definitions, found = read_definitions(
        {
            "issuers": {"academy": academy},
            "badges": {"networker": networker, "first-steps": BADGE | everything},
        }
    )

    assert found == []
    assert definitions.issuers["academy"].rate_limit == RateLimit(20, 30.0)
    assert definitions.issuers["academy"].settle_after == 90.5
    first = definitions.badges["first-steps"]
    assert first.issue == IssueTo(issuer="academy", badgeclass="K829IK8RS6ercwkpeFOn-Q")
    assert first.evidence == (
        Evidence(url="https://example.org/e", narrative="what"),
        Evidence(narrative="only words"),
    )
    assert first.expires == Expiry(amount=2, duration="years")
    assert (first.narrative, first.notify, first.published) == ("*Well* done", True, False)


def test_what_is_left_out_has_the_contracts_defaults() -> None:
    definitions, found = read_definitions({"issuers": {"academy": ISSUER}, "badges": {"b": BADGE}})
    badge, issuer = definitions.badges["b"], definitions.issuers["academy"]

    assert found == []
    assert (badge.issue, badge.narrative, badge.evidence, badge.expires) == (None, None, (), None)
    assert (badge.notify, badge.published) == (False, True)
    assert (issuer.rate_limit, issuer.settle_after) == (RateLimit(100, 60.0), 60.0)


@pytest.mark.parametrize(
    ("document", "found"),
    [
        pytest.param(None, {"": "a mapping with `issuers` and `badges`, please"}, id="empty-file"),
        pytest.param([], {"": "a mapping with `issuers` and `badges`, please"}, id="list"),
        pytest.param({}, {"badges": IDS}, id="no-badges"),
        pytest.param({"badges": {}}, {}, id="no-issuers-are-fine"),
        pytest.param({"badges": [BADGE]}, {"badges": IDS}, id="badges-as-list"),
        pytest.param({"badges": {}, "issuers": 7}, {"issuers": IDS}, id="issuers-as-number"),
        pytest.param(
            {"badges": {}, "badge": {}}, {"badge": "unknown; the file has `issuers` and `badges`"}, id="typo"
        ),
        pytest.param({"badges": {"b": None}}, {"badges.b": A_MAPPING}, id="a-badge-without-fields"),
        pytest.param(
            {"badges": {}, "issuers": {"i": "x"}}, {"issuers.i": A_MAPPING}, id="issuer-without-fields"
        ),
        pytest.param(
            {"badges": {40: BADGE, "40": BADGE}},
            {"badges.40": "twice here, as a number and as text; rename one"},
            id="one-id-as-number-and-text",
        ),
        pytest.param({"badges": {40: BADGE}}, {}, id="a-number-is-an-id"),
    ],
)
def test_a_document_has_these_problems(document: object, found: dict[str, str]) -> None:
    assert problems(document) == found


@pytest.mark.parametrize("badge_id", ["", " a", "a b", "-a", "a/b", "ä", "a\n", "x" * 256])
def test_an_odd_badge_id_is_refused(badge_id: str) -> None:
    assert problems({"badges": {badge_id: BADGE}})[f"badges.{badge_id}"].startswith("an id like ")


@pytest.mark.parametrize("issuer_id", ["", "Academy", "a.b", "-a", "a\n", "x" * 64])
def test_an_odd_issuer_id_is_refused(issuer_id: str) -> None:
    found = problems({"badges": {}, "issuers": {issuer_id: ISSUER}})

    assert found[f"issuers.{issuer_id}"].startswith("an id like ")


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        pytest.param({"provider": MISSING}, {"provider": "missing"}, id="no-provider"),
        pytest.param({"url": MISSING}, {"url": "missing"}, id="no-url"),
        pytest.param({"url": "api.badgr.io"}, {"url": A_URL}, id="url-without-scheme"),
        pytest.param({"rate_limit": 100}, {"rate_limit": A_RATE}, id="rate-as-number"),
        pytest.param({"rate_limit": "100/60"}, {"rate_limit": A_RATE}, id="rate-without-unit"),
        pytest.param({"rate_limit": "0/60s"}, {"rate_limit": A_RATE}, id="no-calls"),
        pytest.param({"rate_limit": "100/0s"}, {"rate_limit": A_RATE}, id="no-window"),
        pytest.param({"rate_limit": "1e9/60s"}, {"rate_limit": A_RATE}, id="rate-with-exponent"),
        pytest.param({"rate_limit": "100/60s\n"}, {"rate_limit": A_RATE}, id="rate-with-line-end"),
        pytest.param({"settle_after": 60}, {"settle_after": A_TIME}, id="settle-as-number"),
        pytest.param({"settle_after": "1m"}, {"settle_after": A_TIME}, id="settle-in-minutes"),
        pytest.param(
            {"settle_after": "0s"}, {"settle_after": "Input should be greater than 0"}, id="settle-at-once"
        ),
        pytest.param({"timeout": "-1s"}, {"timeout": A_TIME}, id="timeout-negative"),
        pytest.param({"timeout": True}, {"timeout": A_TIME}, id="timeout-true"),
        pytest.param({"timeout": "9" * 400 + "s"}, {"timeout": A_TIME}, id="timeout-endless"),
        pytest.param({"timeout": "120.1s"}, {"timeout": "at most 120s, please"}, id="timeout-too-long"),
        pytest.param({"timeout": "120s"}, {}, id="timeout-just-short-enough"),
        pytest.param({"password": "x"}, {"password": "unknown field"}, id="secrets-do-not-stand-here"),
    ],
)
def test_an_issuer_has_these_problems(fields: dict[str, Any], found: dict[str, str]) -> None:
    assert about_issuer(**fields) == found


def test_two_badges_on_one_badge_class_are_refused() -> None:
    badges = {"one": issued(), "two": issued(), "three": issued(badgeclass="c2"), "four": issued()}

    assert problems({"issuers": {"academy": ISSUER}, "badges": badges}) == {
        "badges.two.issue.badgeclass": "badge one has this one already",
        "badges.four.issue.badgeclass": "badge one has this one already",
    }


def test_two_issuers_may_name_their_badge_classes_alike() -> None:
    issuers = {"academy": ISSUER, "school": ISSUER}
    badges = {"one": issued("academy"), "two": issued("school")}

    assert problems({"issuers": issuers, "badges": badges}) == {}


@pytest.mark.parametrize(
    ("issuers", "known"),
    [
        pytest.param(MISSING, "none", id="no-issuers"),
        pytest.param({}, "none", id="none"),
        pytest.param({"school": ISSUER, "partner": ISSUER}, "school, partner", id="others"),
    ],
)
def test_a_badge_of_an_unknown_issuer_is_refused(issuers: object, known: str) -> None:
    document = without_missing({"issuers": issuers, "badges": {"b": issued("academy")}})

    assert problems(document) == {"badges.b.issue.issuer": f"no issuer academy here; known: {known}"}


def test_an_issuer_that_is_broken_is_not_called_unknown() -> None:
    document = {"issuers": {"academy": {**ISSUER, "url": "x"}}, "badges": {"b": issued("academy")}}

    assert problems(document) == {"issuers.academy.url": A_URL}


def test_an_issuer_whose_id_is_a_number_is_found() -> None:
    assert problems({"issuers": {7: ISSUER}, "badges": {"b": issued("7")}}) == {}


def test_two_issuers_with_one_name_in_the_environment_are_refused() -> None:
    issuers = {"my-school": ISSUER, "my_school": ISSUER, "myschool": ISSUER}

    assert problems({"issuers": issuers, "badges": {}}) == {
        "issuers.my_school": "reads the same credentials as issuer my-school; rename one"
    }


def test_what_is_right_is_read_though_something_else_is_wrong() -> None:
    document = {"issuers": {"academy": ISSUER}, "badges": {"good": BADGE, "bad": {}}}

    definitions, found = read_definitions(document)

    assert set(definitions.badges) == {"good"}
    assert {problem.path[1] for problem in found} == {"bad"}


def test_no_document_at_all_defines_nothing() -> None:
    assert read_definitions("badges")[0] == Definitions({}, {})


@tried
@given(
    st.integers(1, 10**9 - 1),
    st.decimals("0.000000001", 999999999, places=9),
    st.decimals("0.000000001", 999999999, places=9),
)
def test_an_issuer_that_was_stored_is_read_again(calls: int, window: object, settle: object) -> None:
    fields = {"rate_limit": f"{calls}/{window:f}s", "settle_after": f"{settle:f}s"}
    issuer = Issuer.model_validate(ISSUER | fields)

    stored = issuer.model_dump(mode="json")

    assert Issuer.model_validate(stored) == issuer


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({}, id="least"),
        pytest.param({"expires": {"amount": 2, "duration": "months"}, "notify": True}, id="expiry"),
        pytest.param({"evidence": [{"narrative": "x"}], "status": "disabled"}, id="evidence"),
        pytest.param({"criteria": {"lp_passed": {"learning_path_id": 40}}}, id="number-as-path"),
    ],
)
def test_a_badge_that_was_stored_is_read_again(fields: dict[str, Any]) -> None:
    badge = Badge.model_validate(BADGE | fields)

    assert Badge.model_validate(badge.model_dump(mode="json")) == badge
