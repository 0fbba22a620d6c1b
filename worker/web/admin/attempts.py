"""Signing in takes patience: whoever guesses may do so a few times a minute."""

from __future__ import annotations

import ipaddress
import math
import threading
import time
from collections import OrderedDict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 5  # wrong tokens from one place in one window
MOST_OF_PEER = 60  # and from whoever connected to us: a proxy, or somebody who writes what a proxy would
WINDOW = 60.0  # seconds
_PLACES = 10_000  # that are remembered
_ONE_HOLDER = 64  # bits of an IPv6 address that one holder's addresses share


class Attempts:
    """Wrong tokens by where they came from, in this process. `clock` gives monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._wrong: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, peer: str, forwarded: str = "") -> int:
        """Return for how many whole seconds nothing from there is looked at; 0 if it is.

        `peer` is the address that connected to us, `forwarded` whom a proxy says that it speaks for.
        """
        with self._guard:
            return max(self._left(place, most) for place, most in _places(peer, forwarded))

    def note(self, peer: str, forwarded: str = "") -> None:
        """Note a wrong token."""
        with self._guard:
            for place, _ in _places(peer, forwarded):
                self._wrong[place] = self._recent(place)
                self._wrong[place].append(self._clock())
                self._wrong.move_to_end(place)
            while len(self._wrong) > _PLACES:
                self._wrong.popitem(last=False)

    def _left(self, place: str, most: int) -> int:
        wrong = self._recent(place)
        return math.ceil(wrong[-most] + WINDOW - self._clock()) if len(wrong) >= most else 0

    def _recent(self, place: str) -> deque[float]:
        wrong = self._wrong.get(place) or deque()
        while wrong and wrong[0] + WINDOW <= self._clock():
            wrong.popleft()
        return wrong


def _places(peer: str, forwarded: str) -> tuple[tuple[str, int], tuple[str, int]]:
    """Return what wrong tokens are counted by, and how many of them are too many."""
    return (f"{_place(peer)} for {_place(forwarded)}", MOST), (_place(peer), MOST_OF_PEER)


def _place(client: str) -> str:
    """Return what all addresses of one holder have in common."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if address.version == 4:  # noqa: PLR2004 # the other kind of address
        return client
    return str(ipaddress.ip_network(f"{address}/{_ONE_HOLDER}", strict=False))
