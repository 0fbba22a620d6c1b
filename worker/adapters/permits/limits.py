"""How many calls an issuer takes, and for how long one of them keeps its place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

# The provider's clock and Redis's may run at slightly different speeds (NTP slews by up to 500 ppm).
_DRIFT = 0.0005
_MARGIN = 0.005


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`calls` in any `window` seconds, counted on arrival; no call takes longer than `deadline` s (S3-03)."""

    calls: int
    window: float
    deadline: float

    @property
    def kept(self) -> float:
        """Seconds for which a permit is kept after its answer: the window and a small margin."""
        return self.window * (1 + _DRIFT) + _MARGIN

    @property
    def held(self) -> float:
        """Seconds for which a permit is kept when no answer is ever reported: its holder may have died."""
        return self.kept + self.deadline


def limit_of(limits: Mapping[str, RateLimit], issuer: str) -> RateLimit:
    """Return the issuer's limit; raises ConfigurationError for an issuer that has none."""
    limit = limits.get(issuer)
    if limit is None:
        raise ConfigurationError(f"issuer {issuer}: unknown here, so no rate limit and no calls")
    return limit
