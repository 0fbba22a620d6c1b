"""Issuers (IssuerIn and IssuerOut of seed 003)."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from worker.adapters.badgr.models.base import Entity, Many, Moment, Picture, Read, Sent
from worker.adapters.badgr.models.fields import Email, Name, PictureIn, Text, Url
from worker.adapters.badgr.models.users import UserOut


class StaffIn(Sent):
    """Somebody who works for an issuer: the id of the user, and the role."""

    user: Text
    role: Literal["owner", "editor", "staff"]


class IssuerIn(Sent):
    """An issuer as it is made and replaced; `email` is one of the caller's verified addresses (S3-08).

    `staff` adds and removes people, but changes nobody's role (facts/badgr-api.md section 4).
    """

    name: Name
    email: Email = Field(repr=False)
    url: Url
    description: str | None = None
    image: PictureIn | None = Field(default=None, repr=False)
    staff: list[StaffIn] | None = None
    extensions: dict[str, Any] | None = None
    badgr_domain: str | None = None


class StaffOut(Read):
    """Somebody who works for an issuer; only some lists show the profile (S3-25)."""

    user: str | None = None
    role: str | None = None
    user_profile: UserOut | str | None = None


class IssuerOut(Entity):
    """An issuer."""

    open_badge_id: str | None = None
    created_at: Moment | None = None
    created_by: str | None = None
    name: str = ""
    image: Picture = None
    email: str | None = Field(default=None, repr=False)
    description: str | None = None
    url: str | None = None
    staff: Many[StaffOut] = Field(default_factory=list)
    extensions: Any = None
    badgr_domain: str | None = None

    def changed(self, **values: Any) -> IssuerIn:
        """Return what to send to change these fields of it and no others: an update replaces it whole."""
        known = self.model_dump(include={"name", "email", "url", "description", "image", "extensions"})
        return IssuerIn(**{name: value for name, value in known.items() if value} | values)
