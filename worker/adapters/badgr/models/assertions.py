"""Assertions as the API shows them (S3-16, S3-19, S3-22; facts/badgr-api.md section 5)."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any

from pydantic import Field

from worker.adapters.badgr.models.base import Entity, Many, Moment, Picture, Read
from worker.awards import Assertion

if TYPE_CHECKING:
    from collections.abc import Iterable

# The service shows its own exceptions as Python would: "['Assertion is already revoked']".
_AS_LIST = re.compile(r"""\[(['"])(.*)\1\]""")


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
            url=self.open_badge_id,
            recipient=self.recipient.address(asked),
            issued_on=self.issued_on,
            expires=self.expires,
            revoked=bool(self.revoked),
            revocation_reason=self.revocation_reason,
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
