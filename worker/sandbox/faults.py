"""Faults for tests and drills: rules that say which calls go wrong, and how (contract section 6)."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, field_validator, model_validator

SIGN_IN_PATH = "/o/token"
CREDLY_PATH = "/v1/"  # where every call signs in by itself

FaultName = Literal[
    "slow",
    "error_before",
    "error_after",
    "drop_before",
    "drop_after",
    "throttle",
    "expire_tokens",
    "refuse_sign_in",
    "maintenance",
]


class Rule(BaseModel):
    """Which calls a fault befalls.

    Without `rate` and `times` it is every call that matches. `path` is a regular expression looked for
    anywhere in the path. `seconds` is the delay of `slow`, or from and to, or the Retry-After of `throttle`
    (None: without the header). `when` says whether `slow` comes before or after the work. `saved` lets
    that many items of a batch be saved before `error_after` or `drop_after`. `status` is what the
    `error_` faults answer. `error` is what `refuse_sign_in` says.
    """

    model_config = ConfigDict(extra="forbid")

    fault: FaultName
    rate: float | None = Field(default=None, ge=0, le=1)
    times: int | None = Field(default=None, ge=1)
    path: str | None = None
    method: str | None = None
    account: str | None = None
    seconds: float | tuple[float, float] | None = None
    when: Literal["before", "after"] = "before"
    saved: int | None = Field(default=None, ge=0)
    status: int = Field(default=500, ge=500, le=599)
    error: str | None = None
    applied: int = Field(default=0, ge=0)

    @field_validator("path")
    @classmethod
    def _is_a_pattern(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _has_a_delay(self) -> Rule:
        if self.fault == "slow" and self.seconds is None:
            raise ValueError("slow needs seconds")
        return self

    def matches(self, method: str, path: str, account: str | None) -> bool:
        """Say whether a call is of the kind that this rule is about."""
        if not self._can_befall(method, path, account):
            return False
        return (
            (self.times is None or self.applied < self.times)
            and (self.method is None or self.method.upper() == method)
            and (self.account is None or self.account == account)
            and (self.path is None or re.search(self.path, path) is not None)
        )

    def _can_befall(self, method: str, path: str, account: str | None) -> bool:
        """Keep faults that only some calls can suffer from being used up by others."""
        signing_in = path == SIGN_IN_PATH
        match self.fault:
            case "refuse_sign_in":
                return signing_in or path.startswith(CREDLY_PATH)
            case "expire_tokens":
                return account is not None and not signing_in and not path.startswith(CREDLY_PATH)
            case "maintenance":
                return method == "POST"
            case _:
                return True


@dataclass(slots=True)
class Fate:
    """What is to happen to one call."""

    rules: list[Rule] = field(default_factory=list)
    delays: dict[str, float] = field(default_factory=dict)

    def has(self, fault: FaultName) -> Rule | None:
        """Return the first rule of this fault, if it befalls the call."""
        return next((rule for rule in self.rules if rule.fault == fault), None)

    @property
    def saved(self) -> int | None:
        """How many items of a batch are saved before it breaks; None means all."""
        return next((rule.saved for rule in self.rules if rule.saved is not None), None)


class Faults:
    """The rules in force. `seed` in a request makes the dice fall the same way every time."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._dice = random.Random()  # noqa: S311  # dice for drills, no secret

    def add(self, document: Any) -> None:
        """Add a rule, a list of them or ``{"seed": n, "rules": […]}``; raises pydantic's ValidationError."""
        if isinstance(document, dict) and "rules" in document:
            rules = TypeAdapter(list[Rule]).validate_python(document["rules"])
            if document.get("seed") is not None:
                self._dice.seed(document["seed"])
        elif isinstance(document, list):
            rules = TypeAdapter(list[Rule]).validate_python(document)
        else:
            rules = [Rule.model_validate(document)]
        self._rules += rules

    def clear(self) -> None:
        """Take every rule away."""
        self._rules = []

    def listed(self) -> list[dict[str, Any]]:
        """Return the rules with how often each was applied."""
        return [rule.model_dump(mode="json", exclude_none=True) for rule in self._rules]

    def befall(self, method: str, path: str, account: str | None) -> Fate:
        """Throw the dice for one call, once for each rule that it matches."""
        fate = Fate()
        for rule in self._rules:
            if not rule.matches(method, path, account):
                continue
            if rule.rate is not None and self._dice.random() >= rule.rate:
                continue
            rule.applied += 1
            fate.rules.append(rule)
            if rule.fault in {"slow", "throttle"}:
                moment = rule.when if rule.fault == "slow" else "throttle"
                fate.delays[moment] = fate.delays.get(moment, 0.0) + self._delay(rule)
        return fate

    def _delay(self, rule: Rule) -> float:
        low, high = rule.seconds if isinstance(rule.seconds, tuple) else (rule.seconds or 0.0,) * 2
        return self._dice.uniform(low, high)
