"""Lists: filters joined with ``|``, an order, pages of 50 (S2-02 to S2-20)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import JSONResponse, Response

from worker.sandbox.credly.answers import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from worker.sandbox.call import Call

PER_PAGE = 50

Document = dict[str, Any]


def partial(*names: str) -> Callable[[Document, str], bool]:
    """Match a part of any of these fields, whatever its case."""

    def test(document: Document, value: str) -> bool:
        return any(value.lower() in str(document.get(name) or "").lower() for name in names)

    return test


def partial_or_exact(name: str) -> Callable[[Document, str], bool]:
    """Match a part of the field, or the whole of it if the value stands in double quotes."""

    def test(document: Document, value: str) -> bool:
        if len(value) > 1 and value[0] == value[-1] == '"':
            return bool(document.get(name) == value[1:-1])
        return partial(name)(document, value)

    return test


def one_of(name: str) -> Callable[[Document, str], bool]:
    """Match a field that is one of a comma list."""

    def test(document: Document, value: str) -> bool:
        return str(document.get(name)) in value.split(",")

    return test


def any_of(read: Callable[[Document], Sequence[str]]) -> Callable[[Document, str], bool]:
    """Match if one of a document's values is in a comma list."""

    def test(document: Document, value: str) -> bool:
        return bool(set(read(document)) & set(value.split(",")))

    return test


def since(name: str) -> Callable[[Document, str], bool]:
    """Match a date, or a later one."""
    return lambda document, value: str(document[name])[:10] >= value


def until(name: str) -> Callable[[Document, str], bool]:
    """Match a date, or an earlier one."""
    return lambda document, value: str(document[name])[:10] <= value


def true_or_not(name: str) -> Callable[[Document, str], bool]:
    """Match a flag (X-37)."""
    return lambda document, value: bool(document[name]) is (value == "true")


def listed(
    call: Call,
    documents: Sequence[Document],
    filters: Mapping[str, Callable[[Document, str], bool]],
    sort_keys: Sequence[str],
    show: Callable[[Document], Document] = dict,
) -> Response:
    """Answer the page that is asked for of what passes the filters; raises Problem for an unknown key."""
    found = [each for each in documents if _passes(call, each, filters)]
    for key in reversed(_sort(call, sort_keys)):
        name = key.removeprefix("-")
        found.sort(key=_by(name), reverse=key.startswith("-"))
    number = _number(call)
    shown = found[(number - 1) * PER_PAGE : number * PER_PAGE]
    data = [show(each) for each in shown]
    return JSONResponse({"data": data, "metadata": _metadata(call, number, len(data), len(found))})


def _by(name: str) -> Callable[[Document], Any]:
    """Return how documents are ordered by a field; counts are numbers, all others text or missing."""
    return lambda document: document[name] if name == "badges_count" else document.get(name) or ""


def _passes(call: Call, document: Document, filters: Mapping[str, Callable[[Document, str], bool]]) -> bool:
    for part in filter(None, call.request.query_params.get("filter", "").split("|")):
        key, _, value = part.partition("::")
        if key not in filters:
            raise invalid(f"Unknown filter: {key}")
        if not filters[key](document, value):
            return False
    return True


def _sort(call: Call, keys: Sequence[str]) -> list[str]:
    wanted = list(filter(None, call.request.query_params.get("sort", "").split("|")))
    for key in wanted:
        if key.removeprefix("-") not in keys:
            raise invalid(f"Unknown sort key: {key}")
    return wanted


def _number(call: Call) -> int:
    number = call.request.query_params.get("page", "1")
    return max(1, int(number)) if number.isdecimal() else 1


def _metadata(call: Call, number: int, count: int, total: int) -> Document:
    pages = max(1, -(-total // PER_PAGE))
    return {
        "count": count,
        "current_page": number,
        "total_count": total,
        "total_pages": pages,
        "per": PER_PAGE,
        "previous_page_url": _url(call, number - 1) if number > 1 else None,
        "next_page_url": _url(call, number + 1) if number < pages else None,
    }


def _url(call: Call, number: int) -> str:
    kept = [(name, value) for name, value in call.request.query_params.multi_items() if name != "page"]
    return f"{call.base}{call.request.url.path}?{urlencode([*kept, ('page', str(number))])}"
