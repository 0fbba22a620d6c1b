"""The log of every call, with the time at which it arrived."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from worker.sandbox.store import Store


class CallLog:
    """Calls in order of arrival. A call that is under way has no status yet."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def arrived(self, moment: float, method: str, path: str) -> int:
        """Note a call and return its number. Only the path is kept: queries hold addresses."""
        return self._store.insert("calls", time=moment, method=method, path=path)

    def admitted(self, number: int, account: str | None, *, counted: bool) -> None:
        """Note whose call it is, and whether it counts in that connection's rate limit."""
        self._store.run("UPDATE calls SET account = ?, counted = ? WHERE id = ?", account, counted, number)

    def answered(self, number: int, status: int | None, seconds: float) -> None:
        """Note how it ended; without status the connection was cut."""
        self._store.run("UPDATE calls SET status = ?, seconds = ? WHERE id = ?", status, seconds, number)

    def counted_since(self, moment: float) -> list[tuple[str, float]]:
        """Return account and time of the calls that a rate limit still has to count."""
        rows = self._store.all(
            "SELECT account, time FROM calls WHERE time > ? AND counted = 1 AND account IS NOT NULL",
            (moment,),
        )
        return [(row["account"], row["time"]) for row in rows]

    def slice(self, since: float, after: int, limit: int) -> list[tuple[int, dict[str, Any]]]:
        """Return the next calls after number `after` that arrived at `since` or later."""
        rows = self._store.all(
            "SELECT * FROM calls WHERE id > ? AND time >= ? ORDER BY id LIMIT ?", (after, since, limit)
        )
        return [(row["id"], _shown(row)) for row in rows]


def _shown(row: Any) -> dict[str, Any]:
    return {
        "id": row["id"],
        "time": row["time"],
        "at": datetime.fromtimestamp(row["time"], UTC).isoformat(),
        "method": row["method"],
        "path": row["path"],
        "account": row["account"],
        "status": row["status"],
        "counted": bool(row["counted"]),
        "seconds": row["seconds"],
    }
