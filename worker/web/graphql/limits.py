"""How much one query may ask for: how deep, how many values, how many pages.

Counted before anything is read. A list of a page counts as a whole page, whatever `first` says, since a
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
    OperationDefinitionNode,
    SelectionSetNode,
    ValidationContext,
    ValidationRule,
)

from worker.browsing import MOST

DEEPEST = 16
MOST_QUERIES = 10  # pages or single badges of one request
MOST_VALUES = 10_000
_ENDLESS = 10**9  # where counting stops
_LIST = "edges"


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
        self._fragments: dict[str, Size] = {}
        self._within: set[str] = set()

    def enter_operation_definition(self, node: OperationDefinitionNode, *_: Any) -> None:
        """Measure one operation."""
        size = self._selected(node.selection_set)
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
                        extensions={"code": "BAD_USER_INPUT"},
                    )
                )

    def _selected(self, selection_set: SelectionSetNode | None) -> Size:
        total = _NOTHING
        for selection in selection_set.selections if selection_set else ():
            if isinstance(selection, FieldNode):
                total = total.beside(self._of_field(selection))
            elif isinstance(selection, InlineFragmentNode):
                total = total.beside(self._selected(selection.selection_set))
            elif isinstance(selection, FragmentSpreadNode):
                total = total.beside(self._of_fragment(selection.name.value))
        return total

    def _of_field(self, node: FieldNode) -> Size:
        if node.name.value.startswith("__"):
            return Size(1, 1, 0)  # what is asked about the schema itself has a rule of its own
        inside = self._selected(node.selection_set)
        times = MOST if node.name.value == _LIST else 1
        query = int(node.name.value in {"getBadge", "getBadges"})
        return Size(inside.depth + 1, min(1 + inside.values * times, _ENDLESS), inside.queries + query)

    def _of_fragment(self, name: str) -> Size:
        """Measure a fragment once; one within itself is for another rule to refuse."""
        if name not in self._fragments:
            fragment = self.context.get_fragment(name)
            if name in self._within or not isinstance(fragment, FragmentDefinitionNode):
                return _NOTHING
            self._within.add(name)
            self._fragments[name] = self._selected(fragment.selection_set)
            self._within.discard(name)
        return self._fragments[name]
