"""How much one query may ask for: how deep, how many values, how many pages.

Counted before anything is read. A page counts as the largest one unless its size is written out, since a
variable may say anything; a fragment counts wherever it is used.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
)

from worker.catalogue import MOST
from worker.web.graphql.types import BAD_USER_INPUT

DEEPEST = 16
MOST_QUERIES = 10  # pages or single badges of one request
MOST_VALUES = 10_000
_ENDLESS = 10**9  # where counting stops
_PAGES = "getBadges"
_QUERIES = {"getBadge", _PAGES}
_NOTATION = "earned"
_WRITING = 20  # values that a time in a notation of the caller's counts as, which takes so much longer
_DIGITS = 9  # of a number that is looked at: Python itself refuses some thousands
_PARTS = 2  # of a composite: few have many


class Size(NamedTuple):
    """What a selection asks for."""

    depth: int
    values: int
    queries: int

    def beside(self, other: Size) -> Size:
        """Return the size of both."""
        return Size(
            max(self.depth, other.depth),
            min(self.values + other.values, _ENDLESS),
            min(self.queries + other.queries, _ENDLESS),
        )


_NOTHING = Size(0, 0, 0)


class Limits(ValidationRule):
    """Refuses operations that ask for more."""

    def __init__(self, context: ValidationContext) -> None:
        super().__init__(context)
        self._fragments: dict[tuple[str, int], Size] = {}
        self._within: set[str] = set()

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        """Measure one operation."""
        size = self._selected(node.selection_set, MOST)
        for what, value, most in (
            ("levels deep", size.depth, DEEPEST),
            ("values", size.values, MOST_VALUES),
            ("queries", size.queries, MOST_QUERIES),
        ):
            if value > most:
                self.report_error(
                    GraphQLError(
                        f"asks for too much: at most {most} {what}, please",
                        node,
                        extensions={"code": BAD_USER_INPUT},
                    )
                )

    def _selected(self, selection_set: SelectionSetNode | None, page: int) -> Size:
        """Measure a selection within a page of this size."""
        total = _NOTHING
        for selection in selection_set.selections if selection_set else ():
            if isinstance(selection, FieldNode):
                total = total.beside(self._of_field(selection, page))
            elif isinstance(selection, InlineFragmentNode):
                total = total.beside(self._selected(selection.selection_set, page))
            elif isinstance(selection, FragmentSpreadNode):
                total = total.beside(self._of_fragment(selection.name.value, page))
        return total

    def _of_field(self, node: FieldNode, page: int) -> Size:
        name = node.name.value
        if name.startswith("__"):
            return Size(1, 1, 0)  # what is asked about the schema itself has a rule of its own
        inside = self._selected(node.selection_set, _size_of(node) if name == _PAGES else page)
        times = page if name == "edges" else _PARTS if name == "criteria" else 1
        itself = _WRITING if name == _NOTATION and node.arguments else 1
        values = min(itself + inside.values * times, _ENDLESS)
        return Size(inside.depth + 1, values, inside.queries + (name in _QUERIES))

    def _of_fragment(self, name: str, page: int) -> Size:
        """Measure a fragment once; one within itself is for another rule to refuse."""
        if (name, page) not in self._fragments:
            fragment = self.context.get_fragment(name)
            if name in self._within or not isinstance(fragment, FragmentDefinitionNode):
                return _NOTHING
            self._within.add(name)
            self._fragments[name, page] = self._selected(fragment.selection_set, page)
            self._within.discard(name)
        return self._fragments[name, page]


def _size_of(pages: FieldNode) -> int:
    """Return the size that is written out, or that of the largest page."""
    for argument in pages.arguments or ():
        if argument.name.value in {"first", "last"} and isinstance(argument.value, IntValueNode):
            written = argument.value.value
            return min(max(int(written), 1), MOST) if len(written) <= _DIGITS else MOST
    return MOST
