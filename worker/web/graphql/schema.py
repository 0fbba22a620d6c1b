"""The schema: two queries, nothing to change anything (S0-42), and limits on what may be asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import strawberry
import structlog
from graphql import GraphQLError, ValueNode
from strawberry.extensions import AddValidationRules, MaxTokensLimiter, ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext
from strawberry.types.arguments import StrawberryArgumentAnnotation

from worker.browsing import NotAllowed, WrongArgument
from worker.catalogue import BadgeSortKey, BadgeStatus, Selection
from worker.errors import TransientError
from worker.web.graphql import types
from worker.web.graphql.limits import Limits
from worker.web.graphql.reading import Reader, Wanted

log = structlog.get_logger(__name__)
T = TypeVar("T")

FORBIDDEN = "FORBIDDEN"
MOST_TOKENS = 2000
_KEPT = 256  # queries, parsed and validated
Info = strawberry.Info[Reader, None]


def _said(description: str) -> StrawberryArgumentAnnotation:
    return strawberry.argument(description=description)


# The seed's words, with its slips of the pen mended.
UserContextId = Annotated[
    strawberry.ID | None,
    _said("The user context ID. If omitted, the user context from the API request will be used."),
]
BadgeId = Annotated[strawberry.ID | None, _said("The badge entity ID.")]
Status = Annotated[BadgeStatus | None, _said("The earning status of the badge.")]
After = Annotated[
    types.Cursor | None,
    _said("Returns the elements that come after the specified cursor. Needs first."),
]
Before = Annotated[
    types.Cursor | None,
    _said(
        "Returns results that come before the specified cursor. Should be used together with last parameter. "
        "Cannot be used if after is set."
    ),
]
First = Annotated[
    int | None,
    _said(
        "Returns up to the first N elements from the list. Required if after parameter is set. "
        "Cannot be used together with last."
    ),
]
Last = Annotated[
    int | None,
    _said(
        "Returns up to the last N elements from the list. Required if before parameter is set. "
        "Cannot be used together with first."
    ),
]
Reverse = Annotated[bool | None, _said("Allows to change the order of the sorting to DESC.")]
SortKey = Annotated[
    BadgeSortKey | None,
    _said(
        "Sort the underlying list by the given key. By default badges will be sorted by the creation date."
    ),
]


def _get_badge(
    info: Info, badge_id: BadgeId = strawberry.UNSET, user_context_id: UserContextId = strawberry.UNSET
) -> types.Badge | None:
    """Return one badge; null if it is unknown (X-07)."""
    wanted = _given(badge_id)
    if wanted is None:
        raise types.bad_input("badgeId: missing; the id of a badge, please")
    return _answered(lambda: info.context.badge(_given(user_context_id), wanted))


def _get_badges(
    info: Info,
    user_context_id: UserContextId = strawberry.UNSET,
    status: Status = strawberry.UNSET,
    after: After = strawberry.UNSET,
    before: Before = strawberry.UNSET,
    first: First = strawberry.UNSET,
    last: Last = strawberry.UNSET,
    reverse: Reverse = strawberry.UNSET,
    sort_key: SortKey = strawberry.UNSET,
) -> types.BadgeConnection:
    """Return one page of badges (S0-24)."""
    selection = Selection(_given(status), _given(sort_key) or BadgeSortKey.CREATED, bool(_given(reverse)))
    wanted = Wanted(selection, _given(first), _given(last), _given(after), _given(before))
    return _answered(lambda: info.context.page(_given(user_context_id), wanted))


@strawberry.type
class Query:
    """The queries of seed 000."""

    get_badge: types.Badge | None = strawberry.field(
        resolver=_get_badge, description="This query is used to retrieve a single badge information."
    )
    get_badges: types.BadgeConnection = strawberry.field(
        resolver=_get_badges,
        description="This query is used to retrieve the full badges list available.",
    )


def _given(value: T | None) -> T | None:
    """Return an argument; one that is left out is as good as null."""
    return None if value is strawberry.UNSET else value


def _answered(ask: Callable[[], T]) -> T:
    """Turn what browsing refuses into errors with a code (contract.md section 5)."""
    try:
        return ask()
    except WrongArgument as error:
        raise types.bad_input(str(error)) from error
    except NotAllowed as error:
        raise GraphQLError(str(error), extensions={"code": FORBIDDEN}) from error


class BadgeSchema(strawberry.Schema):
    """Gives every error a code, and says nothing of what went wrong inside but in the log."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Log what should not have happened."""
        del execution_context  # the query may hold anything
        for error in errors:
            if is_internal(error):
                log.error("graphql.failed", path=error.path, exc_info=error.original_error)


def is_internal(error: GraphQLError) -> bool:
    """Return whether it is none of the caller's: an exception that no resolver meant to raise."""
    original = error.original_error
    expected = isinstance(original, (GraphQLError, TransientError)) or is_unreadable(error)
    return original is not None and not expected


def is_unreadable(error: GraphQLError) -> bool:
    """Return whether it tells of a value in the query that Python refuses, such as one of 5,000 digits."""
    values = [isinstance(node, ValueNode) for node in error.nodes or ()]
    return error.path is None and any(values) and isinstance(error.original_error, ValueError)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise types.bad_input("a cursor is text")
    return value


def make_schema() -> BadgeSchema:
    """Return the schema; queries are parsed and validated once."""
    cursor = strawberry.scalar(
        name="Cursor", description="A place in a list of badges, opaque.", serialize=str, parse_value=_text
    )
    rules = AddValidationRules([Limits])
    return BadgeSchema(
        query=Query,
        types=[types.MediaImage],
        config=StrawberryConfig(scalar_map={types.Cursor: cursor}),
        extensions=[
            lambda: MaxTokensLimiter(MOST_TOKENS),
            lambda: rules,
            lambda: ParserCache(maxsize=_KEPT),
            lambda: ValidationCache(maxsize=_KEPT),
        ],
    )
