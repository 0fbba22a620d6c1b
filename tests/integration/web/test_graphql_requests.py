"""What GraphQL answers to requests that are broken, too large or too curious, over HTTP on each database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from tests.support.bodies import registered
from tests.support.graphql_site import TOKEN, Site, served
from tests.support.ground import Statements, badge
from worker.web.graphql import endpoint
from worker.web.graphql.endpoint import LARGEST

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Opigno-Client-UUID": "uuid-ada"}
WHOLE_PAGE = """
query ($status: BadgeStatus) { getBadges(first: 20, status: $status) {
  totalItems pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  edges { cursor node {
    id title picture { url } status earned(format: "Y-m-d") earningCriteria { __typename
      ... on BadgeEarningCriteriaLpComplete { learningPathId }
      ... on BadgeEarningCriteriaLpPassed { learningPathId }
      ... on BadgeEarningCriteriaLpEnroll { learningPathId }
      ... on BadgeEarningCriteriaSocialConnection { threshold currentThreshold period }
      ... on BadgeEarningCriteriaSocialEngagement { threshold currentThreshold }
      ... on BadgeEarningCriteriaRegisteredFor { threshold currentThreshold }
      ... on BadgeEarningCriteriaComposite { rule criteria { __typename } }
    } } } } }
"""
CRITERIA: list[dict[str, Any]] = [
    {"lp_enroll": {"learning_path_id": "40"}},
    {"lp_complete": {"learning_path_id": "40"}},
    {"lp_passed": {"learning_path_id": "40"}},
    {"social_connection": {"threshold": 2}},
    {"social_connection": {"threshold": 2, "period": 86400}},
    {"social_engagement": {"threshold": 2}},
    {"registered_for": {"threshold": 3600}},
    {"all_of": [{"social_engagement": {"threshold": 2}}, {"lp_enroll": {"learning_path_id": "40"}}]},
]


@pytest.fixture(scope="module")
def site(lasting_site: Site) -> Site:
    """Forty badges of all kinds; Ada is there."""
    lasting_site.ground.apply(
        **{f"badge-{number:02}": badge(CRITERIA[number % len(CRITERIA)]) for number in range(40)}
    )
    lasting_site.ground.ingest(registered(0, "ada", uuid="uuid-ada"))
    return lasting_site


def sent(site: Site, content: bytes, content_type: str = "application/json") -> httpx.Response:
    """Send a body as it is."""
    headers = {**HEADERS, "Content-Type": content_type}
    return site.client.post("/graphql", content=content, headers=headers)


@pytest.mark.parametrize("first", [1, 20, 40])
def test_a_page_is_a_fixed_number_of_statements_however_many_badges(site: Site, first: int) -> None:
    query = WHOLE_PAGE.replace("first: 20", f"first: {first}")
    site.ask(query, "uuid-ada")

    with Statements(site.services.badge_shelf.engine) as statements:
        data = site.ask(query, "uuid-ada")

    assert len(data["getBadges"]["edges"]) == first
    windows = first > 1 and site.ground.engine.dialect.name == "sqlite"  # PostgreSQL counts them along
    assert len(statements.without("BEGIN")) == 1 + windows


@pytest.mark.parametrize("status", ["EARNED", "NOT_EARNED"])
def test_a_page_of_one_status_costs_no_more(site: Site, status: str) -> None:
    with Statements(site.services.badge_shelf.engine) as statements:
        site.ask(WHOLE_PAGE, "uuid-ada", status=status)

    assert len(statements.without("BEGIN")) <= 2


def test_changed_rules_are_read_once(site: Site) -> None:
    site.ground.apply(**{f"badge-{number:02}": badge(CRITERIA[0]) for number in range(39)})
    with Statements(site.services.badge_shelf.engine) as statements:
        first = site.page("uuid-ada")
        again = site.page("uuid-ada")

    assert first["totalItems"] == again["totalItems"] == 39
    assert len([each for each in statements.texts if "FROM badges" in each]) == 1
    site.ground.apply(**{f"badge-{number:02}": badge(CRITERIA[number % 8]) for number in range(40)})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(b"{", 400, id="no-json"),
        pytest.param(b"\xff", 400, id="no-text"),
        pytest.param(b"[]", 400, id="a-list"),
        pytest.param(b"{}", 400, id="no-query"),
        pytest.param(b'{"query": ""}', 400, id="empty-query"),
        pytest.param(b'{"query": 5}', 400, id="query-is-a-number"),
        pytest.param(b'{"query": "{ __typename }", "variables": []}', 400, id="variables-are-a-list"),
        pytest.param(b'{"query": "{ __typename }", "operationName": 5}', 400, id="operation-is-a-number"),
        pytest.param(b'{"query": "{ __typename }", "operationName": "Other"}', 400, id="no-such-operation"),
        pytest.param(b"[" * 60_000, 400, id="nested-too-deeply"),
        pytest.param(b'{"query": "' + b" " * LARGEST + b'"}', 413, id="too-large"),
    ],
)
def test_what_is_no_request_is_refused(site: Site, body: bytes, status: int) -> None:
    answer = sent(site, body)

    assert answer.status_code == status
    assert answer.json()["errors"][0]["extensions"] == {"code": "BAD_REQUEST"}


def test_a_form_is_no_request(site: Site) -> None:
    answer = sent(site, b'{"query": "{ __typename }"}', "application/x-www-form-urlencoded")

    assert answer.status_code == 415


def test_an_empty_operation_name_is_none(site: Site) -> None:
    answer = sent(site, json.dumps({"query": "{ __typename }", "operationName": ""}).encode())

    assert answer.json() == {"data": {"__typename": "Query"}}


def test_only_an_operator_who_wants_it_gets_the_explorer(site: Site) -> None:
    assert site.client.get("/graphql").status_code == 405


FRAGMENTS = " ".join(f"fragment F{n} on Badge {{ ...F{n + 1} ...F{n + 1} }}" for n in range(40))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param("{", "GRAPHQL_PARSE_FAILED", id="no-graphql"),
        pytest.param("{ wrong }", "GRAPHQL_VALIDATION_FAILED", id="no-such-field"),
        pytest.param("mutation { award }", "GRAPHQL_VALIDATION_FAILED", id="nothing-can-be-changed"),
        pytest.param('{ getBadges(first: "x") { totalItems } }', "BAD_USER_INPUT", id="first-is-text"),
        pytest.param("{ getBadges(first: 3000000000) { totalItems } }", "BAD_USER_INPUT", id="no-int"),
        pytest.param(
            f"{{ getBadges(first: {'9' * 5000}) {{ totalItems }} }}",
            "BAD_USER_INPUT",
            id="thousands-of-digits",
        ),
        pytest.param("{ getBadges(status: WON) { totalItems } }", "BAD_USER_INPUT", id="no-such-status"),
        pytest.param("{ getBadges(sortKey: AGE) { totalItems } }", "BAD_USER_INPUT", id="no-such-order"),
        pytest.param("{ getBadges(size: 3) { totalItems } }", "BAD_USER_INPUT", id="no-such-argument"),
        pytest.param(
            "{ getBadges(first: 1, after: 5) { totalItems } }", "BAD_USER_INPUT", id="cursor-number"
        ),
        pytest.param("{ getBadge { id } }", "BAD_USER_INPUT", id="no-badge-id"),
        pytest.param("{ getBadge(badgeId: null) { id } }", "BAD_USER_INPUT", id="badge-id-is-null"),
        pytest.param(
            "{ " + " ".join(f"n{n}: getBadges(first: 1) {{ totalItems }}" for n in range(11)) + " }",
            "BAD_USER_INPUT",
            id="too-many-pages",
        ),
        pytest.param(
            "{ getBadges { edges { node { " + " ".join(f"n{n}: title" for n in range(101)) + " } } } }",
            "BAD_USER_INPUT",
            id="too-many-values",
        ),
        pytest.param(
            "{ getBadge(badgeId: 1) { earningCriteria { "
            + "... on BadgeEarningCriteriaComposite { criteria { " * 16
            + "__typename"
            + " } }" * 16
            + " } } }",
            "BAD_USER_INPUT",
            id="too-deep",
        ),
        pytest.param(
            "{ getBadges { edges { node { ...F0 } } } } "
            + FRAGMENTS
            + " fragment F40 on Badge { a: title b: title }",
            "BAD_USER_INPUT",
            id="fragments-that-double",
        ),
        pytest.param("{ " + "__typename " * 2001 + "}", "GRAPHQL_PARSE_FAILED", id="too-long"),
    ],
)
def test_what_is_asked_wrongly_is_an_error_with_a_code(site: Site, query: str, code: str) -> None:
    answer = site.post(query, "uuid-ada")

    assert answer.status_code == 200, answer.text
    errors = answer.json()["errors"]
    assert {error["extensions"]["code"] for error in errors} == {code}
    assert answer.json()["data"] is None or answer.json()["data"] == {"getBadge": None}


@pytest.mark.parametrize(
    ("variables", "declared"),
    [
        pytest.param({"first": "x"}, "$first: Int", id="text"),
        pytest.param({"first": 2**31}, "$first: Int", id="too-large"),
        pytest.param({}, "$first: Int!", id="missing"),
    ],
)
def test_a_wrong_variable_is_an_error_with_a_code(
    site: Site, variables: dict[str, Any], declared: str
) -> None:
    query = f"query ({declared}) {{ getBadges(first: $first) {{ totalItems }} }}"

    code, message = site.refusal(query, "uuid-ada", **variables)

    assert (code, "$first" in message) == ("BAD_USER_INPUT", True)


def test_null_is_as_good_as_nothing(site: Site) -> None:
    arguments = ", ".join(
        f"{name}: null"
        for name in "userContextId status after before first last reverse sortKey".split()  # noqa: SIM905 # as in the schema
    )

    assert site.page("uuid-ada", arguments) == site.page("uuid-ada")


@pytest.mark.parametrize("uuid", [None, ""])
def test_who_forgets_to_say_for_whom_is_told_which_header_is_missing(site: Site, uuid: str | None) -> None:
    answer = site.post("{ getBadges { totalItems } }", uuid)

    assert answer.status_code == 403
    assert answer.json()["errors"][0]["message"] == "the header Opigno-Client-UUID is missing"


def test_an_unknown_badge_is_null(site: Site) -> None:
    assert site.ask('{ getBadge(badgeId: "nothing") { id } }', "uuid-ada") == {"getBadge": None}


@pytest.mark.parametrize("user_id", ["\0", "\ud800", "x" * 300, "nobody"])
def test_nobody_is_told_as_such(site: Site, user_id: str) -> None:
    site.ground.ingest(registered(0, "root", uuid="uuid-root", scope="ADMINISTRATOR"))

    code, message = site.refusal(
        "query ($id: ID) { getBadges(userContextId: $id) { totalItems } }", "uuid-root", id=user_id
    )

    assert (code, message) == ("BAD_USER_INPUT", "userContextId: there is no such user")


def test_a_standard_introspection_is_answered(site: Site) -> None:
    from graphql import build_client_schema, get_introspection_query, print_schema  # noqa: PLC0415 # only here

    data = site.ask(get_introspection_query(), "uuid-ada")

    assert "union BadgeEarningCriteria" in print_schema(build_client_schema(data))  # type: ignore[arg-type]


def test_a_token_that_comes_too_often_is_told_when_to_come_again(migrated_file: Path) -> None:
    with mock.patch.object(endpoint, "AT_ONCE", 2), served(f"sqlite:///{migrated_file}") as site:
        codes = [site.post("{ __typename }", "uuid-nobody").status_code for _ in range(2)]
        refused = site.post("{ __typename }", "uuid-nobody")
        stranger = site.post("{ __typename }", "uuid-nobody", token="another")

    assert codes == [403, 403]
    assert (refused.status_code, refused.json()["errors"][0]["extensions"]["code"]) == (
        429,
        "TOO_MANY_REQUESTS",
    )
    assert int(refused.headers["Retry-After"]) > 0
    assert stranger.status_code == 401
