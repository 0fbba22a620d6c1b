"""What one process knows for good, so that it need not ask again: users that exist, awards that were made.

Both only ever come into being: a user's row goes only when a person is forgotten, which locking notices, and
an award stays. Knowing less than there is costs a look; believing in what was not committed would lose an
award, so only what a committed transaction saw may be learned.
"""

from __future__ import annotations

from collections.abc import Iterable

# Users remembered at most: some 20 MB.
_MOST = 100_000


class Known:
    """A bounded memory; when it is full it begins anew."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._awarded: dict[str, int] = {}  # by user: one bit a badge
        self._bits: dict[str, int] = {}

    def unknown(self, user_ids: Iterable[str]) -> list[str]:
        """Return those of the users that may not exist, in their order."""
        awarded = self._awarded
        return [user_id for user_id in user_ids if user_id not in awarded]

    def is_awarded(self, user_id: str, badge_id: str) -> bool:
        """Return whether the user is known to have the badge; False says nothing."""
        bit = self._bits.get(badge_id)
        return bit is not None and bool(self._awarded.get(user_id, 0) & bit)

    def learn(self, user_ids: Iterable[str], awarded: Iterable[tuple[str, str]]) -> None:
        """Remember users that exist and (user, badge) that were awarded, all of it committed."""
        if len(self._awarded) > self._most:
            self._awarded.clear()
        for user_id in user_ids:
            self._awarded.setdefault(user_id, 0)
        for user_id, badge_id in awarded:
            bit = self._bits.setdefault(badge_id, 1 << len(self._bits))
            self._awarded[user_id] = self._awarded.get(user_id, 0) | bit

    def forget(self) -> None:
        """Begin anew: the database may not be what it was."""
        self._awarded.clear()
