"""The catalogue of badge templates (S2-01, S2-32), and what of it a process remembers."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from worker.adapters.badgr.errors import went_well
from worker.adapters.credly.errors import error_of
from worker.adapters.credly.filters import SORT_KEYS, TemplateFilter, filter_query, sort_query
from worker.adapters.credly.models import Page, Single, Template
from worker.adapters.credly.reading import every, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from worker.adapters.credly.connection import Connection

_NOT_FOUND = 404
_EVERY = TemplateFilter()


class Templates:
    """The badge templates of one organization."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def page(
        self, wanted: TemplateFilter = _EVERY, sort: Sequence[str] = (), number: int = 1
    ) -> Page[Template]:
        """Return one page of the list, 50 templates at most (S2-18, S2-19).

        `sort` are keys like ``-created_at`` (S2-16); raises ConfigurationError for one that is unknown.
        """
        query = [*filter_query(wanted.pairs()), *sort_query(sort, SORT_KEYS), ("page", str(number))]
        about = f"organization {self._connection.organization}"
        answer = self._connection.call("GET", ["badge_templates"], about, query=query)
        return read(Page[Template], answer, "a list of templates")

    def all(self, wanted: TemplateFilter = _EVERY, sort: Sequence[str] = ()) -> Iterator[Template]:
        """Yield every template that is wanted, page by page, each page when it is come to."""
        yield from every(lambda number: self.page(wanted, sort, number))

    def get(self, template_id: str) -> Template | None:
        """Return one template, or None if it is not there or not ours to see (S2-32)."""
        about = f"template {template_id}"
        answer = self._connection.call("GET", ["badge_templates", template_id], about, but={_NOT_FOUND})
        if went_well(answer):
            return read(Single[Template], answer, "a template").data
        if answer.json() is None:
            raise error_of(answer, about)  # this service has no such path at all
        return None


class KnownTemplates:
    """Active templates that a process read lately, so that not every badge costs a call to read its own.

    One that was not active is asked for each time: somebody may just have activated it.
    """

    def __init__(self, seconds: float = 300.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._guard = threading.Lock()
        self._known: dict[tuple[str, str], tuple[float, Template]] = {}

    def get(self, issuer_id: str, template_id: str) -> Template | None:
        """Return a template that is remembered."""
        with self._guard:
            since, template = self._known.get((issuer_id, template_id), (0.0, None))
        return template if template is not None and self._clock() - since < self._seconds else None

    def put(self, issuer_id: str, template: Template) -> None:
        """Remember a template, unless it is not active: then forget it."""
        with self._guard:
            if template.is_active:
                self._known[issuer_id, template.id] = (self._clock(), template)
            else:
                self._known.pop((issuer_id, template.id), None)
