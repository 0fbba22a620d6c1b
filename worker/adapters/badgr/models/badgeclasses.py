"""Badge classes (S1-22 to S1-31; BadgeClassIn and BadgeClassOut of seed 003)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from worker.adapters.badgr.models.base import Entity, Many, Moment, Picture, Read, Sent
from worker.adapters.badgr.models.fields import Description, Markdown, Name, PictureIn, Text, Url


class AlignmentIn(Sent):
    """A standard that a badge class stands for."""

    target_name: Name
    target_url: Url
    target_description: str | None = None
    target_framework: str | None = None
    target_code: str | None = None


class ExpiresIn(Sent):
    """How long assertions of a badge class are meant to be good for.

    The open service keeps it and applies it to nothing (facts/badgr-api.md section 1, point 15).
    """

    amount: Annotated[int, Field(gt=0)]
    duration: Literal["days", "weeks", "months", "years"]


class BadgeClassIn(Sent):
    """A badge class as it is made and replaced.

    The connector's page prints it flat; `alignments` and `expires` are nested in truth. `image` is a data
    URI, or a URL: the open service takes a URL as "the picture that it has" and so on updates alone.
    """

    name: Name
    description: Description
    image: PictureIn | None = Field(default=None, repr=False)
    image_alt_text: str | None = None
    achievement_type: str | None = None
    criteria_url: Url | None = None
    criteria_narrative: Markdown | None = None
    alignments: list[AlignmentIn] | None = None
    tags: list[Text] | None = None
    expires: ExpiresIn | None = None
    extensions: dict[str, Any] | None = None
    issuer: Text | None = None


class AlignmentOut(Read):
    """A standard that a badge class stands for."""

    target_name: str | None = None
    target_url: str | None = None
    target_description: str | None = None
    target_framework: str | None = None
    target_code: str | None = None


class ExpiresOut(Read):
    """How long assertions are meant to be good for."""

    amount: int | None = None
    duration: str | None = None


class BadgeClassOut(Entity):
    """A badge class; `archived` is None at a service that archives nothing."""

    open_badge_id: str | None = None
    created_at: Moment | None = None
    created_by: str | None = None
    issuer: str | None = None
    issuer_open_badge_id: str | None = None
    name: str = ""
    image: Picture = None
    image_alt_text: str | None = None
    description: str | None = None
    achievement_type: str | None = None
    criteria_url: str | None = None
    criteria_narrative: str | None = None
    alignments: Many[AlignmentOut] = Field(default_factory=list)
    tags: Many[str] = Field(default_factory=list)
    expires: ExpiresOut | None = None
    extensions: Any = None
    archived: bool | None = None
    archived_date: Moment | None = None
    archival_note: str | None = None

    def changed(self, **values: Any) -> BadgeClassIn:
        """Return what to send to change these fields of it and no others: an update replaces it whole."""
        known = self.model_dump(include=_KEPT)
        known["expires"] = known["expires"] if self.expires and self.expires.amount else None
        known["extensions"] = known["extensions"] or {}
        if known["image"] is None:
            del known["image"]
        return BadgeClassIn(**(known | values))


class DuplicateIn(Sent):
    """What a copy of a badge class is to be called (S1-15)."""

    new_name: Name


_KEPT = set(BadgeClassIn.model_fields) - {"issuer"}  # it cannot change (S1-30)
