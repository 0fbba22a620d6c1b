"""From Opigno's webhooks to events.

Opigno publishes the names of its triggers, and that the secret comes back word for word in a header, but not
what the calls carry (facts section 3.1). So where things stand in them is a setting, and its default is an
assumption: compare it with the first call that comes in.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from worker.errors import ConfigurationError, InvalidEvent
from worker.settings import PREFIX

EVENTS = {
    "USER_REGISTERED_TO_TRAINING": "learning_path.enrolled.v1",
    "USER_COMPLETED_TRAINING": "learning_path.completed.v1",
}
_VARIABLE = f"{PREFIX}OPIGNO_WEBHOOK_PATHS"
_NEEDED = ("trigger", "user_id", "learning_path_id")
_OF_COMPLETIONS = ("passed", "score", "required_score")
_FIELDS = (*_NEEDED, "id", "time", *_OF_COMPLETIONS)
_STEP = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")  # what is no such name may be an address, or any text
_MOST_NAMES = 40  # of a call that is not understood, in the log


@dataclass(frozen=True, slots=True)
class Call:
    """A webhook call: its trigger, and the event that it stands for, if it stands for one."""

    trigger: str
    event: bytes | None


class Paths:
    """Where things stand in a call: for each field one path, or several, of which the first found counts."""

    def __init__(self, paths: Mapping[str, list[str]]) -> None:
        self._paths = paths

    @classmethod
    def of(cls, setting: str) -> Self:
        """Read `field=path[|path], …`; raises ConfigurationError."""
        paths: dict[str, list[str]] = {}
        for entry in filter(None, (each.strip() for each in setting.split(","))):
            name, _, value = entry.partition("=")
            found = [path.strip() for path in value.split("|")]
            if name.strip() not in _FIELDS or not all(found):
                fields = ", ".join(_FIELDS)
                raise ConfigurationError(f"{_VARIABLE}: {entry!r}: field=path[|path], please, of {fields}")
            paths[name.strip()] = found
        if missing := [name for name in _NEEDED if name not in paths]:
            raise ConfigurationError(f"{_VARIABLE}: {missing[0]}: missing")
        return cls(paths)

    def read(self, body: bytes, now: datetime) -> Call:
        """Return what a call means; raises InvalidEvent naming the field that is not there."""
        try:
            payload = json.loads(body)
        except (ValueError, RecursionError):
            raise InvalidEvent("body: not JSON") from None
        if not isinstance(payload, dict):
            raise InvalidEvent("body: not a JSON object")
        trigger = self._find(payload, "trigger")
        if not isinstance(trigger, str):
            raise self._missing("trigger")
        kind = EVENTS.get(trigger)
        return Call(trigger, self._event(kind, trigger, payload, now) if kind else None)

    def _event(self, kind: str, trigger: str, payload: dict[str, Any], now: datetime) -> bytes:
        data = {name: self._find(payload, name) for name in ("user_id", "learning_path_id")}
        for name, value in data.items():
            if value is None:
                raise self._missing(name)
        at = _instant(self._find(payload, "time"), now)
        named = self._find(payload, "id")
        known_by = str(named) if isinstance(named, str | int) else _fingerprint(trigger, *data.values(), at)
        if kind == EVENTS["USER_COMPLETED_TRAINING"]:
            data |= {name: self._find(payload, name) for name in _OF_COMPLETIONS}
        event = {
            "specversion": "1.0",
            "id": known_by,
            "source": "opigno",
            "type": kind,
            "time": at,
            "data": data,
        }
        return json.dumps(event).encode()

    def _find(self, payload: dict[str, Any], name: str) -> Any:
        for path in self._paths.get(name, ()):
            found: Any = payload
            for step in path.split("."):
                found = found.get(step) if isinstance(found, dict) else None
            if found is not None:
                return found
        return None

    def _missing(self, name: str) -> InvalidEvent:
        return InvalidEvent(f"{name}: nothing stands at {' or '.join(self._paths[name])} ({_VARIABLE})")


def names_in(body: bytes) -> list[str]:
    """Return the names in a call, without any value: what an operator needs in order to set the paths.

    A key that does not look like a name is shown as `*`.
    """
    try:
        return sorted(_names(json.loads(body), ""))[:_MOST_NAMES]
    except (ValueError, RecursionError):
        return []


def _names(value: object, path: str) -> set[str]:
    if not isinstance(value, dict):
        return {path.removeprefix(".")[:200]} if path else set()
    return {
        name
        for key, part in value.items()
        for name in _names(part, f"{path}.{key if _STEP.fullmatch(key) else '*'}")
    }


def _instant(told: object, now: datetime) -> object:
    """Return the time that the call tells, by Unix seconds or as text; untold, it is when the call came."""
    if isinstance(told, int | float) and not isinstance(told, bool):
        try:
            return datetime.fromtimestamp(told, UTC).isoformat()
        except (ValueError, OverflowError, OSError):
            raise InvalidEvent("time: not a time of this calendar") from None
    return now.isoformat() if told is None else told


def _fingerprint(*parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
