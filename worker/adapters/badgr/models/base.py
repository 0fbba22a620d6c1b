"""What all that is sent and all that is read has in common."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel, to_snake

from worker.errors import InvalidDefinition, NoAnswer

if TYPE_CHECKING:
    from worker.adapters.badgr.http import Answer

_COMMON: ConfigDict = {
    "frozen": True,
    "hide_input_in_errors": True,
    "alias_generator": to_camel,
    "populate_by_name": True,
}

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("a time between the years 1 and 9999, please") from None


def moment_text(moment: datetime) -> str:
    """Return a time as the API writes it: UTC, microseconds, Z."""
    return _utc(moment).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def _picture(value: Any) -> Any:
    """Return the URL of a picture that the hosted service shows as an object."""
    return value.get("id") or value.get("url") if isinstance(value, dict) else value


def _many(value: Any) -> Any:
    return [] if value is None else value


Moment = Annotated[datetime, AfterValidator(_utc), PlainSerializer(moment_text, when_used="json-unless-none")]
Picture = Annotated[str | None, BeforeValidator(_picture)]
Many = Annotated[list[T], BeforeValidator(_many)]


class Read(BaseModel):
    """Something out of an answer. Its fields have the API's names, in snake case."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        hide_input_in_errors=True,
        alias_generator=to_camel,
        populate_by_name=True,
    )


class Entity(Read):
    """Something that has an id: the service's `entityId`, or the `id` that the hosted one has beside it."""

    entity_id: str = Field(pattern=r"^[!-~]{1,255}$")  # what is kept, and put into paths

    @model_validator(mode="before")
    @classmethod
    def _take_either_id(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("entityId") and values.get("id"):
            return {**values, "entityId": values["id"]}
        return values


class Sent(BaseModel):
    """Something that is sent; raises InvalidDefinition when it is made and cannot be right.

    What is not set is not sent, unless its default says something; what is set to None goes as null.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        alias_generator=to_camel,
        populate_by_name=True,
    )

    def __init__(self, /, **values: Any) -> None:
        problems: list[str] = []
        try:
            super().__init__(**values)
        except ValidationError as error:
            problems = [_problem(each) for each in error.errors(include_input=False, include_url=False)]
        if problems:  # raised here, apart from an error that holds what was given
            raise InvalidDefinition(problems)

    # Within another model only that one's own __init__ is called, so that a problem is told with its place.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined] # as pydantic marks its own

    def model_post_init(self, _context: Any, /) -> None:
        """Count a default that says something among what was set."""
        said = (name for name, field in type(self).model_fields.items() if field.default is not None)
        self.model_fields_set.update(name for name in said if getattr(self, name) is not None)

    def body(self) -> dict[str, Any]:
        """Return it as it goes over the wire."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _problem(error: Any) -> str:
    place = ".".join(to_snake(str(step)) for step in error["loc"])
    words = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {words}" if place else words


def read_all(answer: Answer, model: type[M]) -> list[M]:
    """Read the results of an answer; one that cannot be read or says that it failed tells nothing: NoAnswer.

    An empty list in such an answer must not be taken for "there is none".
    """
    body = answer.json()
    body = body if isinstance(body, dict) else {}
    status, result = body.get("status"), body.get("result")
    failed = isinstance(status, dict) and status.get("success") is False
    if isinstance(result, list) and not failed:
        with suppress(ValidationError):  # its text may hold addresses
            return [model.model_validate(each) for each in result]
    raise NoAnswer(f"HTTP {answer.status}, but the results in it cannot be read", answer.status)


def read_one(answer: Answer, model: type[M]) -> M:
    """Read the one result of an answer."""
    found = read_all(answer, model)
    if len(found) != 1:
        raise NoAnswer(f"HTTP {answer.status}, but with {len(found)} results", answer.status)
    return found[0]
