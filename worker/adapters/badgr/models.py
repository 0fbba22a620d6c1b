"""What the API sends and wants, as far as we use it; what else is in an answer is ignored."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from worker.awards import Assertion
from worker.errors import NoAnswer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from worker.adapters.badgr.http import Answer
    from worker.awards import Grant


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[datetime, AfterValidator(_utc)]


class _Answered(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Recipient(_Answered):
    """Who holds an assertion: the plain address, or a hash of it (facts/badgr-api.md section 5)."""

    identity: str = Field(default="", repr=False)
    plain: str | None = Field(default=None, alias="plaintextIdentity", repr=False)
    salt: str | None = Field(default=None, repr=False)

    def address(self, asked: Iterable[str]) -> str:
        """Return the plain address in lower case, found by its hash among `asked` if only that is given."""
        if self.plain:
            return normal(self.plain)
        return next((each for each in asked if self._hash(each) == self.identity), normal(self.identity))

    def _hash(self, address: str) -> str:
        return "sha256$" + hashlib.sha256((address + (self.salt or "")).encode()).hexdigest()


class AssertionRead(_Answered):
    """One assertion, as award, batch and list answer it (S3-22, S3-30, S3-31)."""

    id: str = Field(alias="entityId", min_length=1)
    url: str = Field(default="", alias="openBadgeId")
    recipient: Recipient
    issued_on: Moment | None = Field(default=None, alias="issuedOn")
    expires: Moment | None = None
    revoked: bool | None = False
    revocation_reason: str | None = Field(default=None, alias="revocationReason")

    def assertion(self, asked: Iterable[str]) -> Assertion:
        """Return it in the worker's words."""
        return Assertion(
            assertion_id=self.id,
            url=self.url,
            recipient=self.recipient.address(asked),
            issued_on=self.issued_on,
            expires=self.expires,
            revoked=bool(self.revoked),
            revocation_reason=self.revocation_reason,
        )


class _Assertions(_Answered):
    result: list[AssertionRead]


def assertions_in(answer: Answer, asked: Iterable[str]) -> list[Assertion]:
    """Read the assertions out of an answer; one that cannot be read tells nothing: NoAnswer."""
    asked = tuple(asked)
    try:
        return [each.assertion(asked) for each in _Assertions.model_validate(answer.json()).result]
    except (ValidationError, OverflowError):
        failure = NoAnswer(f"HTTP {answer.status}, but the assertions in it cannot be read", answer.status)
    raise failure


def award_body(grant: Grant) -> dict[str, Any]:
    """Return what to post for one grant.

    Lower case, since the provider compares the address as sent and stores it in lower case; and never
    duplicates, which it makes by default (facts/badgr-api.md section 1, points 1 and 5).
    """
    body: dict[str, Any] = {
        "recipient": {"identity": normal(grant.recipient), "type": "email", "hashed": True},
        "issuedOn": moment_text(grant.issued_on),
        "allowDuplicateAwards": False,
        "notify": grant.notify,
    }
    if grant.narrative is not None:
        body["narrative"] = grant.narrative
    if grant.evidence:
        body["evidence"] = [{name: text for name, text in each.items() if text} for each in grant.evidence]
    if grant.expires is not None:
        body["expires"] = moment_text(grant.expires)
    return body


def moment_text(moment: datetime) -> str:
    """Return a time as the API writes it: UTC, microseconds, Z."""
    return _utc(moment).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def normal(address: str) -> str:
    """Return an address as the provider stores it."""
    return address.strip().lower()
