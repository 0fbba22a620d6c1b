"""A person with marks that are found again wherever they were left, and the tables searched for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from tests.support.ground import Ground, now
from worker.adapters.database.engine import reading
from worker.adapters.database.schema import metadata
from worker.awarding import Awarding, Ingested
from worker.forgetting import Forgetting, forget
from worker.people import Pseudonyms, pseudonym

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY = "a key for the tests, which is no secret"
WHO = "ada-7f3"
ADDRESS = "Ada.Lovelace@Example.org"
PROFILE = {
    "email": ADDRESS,
    "first_name": "Augusta",
    "last_name": "Lovelace",
    "uuid": "8c1d2e9a-1111-4222-8333-944455556666",
}
MARKS = (WHO, ADDRESS.lower(), *(value.lower() for value in PROFILE.values()))
PSEUDONYM = pseudonym(Pseudonyms(KEY).hash_of(WHO))


def forget_user(
    ground: Ground, user_id: str = WHO, *, revoke: bool = False, key: str = KEY
) -> Forgetting | None:
    """Forget somebody, by the key of these tests unless another one is given."""
    return forget(ground.database, Pseudonyms(key), user_id, revoke=revoke)


def forgotten(ground: Ground, user_id: str = WHO, *, revoke: bool = False) -> Forgetting:
    """Forget somebody who is there."""
    done = forget_user(ground, user_id, revoke=revoke)
    assert done is not None
    return done


def consumer(ground: Ground, key: str | None = KEY) -> Awarding:
    """Return a consumer that has the key of these tests, or another, or none."""
    return Awarding(ground.database, now, key)


def ingest(ground: Ground, *bodies: bytes) -> Ingested:
    """Let a consumer with the key take these in."""
    return consumer(ground).ingest(bodies)


def places(ground: Ground) -> list[str]:
    """Return where a mark of the person stands, as ``table.column``."""
    return sorted(set(_found(ground)))


def _found(ground: Ground) -> Iterator[str]:
    with reading(ground.engine) as connection:
        for table in metadata.sorted_tables:
            for row in connection.execute(text(f"SELECT * FROM {table.name}")).mappings():  # noqa: S608 # ours
                for column, value in row.items():
                    plain = bytes(value).decode("utf-8", "replace") if _is_binary(value) else str(value)
                    if any(mark in plain.lower() for mark in MARKS):
                        yield f"{table.name}.{column}"


def _is_binary(value: object) -> bool:
    return isinstance(value, (bytes, memoryview))
