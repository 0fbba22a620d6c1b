"""Cursors: places in an order, sealed so that nobody can make one up.

The seal covers what the cursor is good for: one user's badges of one status in one order. It holds for good,
since badges that come, go or are renamed move no place; "expired" is what was made for something else (X-10).
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from functools import lru_cache

from worker.browsing import WrongArgument
from worker.catalogue import Place, Selection

_PURPOSE = b"badge-worker badge cursor 1"
_SEAL = 16  # bytes


class Cursors:
    """Makes and reads the cursors of one user's badges in one selection."""

    def __init__(self, key: bytes, user_id: str, selection: Selection) -> None:
        status = selection.status.value if selection.status else ""
        made_for = json.dumps([selection.key.value, status, user_id]).encode()
        self._key = hmac.digest(key, made_for, hashlib.sha256)

    def write(self, place: Place) -> str:
        """Return the cursor of a place."""
        body = _written(place)
        return urlsafe_b64encode(self._seal(body) + body).rstrip(b"=").decode()

    def read(self, cursor: str) -> Place:
        """Return the place; raises WrongArgument unless we wrote the cursor, for this."""
        try:
            whole = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except (UnicodeEncodeError, binascii.Error):
            raise WrongArgument("invalid cursor") from None
        seal, body = whole[:_SEAL], whole[_SEAL:]
        if not hmac.compare_digest(seal, self._seal(body)):
            raise WrongArgument("invalid cursor")
        value, badge_id = json.loads(body)
        return Place(value, badge_id)

    def _seal(self, body: bytes) -> bytes:
        return hmac.digest(self._key, body, hashlib.sha256)[:_SEAL]


@lru_cache(maxsize=4096)
def _written(place: Place) -> bytes:
    """Return what a cursor holds: the same for everybody, and so written once."""
    return json.dumps(place, separators=(",", ":"), ensure_ascii=False).encode()


def cursor_key(secret_key: str) -> bytes:
    """Return the key for cursors: what they are sealed with opens nothing else."""
    return hmac.digest(secret_key.encode(), _PURPOSE, hashlib.sha256)
