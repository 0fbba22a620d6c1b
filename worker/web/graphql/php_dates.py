"""Instants as text in PHP's `date()` notation (Q-33), which is what clients of this API write."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

DEFAULT = "d/m/Y"
_ISO = "Y-m-d\\TH:i:sP"
_RFC_2822 = "D, d M Y H:i:s O"
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_TEENS = (11, 12, 13)


def _suffix(at: datetime) -> str:
    if at.day in _TEENS:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(at.day % 10, "th")


def _days_in_month(at: datetime) -> str:
    following = (at.year + at.month // 12, at.month % 12 + 1)
    return str((datetime(*following, 1, tzinfo=UTC) - datetime(at.year, at.month, 1, tzinfo=UTC)).days)


def _is_leap(at: datetime) -> str:
    return str(int(at.year % 4 == 0 and (at.year % 100 != 0 or at.year % 400 == 0)))


def _offset(at: datetime, separator: str) -> str:
    seconds = int(at.utcoffset().total_seconds())  # type: ignore[union-attr]  # it has a zone
    hours, minutes = divmod(abs(seconds) // 60, 60)
    return f"{'-' if seconds < 0 else '+'}{hours:02d}{separator}{minutes:02d}"


def _hour_of_twelve(at: datetime) -> int:
    return at.hour % 12 or 12


def _swatch_beats(at: datetime) -> str:
    biel = at.astimezone(UTC)
    seconds = (biel.hour * 3600 + biel.minute * 60 + biel.second + 3600) % 86400
    return f"{seconds * 10 // 864:03d}"


def _unix(at: datetime) -> int:
    return int(at.timestamp() // 1)


_TOKENS: dict[str, Callable[[datetime], str]] = {
    # days
    "d": lambda at: f"{at.day:02d}",
    "D": lambda at: _DAYS[at.weekday()][:3],
    "j": lambda at: str(at.day),
    "l": lambda at: _DAYS[at.weekday()],
    "N": lambda at: str(at.isoweekday()),
    "S": _suffix,
    "w": lambda at: str(at.isoweekday() % 7),
    "z": lambda at: str(at.timetuple().tm_yday - 1),
    # weeks, months and years
    "W": lambda at: f"{at.isocalendar().week:02d}",
    "F": lambda at: _MONTHS[at.month - 1],
    "m": lambda at: f"{at.month:02d}",
    "M": lambda at: _MONTHS[at.month - 1][:3],
    "n": lambda at: str(at.month),
    "t": _days_in_month,
    "L": _is_leap,
    "o": lambda at: str(at.isocalendar().year),
    "Y": lambda at: f"{at.year:04d}",
    "y": lambda at: f"{at.year % 100:02d}",
    # times
    "a": lambda at: "am" if at.hour < 12 else "pm",  # noqa: PLR2004 # noon
    "A": lambda at: "AM" if at.hour < 12 else "PM",  # noqa: PLR2004 # noon
    "B": _swatch_beats,
    "g": lambda at: str(_hour_of_twelve(at)),
    "G": lambda at: str(at.hour),
    "h": lambda at: f"{_hour_of_twelve(at):02d}",
    "H": lambda at: f"{at.hour:02d}",
    "i": lambda at: f"{at.minute:02d}",
    "s": lambda at: f"{at.second:02d}",
    "u": lambda at: f"{at.microsecond:06d}",
    "v": lambda at: f"{at.microsecond // 1000:03d}",
    # zones
    "e": lambda at: str(at.tzinfo),
    "I": lambda at: str(int(bool(at.dst()))),
    "O": lambda at: _offset(at, ""),
    "P": lambda at: _offset(at, ":"),
    "p": lambda at: "Z" if not at.utcoffset() else _offset(at, ":"),
    "T": lambda at: at.tzname() or "",
    "Z": lambda at: str(int(at.utcoffset().total_seconds())),  # type: ignore[union-attr]  # it has a zone
    # whole ones
    "c": lambda at: php_date(_ISO, at),
    "r": lambda at: php_date(_RFC_2822, at),
    "U": lambda at: str(_unix(at)),
}


def php_date(notation: str, at: datetime, zone: tzinfo | None = None) -> str:
    """Return an instant as PHP writes it; a backslash lets the next character stand for itself."""
    local = at if zone is None else at.astimezone(zone)
    written: list[str] = []
    characters = iter(notation)
    for character in characters:
        if character == "\\":
            written.append(next(characters, ""))
        else:
            token = _TOKENS.get(character)
            written.append(token(local) if token else character)
    return "".join(written)
