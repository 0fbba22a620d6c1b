"""The caller's own backpack and its collections (the shapes of seed 003)."""

from __future__ import annotations

from typing import Any, Self

from pydantic import Field, model_validator

from worker.adapters.badgr.models.assertions import EvidenceOut, Recipient
from worker.adapters.badgr.models.base import Entity, Many, Moment, Picture, Sent
from worker.adapters.badgr.models.fields import Text, Url


class BackpackAssertionOut(Entity):
    """An assertion as its earner sees it: `acceptance` is Unaccepted, Accepted or Rejected (X-34)."""

    acceptance: str | None = None
    open_badge_id: str | None = None
    badgeclass: str | None = None
    badgeclass_open_badge_id: str | None = None
    issuer: str | None = None
    issuer_open_badge_id: str | None = None
    image: Picture = None
    recipient: Recipient | None = None
    issued_on: Moment | None = None
    narrative: str | None = None
    evidence: Many[EvidenceOut] = Field(default_factory=list)
    revoked: bool | None = None
    revocation_reason: str | None = None
    expires: Moment | None = None
    pending: bool | None = None


class ImportIn(Sent):
    """An assertion from elsewhere: exactly one of its URL, its baked picture and its JSON (S3-28)."""

    url: Url | None = None
    image: Text | None = Field(default=None, repr=False)
    assertion: dict[str, Any] | Text | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(value is not None for value in (self.url, self.image, self.assertion)) != 1:
            raise ValueError("exactly one of url, image and assertion, please")
        return self


class CollectionIn(Sent):
    """A collection as it is made and replaced; `assertions` are ids, and no objects (S3-07)."""

    name: Text
    description: str | None = None
    published: bool | None = None
    assertions: list[Text] | None = None


class CollectionOut(Entity):
    """A collection; `assertions` are ids at the open service."""

    name: str = ""
    description: str | None = None
    owner: str | None = None
    share_url: str | None = Field(default=None, alias="share_url")
    share_hash: str | None = None
    published: bool | None = None
    assertions: Many[Any] = Field(default_factory=list)
    created_at: Moment | None = None
    created_by: str | None = None
