"""Checks of single fields, with the service's own error texts (facts/badgr-api.md section 3)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from worker.sandbox.answers import ApiError
from worker.sandbox.moments import parse_moment, stored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LOCAL = r"[-!#$%&'*+/=?^_`{}|~0-9A-Z]+(?:\.[-!#$%&'*+/=?^_`{}|~0-9A-Z]+)*"
_LABEL = r"[A-Z0-9](?:[A-Z0-9-]{0,61}[A-Z0-9])?"
_EMAIL = re.compile(rf"{_LOCAL}@(?:localhost|(?:{_LABEL}\.)+[A-Z0-9-]{{1,62}}[A-Z0-9])", re.IGNORECASE)
_TELEPHONE = re.compile(r"\+[1-9]\d{1,14}")
_TAG = re.compile(r"<[^>]*>")
_TRUE = {"t", "true", "1", "on", "y", "yes"}
_FALSE = {"f", "false", "0", "off", "n", "no"}
_DATE_FORMAT = (
    "Datetime has wrong format. Use one of these formats instead: "
    "YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)


class Invalid(Exception):
    """A value is wrong: a list of texts for a plain one, a dict or a list for a nested one."""

    def __init__(self, errors: Any) -> None:
        super().__init__("invalid value")
        self.errors = errors

    def as_api_error(self) -> ApiError:
        """Return the 400 for a whole body: what concerns no single field is named apart."""
        if not isinstance(self.errors, dict):
            return ApiError(400, "bad request", self.errors)
        fields = dict(self.errors)
        validation = fields.pop("non_field_errors", [])
        return ApiError(400, "bad request", fields, validation)


@dataclass(frozen=True, slots=True)
class Field:
    """How one field is read: `read` returns the clean value or raises Invalid."""

    read: Callable[[Any], Any]
    required: bool = False
    nullable: bool = False


def clean(data: Any, schema: Mapping[str, Field]) -> dict[str, Any]:
    """Read an object; unknown fields are ignored silently. Raises Invalid naming every bad field."""
    if not isinstance(data, dict):
        words = f"Invalid data. Expected a dictionary, but got {type(data).__name__}."
        raise Invalid({"non_field_errors": [words]})
    values: dict[str, Any] = {}
    errors: dict[str, Any] = {}
    for name, field in schema.items():
        if name not in data:
            if field.required:
                errors[name] = ["This field is required."]
            continue
        try:
            values[name] = _read(field, data[name])
        except Invalid as invalid:
            errors[name] = invalid.errors
    if errors:
        raise Invalid(errors)
    return values


def _read(field: Field, value: Any) -> Any:
    if value is not None:
        return field.read(value)
    if not field.nullable:
        raise Invalid(["This field may not be null."])
    return None


def text(value: Any) -> str:
    """Read a trimmed text; numbers are taken as their digits."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Invalid(["Not a valid string."])
    trimmed = str(value).strip()
    if not trimmed:
        raise Invalid(["This field may not be blank."])
    return trimmed


def text_of(longest: int) -> Callable[[Any], str]:
    """Read a text without HTML tags, at most so long."""

    def read(value: Any) -> str:
        stripped = _TAG.sub("", text(value))
        if len(stripped) > longest:
            raise Invalid([f"Ensure this field has no more than {longest} characters."])
        return stripped

    return read


def loose_text(value: Any) -> str:
    """Read a text that may be empty."""
    return "" if value == "" else _TAG.sub("", text(value))


def markdown(value: Any) -> str:
    """Read markdown: tags are stripped silently, images are refused."""
    written = loose_text(value)
    if "![" in written:
        raise Invalid(["Images not supported in markdown"])
    return written


def boolean(value: Any) -> bool:
    """Read true or false, also as text."""
    word = str(value).lower() if isinstance(value, str | bool | int) else ""
    if word not in _TRUE | _FALSE:
        raise Invalid(["Must be a valid boolean."])
    return word in _TRUE


def positive(value: Any) -> int:
    """Read a whole number above 0."""
    if isinstance(value, bool) or not re.fullmatch(r"-?\d+", str(value)):
        raise Invalid(["A valid integer is required."])
    if int(value) < 1:
        raise Invalid(["Must be a positive integer."])
    return int(value)


def moment(value: Any) -> str:
    """Read a date with time; a date alone is refused. Returns it as the store keeps it."""
    read = parse_moment(value) if isinstance(value, str) else None
    if read is None:
        raise Invalid([_DATE_FORMAT])
    return stored(read)


def url(value: Any) -> str:
    """Read an absolute URL."""
    written = text(value)
    try:
        parts = urlsplit(written)
        good = parts.scheme in {"http", "https", "ftp", "ftps"} and bool(parts.hostname)
    except ValueError:
        good = False
    if not good or re.search(r"\s", written):
        raise Invalid(["Enter a valid URL."])
    return written


def email(value: Any) -> str:
    """Read an e-mail address; only ASCII ones are good."""
    written = text(value)
    if not is_email(written):
        raise Invalid(["Enter a valid email address."])
    return written


def is_email(written: str) -> bool:
    """Say whether a text is an address that the service takes."""
    return _EMAIL.fullmatch(written) is not None


def telephone(value: Any) -> str:
    """Read a telephone number in E.164."""
    written = text(value)
    if not _TELEPHONE.fullmatch(written):
        raise Invalid(["Invalid phone number. Please use E.164 format."])
    return written


def mapping(value: Any) -> dict[str, Any]:
    """Read an object of any content."""
    if not isinstance(value, dict):
        raise Invalid([f'Expected a dictionary of items but got type "{type(value).__name__}".'])
    return value


def choice(*choices: str) -> Callable[[Any], str]:
    """Read one of these words."""

    def read(value: Any) -> str:
        if value not in choices:
            raise Invalid([f'"{value}" is not a valid choice.'])
        return str(value)

    return read


def list_of(read_item: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    """Read a list; errors stand at their positions, with {} for the good ones."""

    def read(value: Any) -> list[Any]:
        if not isinstance(value, list):
            words = f'Expected a list of items but got type "{type(value).__name__}".'
            raise Invalid({"non_field_errors": [words]})
        items: list[Any] = []
        errors: list[Any] = []
        for item in value:
            try:
                items.append(read_item(item))
                errors.append({})
            except Invalid as invalid:
                errors.append(invalid.errors)
        if any(errors):
            raise Invalid(errors)
        return items

    return read
