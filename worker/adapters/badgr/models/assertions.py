"""Assertions as the API takes and shows them (S1-35 to S1-41; facts/badgr-api.md section 5)."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from worker.adapters.badgr.models.base import Entity, Many, Moment, Picture, Read, Sent
from worker.adapters.badgr.models.fields import (
    IssuedOn,
    Markdown,
    Text,
    Url,
    is_email,
    is_telephone,
    is_url,
)
from worker.adapters.badgr.words import tidy
from worker.awards import Assertion

if TYPE_CHECKING:
    from collections.abc import Iterable

# The service shows its own exceptions as Python would: "['Assertion is already revoked']".
_AS_LIST = re.compile(r"""\[(['"])(.*)\1\]""")


_KINDS = {"email": is_email, "telephone": is_telephone, "url": is_url, "openBadgeId": is_url}


class RecipientIn(Sent):
    """Whom an assertion is for.

    An address goes in lower case: the service compares it as it is sent and keeps it in lower case
    (facts/badgr-api.md section 1, point 5).
    """

    identity: Text = Field(repr=False)
    type: Literal["email", "openBadgeId", "telephone", "url"] = "email"
    hashed: bool | None = None

    @model_validator(mode="after")
    def _good(self) -> Self:
        if self.identity.startswith("sha256$"):
            raise ValueError("a plain identity, please: the provider refuses one that is hashed already")
        if not _KINDS[self.type](self.identity):
            raise ValueError(f"the identity is none of the kind {self.type}")
        return self

    def body(self) -> dict[str, Any]:
        """Return it as it goes over the wire."""
        identity = normal(self.identity) if self.type == "email" else self.identity
        return super().body() | {"identity": identity}


class EvidenceIn(Sent):
    """What an assertion is based on: a URL, a text or both."""

    url: Url | None = None
    narrative: Markdown | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.url and not self.narrative:
            raise ValueError("a url or a narrative, please")
        return self


class _FactsIn(Sent):
    issued_on: IssuedOn | None = None
    expires: Moment | None = None
    narrative: Markdown | None = None
    evidence: list[EvidenceIn] | None = None
    extensions: dict[str, Any] | None = None


class AssertionIn(_FactsIn):
    """An assertion as it is asked for.

    The connector's page prints recipient and evidence flat; they are nested in truth. A second one for the
    same recipient is refused unless `allow_duplicate_awards` says otherwise, though the service's own default
    is to make it (X-20). The provider mails the earner if `notify` says so.
    """

    recipient: RecipientIn
    allow_duplicate_awards: bool = False
    notify: bool | None = None
    badgeclass: Text | None = None
    badgeclass_open_badge_id: Url | None = None
    badgeclass_name: Text | None = None

    def named(self) -> list[str]:
        """Return which of the ways to name a badge class are taken."""
        ways = ("badgeclass", "badgeclass_open_badge_id", "badgeclass_name")
        return [way for way in ways if getattr(self, way) is not None]

    def body(self) -> dict[str, Any]:
        """Return it as it goes over the wire."""
        return super().body() | {"recipient": self.recipient.body()}


class AssertionChangeIn(_FactsIn):
    """What of an assertion can be changed (S3-42): anything else the service would ignore in silence."""

    recipient: RecipientIn | None = None

    def body(self) -> dict[str, Any]:
        """Return it as it goes over the wire."""
        whom = {} if self.recipient is None else {"recipient": self.recipient.body()}
        return super().body() | whom


class Recipient(Read):
    """Who holds an assertion: the plain address, or a hash of it (facts/badgr-api.md section 5)."""

    identity: str = Field(default="", repr=False)
    type: str | None = None
    hashed: bool | None = None
    plaintext_identity: str | None = Field(default=None, repr=False)
    salt: str | None = Field(default=None, repr=False)

    def address(self, asked: Iterable[str] = ()) -> str:
        """Return the plain address in lower case, found by its hash among `asked` if only that is given."""
        if self.plaintext_identity:
            return normal(self.plaintext_identity)
        return next((each for each in asked if self._hash(each) == self.identity), normal(self.identity))

    def _hash(self, address: str) -> str:
        return "sha256$" + hashlib.sha256((address + (self.salt or "")).encode()).hexdigest()


class AssertionRead(Entity):
    """As much of an assertion as the worker itself lives by."""

    open_badge_id: str = ""
    recipient: Recipient
    issued_on: Moment | None = None
    expires: Moment | None = None
    revoked: bool | None = False
    revocation_reason: str | None = None

    def assertion(self, asked: Iterable[str] = ()) -> Assertion:
        """Return it in the worker's words."""
        return Assertion(
            assertion_id=self.entity_id,
            url=self.open_badge_id if self.open_badge_id.isprintable() else "",
            recipient=self.recipient.address(asked),
            issued_on=self.issued_on,
            expires=self.expires,
            revoked=bool(self.revoked),
            # People write it, and it is kept and logged.
            revocation_reason=tidy(self.revocation_reason or "") or None,
        )


class EvidenceOut(Read):
    """What an assertion is based on."""

    url: str | None = None
    narrative: str | None = None


class AssertionOut(AssertionRead):
    """A whole assertion (AssertionOut of seed 003)."""

    created_at: Moment | None = None
    created_by: str | None = None
    badgeclass: str = ""
    badgeclass_open_badge_id: str | None = None
    issuer: str | None = None
    issuer_open_badge_id: str | None = None
    image: Picture = None
    narrative: str | None = None
    evidence: Many[EvidenceOut] = Field(default_factory=list)
    acceptance: str | None = None
    extensions: Any = None
    pending: bool | None = None


class RevocationOut(Entity):
    """What became of one item of a bulk revocation (S3-38): `reason` says why it was not revoked."""

    revoked: bool
    revocation_reason: str | None = None
    reason: str | None = None
    code: Any = None

    @property
    def words(self) -> str | None:
        """Return why it was not revoked, in the service's words alone."""
        found = _AS_LIST.fullmatch(self.reason or "")
        return found[2] if found else self.reason


def normal(address: str) -> str:
    """Return an address as the provider stores it."""
    return address.strip().lower()
