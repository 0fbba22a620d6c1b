"""Issuers and badges as an operator writes them (contract.md section 4), checked in one go."""

from __future__ import annotations

import re
from calendar import monthrange
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from worker.awards import MOST_PER_CALL
from worker.rules.checking import criteria_problems
from worker.rules.criteria import Criterion, criterion_of
from worker.rules.problems import Path, Problem, problems_of

T = TypeVar("T", bound=BaseModel)

_SECONDS = r"([0-9]{1,9}(?:\.[0-9]{1,9})?)s"
_DURATION = re.compile(_SECONDS)
_RATE = re.compile(rf"([0-9]{{1,9}})/{_SECONDS}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_ISSUER_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_LONGEST_TIMEOUT = 120  # seconds that one call may take


@dataclass(frozen=True, slots=True)
class RateLimit:
    """So many calls in any `window` seconds (S3-03)."""

    calls: int
    window: float


def _seconds(value: object) -> object:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if not match:
        raise ValueError("a time in seconds, please, such as 60s")
    return float(match[1])


def _rate(value: object) -> object:
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if not match or int(match[1]) < 1 or float(match[2]) <= 0:
        raise ValueError("calls per seconds, please, such as 100/60s")
    return RateLimit(int(match[1]), float(match[2]))


def _write_seconds(seconds: float) -> str:
    return f"{Decimal(repr(seconds)):f}s"


def _write_rate(rate: RateLimit) -> str:
    return f"{rate.calls}/{_write_seconds(rate.window)}"


def _web_address(value: str) -> str:
    if not re.match(r"^https?://[^\s/]+", value):
        raise ValueError("a URL, please, such as https://example.org/badge.png")
    return value


_Url = Annotated[str, AfterValidator(_web_address)]
# What is stored is read again as it was written: both ways speak the operator's notation.
_Duration = Annotated[float, BeforeValidator(_seconds), Field(gt=0), PlainSerializer(_write_seconds)]
_Rate = Annotated[RateLimit, BeforeValidator(_rate), PlainSerializer(_write_rate)]
_Text = Annotated[str, StringConstraints(strict=True, min_length=1, pattern=r"^[^\x00]*$")]


class _Definition(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


def _without_nothing(self: Any, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
    """Write a definition without the fields that its provider does not have: older ones read it too."""
    return {name: value for name, value in write(self).items() if value is not None}


class Issuer(_Definition):
    """One connection to a provider, with one rate limit.

    `settle_after` is how many seconds after the sending an uncertain call may be looked up; `timeout` the
    total time of one call; `organization` whose templates they are at Credly.
    """

    provider: Literal["badgr", "credly"]
    url: _Url
    organization: Annotated[_Text | None, Field(validate_default=True)] = None
    rate_limit: _Rate = RateLimit(100, 60.0)
    settle_after: _Duration = 60.0
    timeout: _Duration = 30.0

    _write = model_serializer(mode="wrap")(_without_nothing)

    @field_validator("organization")
    @classmethod
    def _is_credlys(cls, value: str | None, others: ValidationInfo) -> str | None:
        provider = others.data.get("provider")
        if provider == "credly" and value is None:
            raise ValueError("missing: the id of your organization at Credly, please")
        if provider == "badgr" and value is not None:
            raise ValueError("only a credly issuer has one")
        return value

    @property
    def most_per_call(self) -> int:
        """Return how many awards one call takes: Credly has no call for several."""
        return MOST_PER_CALL if self.provider == "badgr" else 1

    @property
    def field(self) -> Literal["badgeclass", "template"]:
        """Return how a badge says what it is at this provider."""
        return "badgeclass" if self.provider == "badgr" else "template"


class IssueTo(_Definition):
    """Where a badge is issued: at which issuer, as which badge class (Badgr) or template (Credly)."""

    issuer: _Text
    badgeclass: _Text | None = None
    template: _Text | None = None

    _write = model_serializer(mode="wrap")(_without_nothing)

    @model_validator(mode="after")
    def _names_one_thing(self) -> Self:
        if (self.badgeclass is None) == (self.template is None):
            raise ValueError("a badgeclass (at Badgr) or a template (at Credly), please, and not both")
        return self

    @property
    def target(self) -> str:
        """Return the provider's id of the badge, whatever it calls it."""
        return self.badgeclass or self.template or ""

    @property
    def field(self) -> Literal["badgeclass", "template"]:
        """Return which of the two it is."""
        return "template" if self.badgeclass is None else "badgeclass"

    @property
    def needs_names(self) -> bool:
        """Return whether an award waits for both names too: Credly wants them."""
        return self.template is not None


class Evidence(_Definition):
    """One piece of evidence sent with each assertion; the provider wants at least one of the two."""

    url: _Url | None = None
    narrative: _Text | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.url is None and self.narrative is None:
            raise ValueError("a url or a narrative, please")
        return self


class Expiry(_Definition):
    """How long an assertion is good for, counted from `earned_at`."""

    amount: Annotated[int, Field(strict=True, gt=0, le=10_000)]
    duration: Literal["days", "weeks", "months", "years"]

    def after(self, at: datetime) -> datetime | None:
        """Return when it ends, or None beyond the calendar; the 31st becomes a shorter month's last day."""
        try:
            if self.duration in {"days", "weeks"}:
                return at + timedelta(**{self.duration: self.amount})
            months = at.month - 1 + self.amount * (12 if self.duration == "years" else 1)
            year, month = at.year + months // 12, months % 12 + 1
            return at.replace(year=year, month=month, day=min(at.day, monthrange(year, month)[1]))
        except (OverflowError, ValueError):
            return None


class Badge(_Definition):
    """One badge. Without `issue` it lives here alone: its awards end as `earned`."""

    title: _Text
    picture: _Url
    criteria: dict[str, Any]
    issue: IssueTo | None = None
    narrative: _Text | None = None
    evidence: tuple[Evidence, ...] = ()
    expires: Expiry | None = None
    notify: Annotated[bool, Field(strict=True)] = False
    status: Literal["published", "disabled"] = "published"

    @property
    def criterion(self) -> Criterion:
        """Return the one criterion of this badge."""
        return criterion_of(self.criteria)

    @property
    def published(self) -> bool:
        """Return whether it can be newly earned."""
        return self.status == "published"


@dataclass(frozen=True, slots=True)
class Definitions:
    """Every issuer and every badge of one badges file."""

    issuers: dict[str, Issuer]
    badges: dict[str, Badge]


def read_definitions(document: object) -> tuple[Definitions, list[Problem]]:
    """Return what is right in the document, and every problem in it."""
    if not isinstance(document, dict):
        return Definitions({}, {}), [Problem((), "a mapping with `issuers` and `badges`, please")]
    problems = [
        Problem((str(key),), "unknown; the file has `issuers` and `badges`")
        for key in document
        if key not in {"issuers", "badges"}
    ]
    issuers = _section(document, "issuers", Issuer, _ISSUER_ID, problems)
    badges = _section(document, "badges", Badge, _ID, problems)
    _check_criteria(badges, problems)
    _check_issuer_names(issuers, problems)
    _check_timeouts(issuers, problems)
    _check_issuing(document, issuers, badges, problems)
    return Definitions(issuers, badges), problems


def _section(
    document: dict[str, Any], name: str, model: type[T], pattern: re.Pattern[str], problems: list[Problem]
) -> dict[str, T]:
    written = document.get(name)
    if not isinstance(written, dict):
        if written is not None or name == "badges":
            problems.append(Problem((name,), "a mapping of ids to definitions, please"))
        return {}
    read: dict[str, T] = {}
    for key, fields in written.items():
        identifier = str(key)
        if not pattern.fullmatch(identifier):
            problems.append(Problem((name, identifier), f"an id like {pattern.pattern}, please"))
        if identifier in read:
            problems.append(Problem((name, identifier), "twice here, as a number and as text; rename one"))
        try:
            read[identifier] = model.model_validate(fields)
        except ValidationError as error:
            problems.extend(problems_of((name, identifier), error))
    return read


def _check_criteria(badges: dict[str, Badge], problems: list[Problem]) -> None:
    for badge_id, badge in list(badges.items()):
        place: Path = ("badges", badge_id, "criteria")
        found = criteria_problems(place, badge.criteria)
        if found:
            problems.extend(found)
            del badges[badge_id]


def _check_issuer_names(issuers: dict[str, Issuer], problems: list[Problem]) -> None:
    """Refuse two ids that would read the same credentials from the environment (contract.md section 2)."""
    named: dict[str, list[str]] = defaultdict(list)
    for issuer_id in issuers:
        named[issuer_id.upper().replace("-", "_")].append(issuer_id)
    for same in named.values():
        problems.extend(
            Problem(("issuers", issuer_id), f"reads the same credentials as issuer {same[0]}; rename one")
            for issuer_id in same[1:]
        )


def _check_timeouts(issuers: dict[str, Issuer], problems: list[Problem]) -> None:
    """Refuse a call that could take as long as a task may. What was stored before is read all the same."""
    problems.extend(
        Problem(("issuers", issuer_id, "timeout"), f"at most {_LONGEST_TIMEOUT}s, please")
        for issuer_id, issuer in issuers.items()
        if issuer.timeout > _LONGEST_TIMEOUT
    )


def _check_issuing(
    document: dict[str, Any], issuers: dict[str, Issuer], badges: dict[str, Badge], problems: list[Problem]
) -> None:
    section = document.get("issuers")
    written = {str(key) for key in section} if isinstance(section, dict) else set()
    taken: dict[tuple[str, str], str] = {}
    for badge_id, badge in badges.items():
        if badge.issue is None:
            continue
        if badge.issue.issuer not in written:
            known = ", ".join(issuers) or "none"
            problems.append(
                Problem(
                    ("badges", badge_id, "issue", "issuer"),
                    f"no issuer {badge.issue.issuer} here; known: {known}",
                )
            )
        place = ("badges", badge_id, "issue", badge.issue.field)
        issuer = issuers.get(badge.issue.issuer)
        if issuer is not None and issuer.field != badge.issue.field:
            problems.append(Problem(place, f"a badge of a {issuer.provider} issuer has a {issuer.field}"))
        elif badge.issue.field == "template":
            problems.extend(_evidence_without_url(badge_id, badge))
        first = taken.setdefault((badge.issue.issuer, badge.issue.target), badge_id)
        if first != badge_id:
            problems.append(Problem(place, f"badge {first} has this one already"))


def _evidence_without_url(badge_id: str, badge: Badge) -> list[Problem]:
    return [
        Problem(
            ("badges", badge_id, "evidence", index, "url"), "missing: Credly takes no evidence without one"
        )
        for index, evidence in enumerate(badge.evidence)
        if evidence.url is None
    ]
