"""Users as they show themselves (UserIn and UserOut of seed 003; X-36 for the types)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from worker.adapters.badgr.models.base import Entity, Many, Read, Sent
from worker.adapters.badgr.models.fields import Email, Text


class EmailIn(Sent):
    """An address of a user."""

    email: Email = Field(repr=False)
    primary: bool | None = None


class UserIn(Sent):
    """A user's profile as it is sent: what is not set stays as it is."""

    first_name: Text | None = Field(default=None, repr=False)
    last_name: Text | None = Field(default=None, repr=False)
    emails: list[EmailIn] | None = None
    url: list[str] | None = Field(default=None, repr=False)
    telephone: list[str] | None = Field(default=None, repr=False)
    agreed_terms_version: int | None = None
    marketing_opt_in: bool | None = None


class EmailOut(Read):
    """An address of a user."""

    email: str = Field(repr=False)
    verified: bool | None = None
    primary: bool | None = None
    case_variants: Many[str] = Field(default_factory=list, repr=False)


class UserOut(Entity):
    """A user's profile; of others the addresses are hidden."""

    first_name: str | None = Field(default=None, repr=False)
    last_name: str | None = Field(default=None, repr=False)
    emails: Many[EmailOut] = Field(default_factory=list)
    url: Many[str] = Field(default_factory=list, repr=False)
    telephone: Many[str] = Field(default_factory=list, repr=False)
    agreed_terms_version: int | None = None
    has_agreed_to_latest_terms_version: bool | None = None
    marketing_opt_in: bool | None = None
    badgr_domain: str | None = None
    has_password_set: bool | None = None
    recipient: Any = Field(default=None, repr=False)
