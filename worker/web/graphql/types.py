"""The types of the schema, to the letter of seed 000 and contract.md section 5, plus one union member.

Texts of the fields are the seed's.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from enum import Enum
from typing import Annotated, NewType

import strawberry
from graphql import GraphQLError

from worker.catalogue import BadgeSortKey, BadgeStatus
from worker.web.graphql.php_dates import DEFAULT, php_date

BAD_USER_INPUT = "BAD_USER_INPUT"
_LONGEST_NOTATION = 64  # characters: a date and a time with escaped words between them

Cursor = NewType("Cursor", str)
STATUS = strawberry.enum(BadgeStatus, description="How the user stands with a badge.")
SORT_KEY = strawberry.enum(BadgeSortKey, description="What badges are sorted by; ties are settled by id.")


@strawberry.type(description="A picture.")
class MediaImage:
    """A picture (S0-04)."""

    url: str


@strawberry.type(description="Represents criteria for badge earning by Learning Path accomplishment.")
class BadgeEarningCriteriaLpComplete:
    """S0-09."""

    learning_path_id: strawberry.ID = strawberry.field(
        description="The Learning Path ID required to accomplish."
    )


@strawberry.type(
    description="Represents criteria for badge earning by successful Learning Path accomplishment."
)
class BadgeEarningCriteriaLpPassed:
    """S0-10."""

    learning_path_id: strawberry.ID = strawberry.field(
        description="The Learning Path ID required to successfully accomplish."
    )


@strawberry.type(description="Represents criteria for badge earning by Learning Path enrollment.")
class BadgeEarningCriteriaLpEnroll:
    """S0-11."""

    learning_path_id: strawberry.ID = strawberry.field(
        description="The Learning Path ID required for enrollment."
    )


@strawberry.type(
    description="Represents criteria for badge earning by reaching the required number of established social "
    "connections."
)
class BadgeEarningCriteriaSocialConnection:
    """S0-12 to S0-14."""

    threshold: int = strawberry.field(description="The number of connections required to be established.")
    current_threshold: int = strawberry.field(
        description="The number of social connections already established; with a period, in the period that "
        "ends now."
    )
    period: int | None = strawberry.field(
        description="Optional period parameter. If specified, the badge can be earned only if the threshold "
        "has been reached within the number of seconds defined by this period."
    )


@strawberry.type(
    description="Represents criteria for badge earning based on the total number of social posts created."
)
class BadgeEarningCriteriaSocialEngagement:
    """S0-15 and S0-16."""

    threshold: int = strawberry.field(description="The number of social posts required to be created.")
    current_threshold: int = strawberry.field(description="The number of social posts already created.")


@strawberry.type(
    description="Represents criteria for badge earning based on the time since the user's registration."
)
class BadgeEarningCriteriaRegisteredFor:
    """S0-17 and S0-18."""

    threshold: int = strawberry.field(
        description="The number of seconds that the account is required to have existed."
    )
    current_threshold: int = strawberry.field(
        description="The number of seconds that the account has existed."
    )


@strawberry.enum(description="How the criteria of a composite are put together.")
class BadgeEarningCriteriaRule(Enum):
    """Beyond the seed."""

    ALL_OF = "ALL_OF"
    ANY_OF = "ANY_OF"


@strawberry.type(description="Represents criteria that are put together from others.")
class BadgeEarningCriteriaComposite:
    """The one member beyond the seed: `all_of` and `any_of` of contract.md section 4."""

    rule: BadgeEarningCriteriaRule = strawberry.field(description="Whether all or any of them must hold.")
    criteria: list[BadgeEarningCriteria] = strawberry.field(description="The criteria, in the order written.")


BadgeEarningCriteria = Annotated[
    BadgeEarningCriteriaLpComplete
    | BadgeEarningCriteriaLpPassed
    | BadgeEarningCriteriaLpEnroll
    | BadgeEarningCriteriaSocialConnection
    | BadgeEarningCriteriaSocialEngagement
    | BadgeEarningCriteriaRegisteredFor
    | BadgeEarningCriteriaComposite,
    strawberry.union(
        "BadgeEarningCriteria",
        description="A union of available criteria types that describes a condition for badge earning.",
    ),
]


def _earned(root: strawberry.Parent[Badge], format: str | None = strawberry.UNSET) -> str | None:  # noqa: A002 # the seed's name
    """Write the earning time in PHP's notation (S0-06)."""
    if root.earned_at is None:
        return ""
    notation = DEFAULT if format is None or format is strawberry.UNSET else format
    if len(notation) > _LONGEST_NOTATION:
        raise bad_input(f"format: at most {_LONGEST_NOTATION} characters, please")
    return php_date(notation, root.earned_at, root.zone)


@strawberry.type(description="An achievement object that might be earned by user.")
class Badge:
    """S0-01 to S0-07."""

    id: strawberry.ID = strawberry.field(description="The Badge entity ID.")
    title: str = strawberry.field(description="The title of the Badge.")
    picture: MediaImage = strawberry.field(description="MediaImage object representing the Badge picture.")
    status: BadgeStatus = strawberry.field(description="The status of the badge.")
    earned: str | None = strawberry.field(
        resolver=_earned,
        description="A string showing the badge earning time, formatted according to the optional format "
        "argument (default: d/m/Y). Empty if the badge status is not EARNED.",
    )
    earning_criteria: BadgeEarningCriteria = strawberry.field(
        description="An earning criteria definition for the badge."
    )
    earned_at: strawberry.Private[datetime | None]
    zone: strawberry.Private[tzinfo]


@strawberry.type(description="A badge with its place in the list.")
class BadgeEdge:
    """One badge of a page."""

    cursor: Cursor
    node: Badge


@strawberry.type(description="What lies around a page.")
class PageInfo:
    """Facts section 3.2."""

    has_next_page: bool
    has_previous_page: bool
    start_cursor: Cursor | None
    end_cursor: Cursor | None


@strawberry.type(description="A page of badges.")
class BadgeConnection:
    """One page, and how many badges there are in all."""

    edges: list[BadgeEdge]
    page_info: PageInfo
    total_items: int


def bad_input(message: str) -> GraphQLError:
    """Return the error that tells of a wrong argument."""
    return GraphQLError(message, extensions={"code": BAD_USER_INPUT})
