"""Reading answers: one thing, one page, or page after page."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from worker.adapters.credly.errors import unreadable
from worker.errors import BadgeWorkerError, NoAnswer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from worker.adapters.badgr.http import Answer
    from worker.adapters.credly.models import Page

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

_MOST_PAGES = 10_000


def read(model: type[M], answer: Answer, what: str) -> M:
    """Read an answer; raises NoAnswer for one that cannot be read: it tells nothing.

    The library's own error is left out: it quotes what was sent.
    """
    failure: BadgeWorkerError
    try:
        return model.model_validate(answer.json())
    except ValidationError:
        failure = unreadable(what, answer)
    raise failure


def every(page: Callable[[int], Page[T]]) -> Iterator[T]:
    """Yield what stands on all pages, from the first on; raises NoAnswer for a list without an end."""
    for number in range(1, _MOST_PAGES + 1):
        found = page(number)
        yield from found.data
        if found.is_last:
            return
    raise NoAnswer("the list has no end")
