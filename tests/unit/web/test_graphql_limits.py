"""How much a query asks for, and that it is counted before anything is read."""

from __future__ import annotations

from typing import Any

import pytest

from worker.rules.criteria import MOST_DEEP
from worker.web.graphql.reading import Wanted
from worker.web.graphql.schema import is_internal, make_schema
from worker.web.graphql.types import Badge, BadgeConnection, PageInfo

SCHEMA = make_schema()
ALONE = PageInfo(has_next_page=False, has_previous_page=False, start_cursor=None, end_cursor=None)
EMPTY = BadgeConnection(edges=[], page_info=ALONE, total_items=0)


class Noting:
    """Notes what is read, of no badges at all."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def badge(self, _user: str | None, badge_id: str) -> Badge | None:
        self.read.append(badge_id)
        return None

    def page(self, _user: str | None, _wanted: Wanted) -> BadgeConnection:
        self.read.append("page")
        return EMPTY


def refused(query: str, **variables: Any) -> list[str]:
    """Return why a query is refused; nothing may have been read then."""
    reader = Noting()
    result = SCHEMA.execute_sync(query, variable_values=variables, context_value=reader)
    errors = [error.message for error in result.errors or ()]
    assert bool(reader.read) != bool(errors)
    return errors


def titles(count: int, arguments: str = "") -> str:
    fields = " ".join(f"n{number}: title" for number in range(count))
    return f"{{ getBadges{arguments} {{ edges {{ node {{ {fields} }} }} }} }}"


TOO_MANY = ["asks for too much: at most 10000 values, please"]


def test_a_page_counts_as_a_whole_one() -> None:
    assert (refused(titles(98)), refused(titles(99))) == ([], TOO_MANY)


@pytest.mark.parametrize(("times", "why"), [(4, []), (5, TOO_MANY)])
def test_a_time_in_a_notation_counts_for_what_it_takes_to_write(times: int, why: list[str]) -> None:
    assert refused(titles(times).replace("title", 'earned(format: "r")')) == why
    assert refused(titles(times * 20 - 10).replace("title", "earned")) == []


def test_a_size_of_thousands_of_digits_counts_as_a_whole_page() -> None:
    result = SCHEMA.execute_sync(titles(99, f"(first: {'9' * 5000})"), context_value=Noting())

    errors = result.errors or []
    assert TOO_MANY[0] in [error.message for error in errors]
    assert [is_internal(error) for error in errors] == [False] * len(errors)


@pytest.mark.parametrize("size", ["first: 20", "last: 20"])
def test_a_size_that_is_written_out_counts_as_such(size: str) -> None:
    assert refused(titles(300, f"({size})")) == []


def test_a_size_that_a_variable_says_counts_as_a_whole_page() -> None:
    query = titles(99, "(first: $first)").replace("{", "query ($first: Int) {", 1)

    assert refused(query, first=1) == TOO_MANY


@pytest.mark.parametrize(("times", "why"), [(24, []), (25, TOO_MANY)])
def test_a_fragment_counts_wherever_it_is_used(times: int, why: list[str]) -> None:
    edges = " ".join(f"e{number}: edges {{ node {{ ...F }} }}" for number in range(times))
    query = f"{{ getBadges {{ {edges} }} }} fragment F on Badge {{ a: title b: title c: title }}"

    assert refused(query) == why


def test_an_inline_fragment_is_no_way_around() -> None:
    query = titles(99).replace("getBadges", "... on Query { getBadges").replace("} } } }", "} } } } }")

    assert refused(query) == TOO_MANY


def test_the_deepest_badge_that_can_be_written_can_be_asked_for() -> None:
    level = "__typename ... on BadgeEarningCriteriaComposite { rule criteria { "
    deepest = level * MOST_DEEP + "__typename" + " } }" * MOST_DEEP

    assert refused(f'{{ getBadge(badgeId: "x") {{ earningCriteria {{ {deepest} }} }} }}') == []


def test_fragments_in_a_circle_are_refused_and_counted_no_more() -> None:
    circle = "fragment A on Badge { ...B } fragment B on Badge { ...A }"

    assert any("within itself" in each for each in refused('{ getBadge(badgeId: "x") { ...A } } ' + circle))


def test_a_query_of_the_same_text_is_parsed_and_validated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    query = titles(7)
    refused(query)

    def again(*_: object) -> None:
        raise AssertionError("counted again")

    monkeypatch.setattr("worker.web.graphql.limits.Limits.enter_operation_definition", again)

    assert refused(query) == []
