"""Replaying: dead letters go back on the event queue after a mend. Doing it twice does no harm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

CHUNK = 500  # letters put back at once


class Letter(Protocol):
    """A body that was no event."""

    @property
    def id(self) -> str:
        """Return what tells it from the others."""

    @property
    def body(self) -> bytes:
        """Return the bytes as they came."""


class Letters(Protocol):
    """Where dead letters are kept."""

    def dead_letters_of(self, ids: Sequence[str]) -> Sequence[Letter]:
        """Return the dead letters with these ids, oldest first: those that are there."""

    def note_replayed(self, ids: Sequence[str]) -> None:
        """Note that these dead letters were put back on the queue now."""


class Publishes(Protocol):
    """What puts events on the queue."""

    def publish(self, bodies: Sequence[bytes]) -> int:
        """Put events on the queue and return how many are durably there: all of them."""


def replay(letters: Letters, queue: Publishes, ids: Sequence[str]) -> list[str]:
    """Put these dead letters back on the queue; return the ids of those that were there, durably queued now.

    What is refused again is a dead letter again: its count goes up. Raises QueueUnavailable.
    """
    done: list[str] = []
    for chunk in chunks(ids):
        found = letters.dead_letters_of(chunk)
        queue.publish([letter.body for letter in found])
        # Only now: one that is noted is on the queue. One that is there without a note is replayed again.
        letters.note_replayed([letter.id for letter in found])
        done += [letter.id for letter in found]
    return done


def chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the ids, as many at a time as are done at once."""
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))
