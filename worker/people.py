"""People who asked to be forgotten: the pseudonym that stays of them, and the traces that go."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from worker.errors import BadgeWorkerError

PREFIX = "forgotten-"
_DIGEST = 16  # bytes: nobody meets another's by chance, and nobody reads a user id back out of them
# What stands under these names in an event is an id or a number of something else than a person.
_OF_OTHERS = frozenset(
    {"id", "learning_path_id", "post_id", "parent_post_id", "score", "required_score", "specversion"}
)
_LONGEST_ID = 255


class Unsettled(BadgeWorkerError):
    """An award of the person is just being sent, or nobody knows yet whether it is there."""


class Pseudonyms:
    """Hashes of user ids, keyed by the SECRET_KEY: whoever lacks the key cannot try user ids on them."""

    def __init__(self, secret_key: str) -> None:
        self._key = hashlib.sha512(secret_key.encode()).digest()

    def hash_of(self, user_id: str) -> str:
        """Return the hash that is kept of a forgotten user."""
        mixed = hashlib.blake2b(
            user_id.encode("utf-8", "surrogatepass"), digest_size=_DIGEST, key=self._key, person=b"forgotten"
        )
        return mixed.hexdigest()

    @cached_property
    def fingerprint(self) -> str:
        """Return the hash of nobody: it tells one key from another."""
        return self.hash_of("")


def pseudonym(hash_of_user: str) -> str:
    """Return what stands where a forgotten user stood: the same whenever, so that old news of it meets."""
    return PREFIX + hash_of_user


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is to be forgotten, with all by which a text may name them."""

    user_id: str
    addresses: frozenset[str] = field(default=frozenset(), repr=False)  # lower case
    uuid: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Gone:
    """How much went with a person, and what stays: awards that the provider has, under the pseudonym."""

    activities: int = 0
    blocks: int = 0
    connections: int = 0  # of others, which name the pseudonym from now on
    awards_kept: int = 0
    awards_deleted: int = 0
    revocations: int = 0


class Traces:
    """Finds a person in texts, and puts the pseudonym in their place."""

    def __init__(self, person: Person, stands_in: str) -> None:
        self._person = person
        self._stands_in = stands_in
        self._named = re.compile(rf"\buser {re.escape(person.user_id)}(?![\w@-]|\.\w)")
        told = [*person.addresses, *([person.uuid] if person.uuid else [])]
        self._told = (
            re.compile(
                rf"(?<![\w.+-])(?:{'|'.join(re.escape(each) for each in sorted(told))})(?![\w-]|\.\w)",
                re.IGNORECASE,
            )
            if told
            else None
        )

    def out_of(self, text: str) -> str:
        """Return a text of ours, or the provider's, without the person."""
        text = self._named.sub(lambda _: f"user {self._stands_in}", text)
        return self._told.sub(self._stands_in, text) if self._told else text

    def out_of_all(self, value: Any) -> Any:
        """Return a JSON value without the person in any of its texts."""
        match value:
            case str():
                return self.out_of(value)
            case dict():
                return {name: self.out_of_all(each) for name, each in value.items()}
            case list():
                return [self.out_of_all(each) for each in value]
        return value

    def are_in(self, body: bytes) -> bool:
        """Say whether a message names the person: the user id as a value, address or uuid anywhere.

        What is no JSON is searched for the user id in quotation marks.
        """
        text = body.decode("utf-8", "replace")
        if self._told and self._told.search(text):
            return True
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return f'"{self._person.user_id}"' in text
        values = list(values_in(document))
        if self._told and any(self._told.search(each) for each in values):
            return True  # it was written with escapes
        return self._person.user_id in values


def ids_in(body: bytes) -> set[str]:
    """Return every value in a message that may be a user id; none where it is no JSON."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return set()
    return {each for each in values_in(document) if 0 < len(each) <= _LONGEST_ID}


def values_in(document: Any) -> Iterator[str]:
    """Yield texts and whole numbers of a JSON document, but for those that say something else than a person.

    A whole number is a user id as its decimal string (contract.md section 3).
    """
    ahead = [document]
    while ahead:
        match ahead.pop():
            case str() as text:
                yield text
            case bool() | None | float():
                pass
            case int() as number:
                yield str(number)
            case dict() as fields:
                ahead += [value for name, value in fields.items() if name not in _OF_OTHERS]
            case list() as values:
                ahead += values
