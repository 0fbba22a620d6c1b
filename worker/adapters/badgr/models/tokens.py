"""Tokens: of the account (S3-17, S3-26) and of a single issuer (S3-35)."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from worker.adapters.badgr.models.base import Entity, Moment, Read


class ApplicationOut(Read):
    """The program that a token was given to."""

    name: str | None = None
    client_id: str | None = None
    website_url: str | None = None


class AccessTokenOut(Entity):
    """One of the account's tokens, without its secret."""

    application: ApplicationOut | None = None
    scope: Any = None
    expires: Moment | None = None
    created: Moment | None = None


class IssuerTokenOut(Read):
    """A token that is good for one issuer alone, for about a century."""

    issuer: str
    token: str = Field(min_length=1, repr=False)
    expires: Moment | None = None
