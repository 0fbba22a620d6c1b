"""Facts: what the rules look at. All of it is passed in; nothing here reads a clock or a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from worker.activities import Kind
from worker.users import Block


class Counted(NamedTuple):
    """One live activity, and since when it counts."""

    object_id: str
    counted_at: datetime
    source: str
    event_id: str


class Facts(NamedTuple):
    """What is known of one user when a decision is made.

    `counted` holds the live activities of the kinds that were asked for, in the order of `counted_at` and
    object; `blocks` every block and unblock; `clock` is the instant up to which account ages are decided.
    """

    clock: datetime
    counted: Mapping[Kind, Sequence[Counted]] = MappingProxyType({})
    registered_at: datetime | None = None
    may_earn: bool = True
    blocks: Sequence[Block] = ()

    def of(self, kind: Kind) -> Sequence[Counted]:
        """Return the live activities of `kind`, oldest first."""
        return self.counted.get(kind, ())

    def about(self, kind: Kind, object_id: str) -> Counted | None:
        """Return the live activity of `kind` about this object."""
        for fact in self.of(kind):
            if fact.object_id == object_id:
                return fact
        return None
