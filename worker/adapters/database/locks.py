"""Advisory locks of PostgreSQL. On SQLite the one writer is every lock."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class AdvisoryLock:
    """A lock on a number, held until the transaction ends."""

    number: int

    def share(self, connection: Connection) -> None:
        """Hold it together with others who share it."""
        self._take(connection, "pg_advisory_xact_lock_shared")

    def exclude(self, connection: Connection) -> None:
        """Hold it alone."""
        self._take(connection, "pg_advisory_xact_lock")

    def _take(self, connection: Connection, function: str) -> None:
        if connection.dialect.name != "sqlite":
            connection.execute(text(f"SELECT {function}(:number)"), {"number": self.number})


# First in the lock order (design.md section 1). Shared by whoever decides, alone to whoever changes the rules
# or moves the clock.
RULES = AdvisoryLock(0x62616467_00000001)
# Held alone while migrations run.
MIGRATION = AdvisoryLock(0x62616467_00000002)
