"""The schema: what is written in docs/schema.graphql, and what the contract says of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import GraphQLUnionType, build_schema, print_type

from worker.web.graphql.schema import make_schema

WRITTEN = Path(__file__).parents[3] / "docs" / "schema.graphql"
# contract.md section 5 and seed 000, without descriptions
LETTER = {
    "Cursor": "scalar Cursor",
    "BadgeStatus": "enum BadgeStatus { EARNED NOT_EARNED }",
    "BadgeSortKey": "enum BadgeSortKey { CREATED TITLE }",
    "MediaImage": "type MediaImage { url: String! }",
    "BadgeEdge": "type BadgeEdge { cursor: Cursor! node: Badge! }",
    "PageInfo": (
        "type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! "
        "startCursor: Cursor endCursor: Cursor }"
    ),
    "BadgeConnection": ("type BadgeConnection { edges: [BadgeEdge!]! pageInfo: PageInfo! totalItems: Int! }"),
    "Badge": (
        "type Badge { id: ID! title: String! picture: MediaImage! status: BadgeStatus! "
        "earned(format: String): String earningCriteria: BadgeEarningCriteria! }"
    ),
    "BadgeEarningCriteriaLpComplete": "type BadgeEarningCriteriaLpComplete { learningPathId: ID! }",
    "BadgeEarningCriteriaLpPassed": "type BadgeEarningCriteriaLpPassed { learningPathId: ID! }",
    "BadgeEarningCriteriaLpEnroll": "type BadgeEarningCriteriaLpEnroll { learningPathId: ID! }",
    "BadgeEarningCriteriaSocialConnection": (
        "type BadgeEarningCriteriaSocialConnection { threshold: Int! currentThreshold: Int! period: Int }"
    ),
    "BadgeEarningCriteriaSocialEngagement": (
        "type BadgeEarningCriteriaSocialEngagement { threshold: Int! currentThreshold: Int! }"
    ),
    "BadgeEarningCriteriaRegisteredFor": (
        "type BadgeEarningCriteriaRegisteredFor { threshold: Int! currentThreshold: Int! }"
    ),
    "Query": (
        "type Query { getBadge(badgeId: ID, userContextId: ID): Badge "
        "getBadges(userContextId: ID, status: BadgeStatus, after: Cursor, before: Cursor, first: Int, "
        "last: Int, reverse: Boolean, sortKey: BadgeSortKey): BadgeConnection! }"
    ),
}


def test_the_schema_is_the_one_that_is_written() -> None:
    assert make_schema().as_str() + "\n" == WRITTEN.read_text()


@pytest.mark.parametrize("name", LETTER)
def test_the_type_is_to_the_letter(name: str) -> None:
    schema = build_schema(WRITTEN.read_text())
    wanted = build_schema("\n".join(LETTER.values()) + "\nunion BadgeEarningCriteria = MediaImage")

    found, letter = schema.type_map[name], wanted.type_map[name]
    for each in (found, letter):
        strip(each)

    assert print_type(found) == print_type(letter)


def strip(described: object) -> None:
    """Take the descriptions out of a type."""
    described.description = None  # type: ignore[attr-defined]
    for field in {**getattr(described, "fields", {}), **getattr(described, "values", {})}.values():
        field.description = None
        for argument in getattr(field, "args", {}).values():
            argument.description = None


def test_the_union_has_the_six_of_the_seed_and_one_more() -> None:
    union = build_schema(WRITTEN.read_text()).type_map["BadgeEarningCriteria"]

    assert isinstance(union, GraphQLUnionType)
    assert {each.name for each in union.types} == {
        name for name in LETTER if name.startswith("BadgeEarningCriteria")
    } | {"BadgeEarningCriteriaComposite"}


def test_nothing_can_be_changed() -> None:
    schema = build_schema(WRITTEN.read_text())

    assert (schema.mutation_type, schema.subscription_type) == (None, None)
