"""Events: what upstream sends, parsed at the door (contract.md section 3).

One event is one CloudEvents 1.0 JSON document. Wire formats only grow: a field is never renamed or removed, a
new one has a default, and anything else is a new ``.v2`` type.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import from_json

from worker.errors import InvalidEvent

LARGEST_EVENT = 64 * 1024  # bytes
LONGEST_ID = 255  # characters
FURTHEST_AHEAD = timedelta(minutes=5)
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

RFC_3339 = r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$"


class Scope(StrEnum):
    """What an account may do; ANONYMOUS earns nothing (facts Q-27)."""

    AUTHENTICATED = "AUTHENTICATED"
    ADMINISTRATOR = "ADMINISTRATOR"
    ANONYMOUS = "ANONYMOUS"


def _as_text(number: int) -> str:
    text = str(number)
    if len(text) > LONGEST_ID:
        raise ValueError(f"at most {LONGEST_ID} characters, please")
    return text


def instant(text: str) -> datetime:
    """Return the instant in UTC that RFC 3339 text names; raises ValueError saying what is wrong with it."""
    try:
        at = datetime.fromisoformat(text.upper())  # RFC 3339 knows small letters too
        if at.tzinfo is not UTC:
            at = at.astimezone(UTC)
    except OverflowError:  # the first and the last day of the calendar, with an offset
        raise ValueError("not a time of this calendar") from None
    if at < EARLIEST:
        raise ValueError("before 1970; please send the time of the occurrence")
    return at


_Text = Annotated[str, StringConstraints(strict=True, pattern=r"^[^\x00]*$", max_length=1024)]
_IdText = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=LONGEST_ID, pattern=r"^[^\x00]+$")
]
if TYPE_CHECKING:  # what they are once parsed
    Id = str
    Time = datetime
else:
    # From left to right: nearly all ids are text, which then is asked nothing in Python.
    Id = Annotated[
        _IdText | Annotated[int, Field(strict=True), AfterValidator(_as_text)],
        Field(union_mode="left_to_right"),
    ]
    Time = Annotated[str, StringConstraints(strict=True, pattern=RFC_3339), AfterValidator(instant)]
_Name = Annotated[str, StringConstraints(strict=True, min_length=1, pattern=r"^[^\x00]+$")]
_Flag = Annotated[bool, Field(strict=True)]
_Score = Annotated[float, Field(allow_inf_nan=False, strict=True)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Envelope(_Model):
    specversion: Literal["1.0"]
    id: _Name
    source: _Name
    time: Time


class UserProfile(_Model):
    """What a ``user.*`` event says of a person; what is null or left out says nothing."""

    user_id: Id
    email: _Text | None = None
    first_name: _Text | None = None
    last_name: _Text | None = None
    uuid: _Text | None = None
    scope: Scope | None = None
    is_active: _Flag | None = None


class OnlyUser(_Model):
    """Whom it is about, and no more."""

    user_id: Id


class Enrolment(_Model):
    """Who, and in which learning path."""

    user_id: Id
    learning_path_id: Id


class Completion(_Model):
    """A learning path was completed, passed or not."""

    user_id: Id
    learning_path_id: Id
    passed: _Flag | None
    score: _Score | None = None
    required_score: _Score | None = None

    @property
    def verdict(self) -> bool | None:
        """Return whether it was passed: the flag decides, else the scores; None: undecided (Q-19)."""
        return self.passed if self.passed is not None else self.scores_say

    @property
    def scores_say(self) -> bool | None:
        """Return what the scores alone say, or None if one is missing."""
        if self.score is None or self.required_score is None:
            return None
        return self.score >= self.required_score


class Post(_Model):
    """A post or, with a parent, a comment; both count (X-11)."""

    user_id: Id
    post_id: Id
    parent_post_id: Id | None = None


def _distinct(pair: tuple[str, str]) -> tuple[str, str]:
    if pair[0] == pair[1]:
        raise ValueError("two distinct ids, please: nobody is connected with themselves")
    return pair


class Connection(_Model):
    """Two distinct people; it counts for both (S0-12)."""

    user_ids: Annotated[tuple[Id, Id], AfterValidator(_distinct)]


class UserRegistered(_Envelope):
    """An account was made."""

    type: Literal["user.registered.v1"]
    data: UserProfile


class UserUpdated(_Envelope):
    """A profile changed."""

    type: Literal["user.updated.v1"]
    data: UserProfile


class UserBlocked(_Envelope):
    """A user may not earn from now on."""

    type: Literal["user.blocked.v1"]
    data: OnlyUser


class UserUnblocked(_Envelope):
    """A user may earn again."""

    type: Literal["user.unblocked.v1"]
    data: OnlyUser


class UserDeleted(_Envelope):
    """An account is gone, for good."""

    type: Literal["user.deleted.v1"]
    data: OnlyUser


class LearningPathEnrolled(_Envelope):
    """A user was enrolled in a learning path."""

    type: Literal["learning_path.enrolled.v1"]
    data: Enrolment


class LearningPathUnenrolled(_Envelope):
    """A user left a learning path; that changes nothing (Q-02)."""

    type: Literal["learning_path.unenrolled.v1"]
    data: Enrolment


class LearningPathCompleted(_Envelope):
    """A user completed a learning path."""

    type: Literal["learning_path.completed.v1"]
    data: Completion


class PostCreated(_Envelope):
    """A user wrote a post or a comment."""

    type: Literal["post.created.v1"]
    data: Post


class PostDeleted(_Envelope):
    """A post or comment is gone."""

    type: Literal["post.deleted.v1"]
    data: Post


class ConnectionEstablished(_Envelope):
    """Two people are connected."""

    type: Literal["connection.established.v1"]
    data: Connection


class ConnectionRemoved(_Envelope):
    """Two people are connected no more."""

    type: Literal["connection.removed.v1"]
    data: Connection


Event = (
    UserRegistered
    | UserUpdated
    | UserBlocked
    | UserUnblocked
    | UserDeleted
    | LearningPathEnrolled
    | LearningPathUnenrolled
    | LearningPathCompleted
    | PostCreated
    | PostDeleted
    | ConnectionEstablished
    | ConnectionRemoved
)

_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """An event of a type that is not ours: acknowledged and counted, never an error."""

    type: str


def parse_event(body: bytes, now: datetime) -> Event | UnknownEvent:
    """Return the event that `body` holds; raises InvalidEvent naming each bad field and what would be right.

    `now` bounds `time`: more than five minutes ahead of it is refused.
    """
    if len(body) > LARGEST_EVENT:
        raise InvalidEvent(f"body: {len(body)} bytes, but an event has at most {LARGEST_EVENT}")
    try:
        event = _EVENT.validate_json(body)
    except ValidationError as error:
        if (unknown := _unknown_type(error)) is None:
            raise InvalidEvent(_sentence(error)) from None
        _refuse_what_json_lacks(body)
        return UnknownEvent(unknown)
    _refuse_what_json_lacks(body)
    if event.time > now + FURTHEST_AHEAD:
        raise InvalidEvent(f"time: {event.time.isoformat()} lies more than five minutes in the future")
    return event


def _refuse_what_json_lacks(body: bytes) -> None:
    """Raise InvalidEvent for NaN and infinities, which the parser takes wherever no number is asked for."""
    if b"NaN" not in body and b"Infinity" not in body:
        return
    try:
        from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidEvent(f"body: not JSON ({error})") from None


def _unknown_type(error: ValidationError) -> str | None:
    first = error.errors(include_url=False)[0]
    if first["type"] == "union_tag_invalid" and isinstance(first["input"], dict):
        tag = first["input"].get("type")
        return tag if isinstance(tag, str) and tag else None
    return None


_SAID = {
    "union_tag_not_found": "type: missing; an event names its type, such as post.created.v1",
    "model_attributes_type": "body: not a JSON object, but an event is one CloudEvents document",
}
_ID_WAYS = {"constrained-str", "function-after[_as_text(), int]"}
_TAGS = re.compile(r"^(?:[a-z_]+\.)+v1$")
# What pydantic says of our two-way ids and our time, in words that a publisher can use.
_PATTERNS = {
    RFC_3339: "an RFC 3339 time with offset, such as 2026-03-01T10:15:00Z, please",
    r"^[^\x00]*$": "no NUL characters, please",
    r"^[^\x00]+$": "no NUL characters, please",
}


def _sentence(error: ValidationError) -> str:
    lines: dict[str, str] = {}
    for detail in error.errors(include_url=False):
        if detail["type"] in _SAID:
            return _SAID[detail["type"]]
        if detail["type"] == "json_invalid":
            return f"body: not JSON ({detail['ctx']['error']})"
        if detail["type"] == "union_tag_invalid":
            return "type: a non-empty string, please"
        field = _field(detail["loc"])
        # Of an id that is neither of two things the first answer is enough; of too long a number, the second.
        if field not in lines or detail["type"] == "value_error":
            lines[field] = _said(detail)
    return "; ".join(f"{field}: {said}" for field, said in lines.items())


def _field(location: tuple[int | str, ...]) -> str:
    """Return the path of a field without the union's inner labels, as in ``data.user_ids[1]``."""
    path = ""
    for step in location:
        if isinstance(step, int):
            path += f"[{step}]"
        elif not (_TAGS.match(step) or step in _ID_WAYS):
            path += f".{step}" if path else step
    return path or "body"


def _said(detail: Any) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "missing"
    if kind == "string_pattern_mismatch":
        return str(_PATTERNS.get(context["pattern"], detail["msg"]))
    if kind in {"string_type", "int_type"}:
        return "a string or a whole number, please" if _is_id(detail["loc"]) else "a string, please"
    if kind == "value_error":
        return str(context["error"])
    return str(detail["msg"])


def _is_id(location: tuple[int | str, ...]) -> bool:
    return any(step in _ID_WAYS for step in location)
