"""What a list is asked for: filters and the order (S2-02 to S2-17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date

SORT_KEYS = ("badges_count", "created_at", "name", "updated_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class TemplateFilter:
    """Which templates: everything given must hold (S2-02); of several values of one field, any.

    `name` matches a part of the name, `exact_name` the whole one (S2-04). Dates are inclusive (S2-10 to 13).
    """

    query: str | None = None
    name: str | None = None
    exact_name: str | None = None
    public: bool | None = None
    reporting_tags: Sequence[str] = ()
    recommendation_ids: Sequence[str] = ()
    skills: Sequence[str] = ()
    state: Sequence[str] = ()
    created_at_min: date | None = None
    created_at_max: date | None = None
    updated_at_min: date | None = None
    updated_at_max: date | None = None
    owner_id: Sequence[str] = ()
    collection_id: Sequence[str] = ()

    def pairs(self) -> list[tuple[str, str]]:
        """Return key and value of what is asked for; raises ConfigurationError for what cannot be said."""
        if self.name is not None and self.exact_name is not None:
            raise ConfigurationError("name and exact_name: one of the two, please")
        exact = None if self.exact_name is None else f'"{self.exact_name}"'
        public = None if self.public is None else str(self.public).lower()
        texts = (("query", self.query), ("name", self.name if exact is None else exact), ("public", public))
        lists = ("reporting_tags", "recommendation_ids", "skills", "state")
        dates = ("created_at_min", "created_at_max", "updated_at_min", "updated_at_max")
        owners = ("owner_id", "collection_id")
        return [
            *((key, value) for key, value in texts if value is not None),
            *((key, _listed(key, getattr(self, key))) for key in lists if getattr(self, key)),
            *((key, f"{getattr(self, key):%Y-%m-%d}") for key in dates if getattr(self, key) is not None),
            *((key, _listed(key, getattr(self, key))) for key in owners if getattr(self, key)),
        ]


def filter_query(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the query parameter of a filter: ``key::value``, joined with ``|`` (S2-02)."""
    parts = []
    for key, value in pairs:
        if not fits(value):
            raise ConfigurationError(f"{key}: the API has no way to write a | in a filter")
        parts.append(f"{key}::{value}")
    return [("filter", "|".join(parts))] if parts else []


def fits(value: str) -> bool:
    """Say whether a value can stand in a filter."""
    return "|" not in value


def sort_query(keys: Sequence[str], known: Sequence[str]) -> list[tuple[str, str]]:
    """Return the query parameter of an order: keys joined with ``|``, a ``-`` before those that fall."""
    for key in keys:
        if key.removeprefix("-") not in known:
            raise ConfigurationError(f"sort: {key} is unknown; one of {', '.join(known)}, please")
    return [("sort", "|".join(keys))] if keys else []


def _listed(key: str, values: Sequence[str]) -> str:
    for value in values:
        if "," in value:
            raise ConfigurationError(f"{key}: the API has no way to write a comma in a list")
    return ",".join(values)
