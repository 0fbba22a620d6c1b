"""What a sandbox is told when it starts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_RATE = re.compile(r"(?P<calls>\d+)/(?P<seconds>\d+(?:\.\d+)?)s?")


@dataclass(frozen=True, slots=True)
class RateLimit:
    """At most `calls` within any `seconds` for one connection (S3-03)."""

    calls: int
    seconds: float

    @classmethod
    def parse(cls, text: str) -> RateLimit:
        """Read ``100/60s``; raises ValueError."""
        match = _RATE.fullmatch(text.strip())
        if match is None or int(match["calls"]) < 1 or float(match["seconds"]) <= 0:
            raise ValueError(f"rate limit {text!r}: write calls/seconds, like 100/60s")
        return cls(int(match["calls"]), float(match["seconds"]))


@dataclass(frozen=True, slots=True)
class SeedBadgeClass:
    """A badge class that is there from the start, open to every account; `issuer` is its issuer's id."""

    id: str
    name: str
    issuer: str


@dataclass(frozen=True, slots=True)
class SeedTemplate:
    """A Credly template that is there from the start; `fields` are what differs from a plain one.

    ``collection_ids`` among them are only filtered by.
    """

    id: str
    name: str
    organization: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SandboxOptions:
    """How a sandbox behaves.

    `rate_limit` is text like ``100/60s``, or None for none. `data` is a SQLite file that survives restarts;
    without one the state is kept in memory. `public_url` stands in every URL that is answered, else the
    request's own host does. `tokens` are ready-made bearer tokens (on the Credly side authorization tokens)
    and the account each belongs to. `templates` are those of the Credly side; `people` says of addresses
    there whose they are: two of one person make a duplicate.
    `refuse_sign_in` names accounts whose credentials are wrong. `token_lifetime` is in seconds.
    `rebake_on_update` says that a changed badge class gives its assertions new images (S1-02).
    `archive_on_delete` says that DELETE archives a badge class, as the hosted service does (S1-03).
    `gap` is the time in seconds between checking an award and saving it, since the real service checks
    for duplicates without a lock (facts/badgr-api.md section 1, point 4).
    """

    rate_limit: str | None = "100/60s"
    data: Path | None = None
    badgeclasses: tuple[SeedBadgeClass, ...] | list[SeedBadgeClass] = ()
    templates: tuple[SeedTemplate, ...] | list[SeedTemplate] = ()
    people: Mapping[str, str] = field(default_factory=dict)
    public_url: str | None = None
    tokens: Mapping[str, str] = field(default_factory=dict)
    refuse_sign_in: frozenset[str] = frozenset()
    token_lifetime: int = 86400
    rebake_on_update: bool = False
    archive_on_delete: bool = False
    gap: float = 0.002

    def __post_init__(self) -> None:
        """Refuse a rate limit that cannot be read before anything starts."""
        self.limit()

    def limit(self) -> RateLimit | None:
        """Return the rate limit as numbers."""
        return None if self.rate_limit is None else RateLimit.parse(self.rate_limit)
