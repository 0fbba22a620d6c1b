"""The arguments of a page: two modes that exclude each other, `first` with `after` and `last` with `before`.

The rules and their order are those of the connections that Opigno's are a port of (facts section 3.2).
"""

from __future__ import annotations

from worker.browsing import WrongArgument
from worker.catalogue import MOST, Cut
from worker.web.graphql.cursors import Cursors


def cut_of(
    cursors: Cursors, first: int | None, last: int | None, after: str | None, before: str | None
) -> Cut:
    """Return the part that is asked for; raises WrongArgument saying what does not go together."""
    _check(first, last, after, before)
    _check_size("first", first)
    _check_size("last", last)
    if last is not None:
        return Cut(last, from_back=True, beyond=None if before is None else cursors.read(before))
    return Cut(MOST if first is None else first, beyond=None if after is None else cursors.read(after))


def _check(first: int | None, last: int | None, after: str | None, before: str | None) -> None:
    conflicts = (
        (first is not None and last is not None, "providing both first and last is not supported"),
        (after is not None and before is not None, "providing both after and before is not supported"),
        (first is not None and before is not None, "using first with before is not supported"),
        (last is not None and after is not None, "using last with after is not supported"),
        (after is not None and first is None, "first is required when after is provided"),
        (before is not None and last is None, "last is required when before is provided"),
    )
    for conflicting, message in conflicts:
        if conflicting:
            raise WrongArgument(message)


def _check_size(name: str, count: int | None) -> None:
    if count is None:
        return
    if count <= 0:
        raise WrongArgument(f"{name} must be a positive integer when provided")
    if count > MOST:
        raise WrongArgument(f"{name} may not be larger than {MOST}")
