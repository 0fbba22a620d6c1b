"""News of people who were forgotten: recognised by a keyed hash, and not kept.

As long as nobody is forgotten, this costs nothing. Else a process asks once for each user it meets, and
again when somebody else was forgotten: `RulesState.forgotten`, read under RULES, says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import is_
from typing import Protocol

import structlog

from worker.activities import Kind
from worker.errors import BadgeWorkerError, ConfigurationError
from worker.news import ActivityNews, News
from worker.people import Pseudonyms, ids_in, pseudonym
from worker.ports import BatchStore

log = structlog.get_logger(__name__)

_MOST = 100_000  # users remembered at most, of either sort
_VARIABLE = "BADGE_WORKER_SECRET_KEY"


class Hashes(Protocol):
    """Where the hashes of forgotten people are, in an open transaction."""

    def forgotten(self, hashes: Sequence[str]) -> set[str]:
        """Return those of these hashes that are kept."""


class Recognised(BadgeWorkerError):
    """A batch has news of somebody who was forgotten: it is to be begun anew, without it."""


def check_key(store: BatchStore, secret_key: str | None) -> int:
    """Return how many people were forgotten; raises ConfigurationError without the key that knows them."""
    with store.batch() as batch:
        number = batch.number_forgotten()
        Forgotten(secret_key).look(batch, (), number)
    return number


class Forgotten:
    """What one process knows of who was forgotten. It refuses to go on with a wrong key, or without one."""

    def __init__(self, secret_key: str | None) -> None:
        self._pseudonyms = Pseudonyms(secret_key) if secret_key else None
        self._number = 0
        self._clean: set[str] = set()  # users who are not forgotten, as long as nobody else is
        self._stand_in: dict[str, str] = {}  # pseudonyms, by user

    def without(self, news: Sequence[News]) -> Sequence[News]:
        """Return the news without whom we know to be forgotten; others keep their connections to them.

        What is about nobody of them is returned as it is.
        """
        if not self._stand_in:
            return news
        kept = [self._renamed(each) for each in news if each.user_id not in self._stand_in]
        return news if len(kept) == len(news) and all(map(is_, kept, news)) else kept

    def _renamed(self, news: News) -> News:
        if not isinstance(news, ActivityNews) or news.kind is not Kind.CONNECTED:
            return news
        stand_in = self._stand_in.get(news.object_id)
        return news if stand_in is None else news._replace(object_id=stand_in)

    def look(self, hashes: Hashes, user_ids: Iterable[str], number: int) -> None:
        """Look whether one of these users is among the `number` who were forgotten.

        Raises Recognised if so: `without` knows them then. Raises ConfigurationError without the right key,
        since nobody would be recognised.
        """
        if number != self._number:
            self._clean.clear()
        elif not number:
            return
        fresh = [each for each in user_ids if each not in self._clean]
        if number == self._number and not fresh:
            return
        found = self._among(hashes, fresh) if number else {}
        self._number = number
        if found:
            self._remember(found)
            raise Recognised(f"{len(found)} forgotten")
        if len(self._clean) > _MOST:
            self._clean.clear()
        self._clean.update(fresh)

    def keepable(self, hashes: Hashes, letters: Sequence[tuple[bytes, str]]) -> list[tuple[bytes, str]]:
        """Return the dead letters in which nobody stands who was forgotten; call it after `look`."""
        if not self._number:
            return list(letters)
        named = [ids_in(body) for body, _ in letters]
        found = self._among(hashes, sorted({each for ids in named for each in ids}))
        kept = [letter for letter, ids in zip(letters, named, strict=True) if ids.isdisjoint(found)]
        if len(kept) < len(letters):
            log.info("letter.of_somebody_forgotten", letters=len(letters) - len(kept))
        return kept

    def _among(self, hashes: Hashes, user_ids: Sequence[str]) -> dict[str, str]:
        """Return the pseudonyms of those who are forgotten."""
        if self._pseudonyms is None:
            raise ConfigurationError(
                f"{_VARIABLE}: missing; without it events of people who were forgotten would be kept again"
            )
        by_hash = {self._pseudonyms.hash_of(each): each for each in user_ids}
        fingerprint = self._pseudonyms.fingerprint
        kept = hashes.forgotten([*by_hash, fingerprint])
        if fingerprint not in kept:
            raise ConfigurationError(
                f"{_VARIABLE}: not the one by which people were forgotten: their events would be kept again"
            )
        return {by_hash[each]: pseudonym(each) for each in kept if each in by_hash}

    def _remember(self, found: dict[str, str]) -> None:
        if len(self._stand_in) > _MOST:
            self._stand_in.clear()
        self._stand_in |= found
