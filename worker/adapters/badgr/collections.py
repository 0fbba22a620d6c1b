"""Collections of what is in the account's own backpack (S3-07, S3-11, S3-15, S3-23, S3-41)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from worker.adapters.badgr.models.backpack import CollectionIn, CollectionOut
from worker.adapters.badgr.paging import listed
from worker.adapters.badgr.resource import Resource, path
from worker.errors import InvalidDefinition

if TYPE_CHECKING:
    from collections.abc import Iterator


class Collections(Resource):
    """The account's collections."""

    def all(self) -> Iterator[CollectionOut]:
        """List them (S3-23)."""
        return listed(self._connection, _path(), [], "the collections", CollectionOut)

    def get(self, collection: str) -> CollectionOut:
        """Return one (S3-15)."""
        return self._one("GET", _path(collection), _about(collection), CollectionOut)

    def create(self, collection: CollectionIn) -> CollectionOut:
        """Make an empty collection (S3-07).

        The service breaks on one that has assertions (facts/badgr-api.md section 3): `update` fills it.
        """
        if collection.assertions:
            raise InvalidDefinition(["assertions: the provider makes only empty collections; update it then"])
        return self._one("POST", _path(), "the new collection", CollectionOut, json=collection.body())

    def update(self, collection: str, changed: CollectionIn) -> CollectionOut:
        """Replace a collection (S3-41); the page's objects in `assertions` are ids in truth."""
        return self._one("PUT", _path(collection), _about(collection), CollectionOut, json=changed.body())

    def delete(self, collection: str) -> None:
        """Delete a collection (S3-11); what is in it stays in the backpack."""
        self._done("DELETE", _path(collection), _about(collection))


def _path(*collection: str) -> str:
    return path("backpack", "collections", *collection)


def _about(collection: str) -> str:
    return f"collection {collection}"
