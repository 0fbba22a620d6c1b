"""Claim codes of the hosted service (S1-32 to S1-34)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from worker.adapters.badgr.models.base import Moment, Read, Sent

_MOST = 2**63 - 1


class ClaimCodeIn(Sent):
    """A code by which people claim a badge: its label, how often it may be used, and until when."""

    label: str | None = None
    limit: Annotated[int, Field(gt=0, le=_MOST)] | None = None
    expiration_date: Moment | None = None


class ClaimCodeOut(Read):
    """A claim code; `claim_count` is there where it was asked for."""

    code: str = Field(min_length=1)
    badgeclass: str | None = None
    label: str | None = None
    limit: int | None = None
    expiration_date: Moment | None = None
    enabled: bool | None = None
    archived: bool | None = None
    claim_count: int | None = None
    created_at: Moment | None = None
    created_by: str | None = None
