"""Problems of what an operator wrote: the place of each, and what would be right there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at one place of the definitions, and what would be right."""

    path: Path
    text: str


def problems_of(place: Path, error: ValidationError) -> list[Problem]:
    """Return what pydantic found wrong with what stands at a place."""
    return [Problem((*place, *detail["loc"]), _said(detail)) for detail in error.errors(include_url=False)]


_SAID = {
    "missing": "missing",
    "extra_forbidden": "unknown field",
    "model_type": "a mapping, please",
    "dict_type": "a mapping, please",
    "tuple_type": "a list, please",
}


def _said(detail: Any) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    return _SAID.get(detail["type"], str(detail["msg"]))
