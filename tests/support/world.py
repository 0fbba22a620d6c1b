"""Ground and a provider whose books are compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.support.ground import ISSUER, Ground, now
from tests.support.outbox import admit, make_due
from worker.adapters.database.reconciling import Books
from worker.adapters.memory_provider import MemoryProvider
from worker.adapters.permits import MemoryPermits, RateLimit
from worker.awards import Assertion
from worker.comparison import Comparison
from worker.issuing import IssuerConnection, Issuing
from worker.reconciling import Reconciling
from worker.revoking import Revoking
from worker.rules.definitions import Badge, Issuer

CLASS = "class-40"


class World:
    """Ground and a provider that hold each other's books."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.provider = MemoryProvider()
        self.books = Books(ground.engine)
        self.permits = MemoryPermits({"academy": RateLimit(calls=1000, window=1, deadline=30)})

    def issue(self) -> None:
        """Send whatever is due."""
        database = self.ground.database

        def definition(badge_id: str) -> Badge:
            return Badge.model_validate(database.badge(badge_id))

        issuer = Issuer.model_validate(ISSUER)
        connection = IssuerConnection("academy", issuer, self.provider, definition, now)
        make_due(self.ground)
        for call in admit(self.ground):
            if call.revoke:
                Revoking(database, self.permits, "academy", self.provider, 30.0).revoke(call.lease_id)
            else:
                issuing = Issuing(database, self.permits, connection)
                (issuing.settle if call.settle else issuing.issue)(call.lease_id)

    def compare(self, *, fix: bool = False, full: bool = False) -> Comparison:
        return Reconciling(self.books, self.provider, "academy", fix=fix).compare(full=full)

    def found(self, **how: bool) -> list[tuple[str, str | None, bool]]:
        """Return what a comparison finds: which difference, whose, and whether it was mended."""
        report = self.compare(**how)
        assert report.problems == []
        return [(each.kind.value, each.user_id, each.mended) for each in report.differences]

    @property
    def adas(self) -> Assertion:
        """Return Ada's first assertion."""
        return next(each for each in self.there if each.recipient == "ada@example.org")

    @property
    def there(self) -> list[Assertion]:
        return list(self.provider.assertions(CLASS))

    def held(self, name: str, user: str = "ada", badgeclass: str = CLASS, **facts: Any) -> Assertion:
        """Let somebody over there award a badge."""
        made = Assertion(name, f"https://x/{name}", f"{user}@example.org", now())
        made = replace(made, **facts)
        self.provider.hold(badgeclass, made)
        return made

    def move(self, badgeclass: str) -> None:
        """Let the badge have another badge class from now on."""
        with self.ground.database.change() as rules:
            state = rules.begin()
            (badge,) = rules.badges()
            issue = {"issuer": "academy", "badgeclass": badgeclass}
            moved = replace(badge, definition={**badge.definition, "issue": issue}, version=state.version + 1)
            rules.save_badge(moved, "published", "academy")
