"""Users: what is known of a person, and how news is merged into it (design.md section 1).

Each profile field keeps the time of the event that set it: the latest wins, older news fills an empty field.
Registration is the earliest seen, deletion is final, every block and unblock is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

ANONYMOUS = "ANONYMOUS"
FIELDS = ("email", "first_name", "last_name", "uuid", "scope")


class Told(NamedTuple):
    """A profile field's value and the time of the event that told it."""

    value: str
    at: datetime


@dataclass(frozen=True, slots=True)
class User:
    """A person as known so far. `profile` holds only the fields that were told."""

    user_id: str
    profile: dict[str, Told] = field(default_factory=dict)
    registered_at: datetime | None = None
    deleted_at: datetime | None = None

    @property
    def email(self) -> str | None:
        """Return the address to award to."""
        told = self.profile.get("email")
        return told.value if told else None

    @property
    def has_names(self) -> bool:
        """Return whether both names are known, and not blank."""
        told = [self.profile.get(name) for name in ("first_name", "last_name")]
        return all(each is not None and each.value.strip() for each in told)

    def may_receive(self, *, with_names: bool) -> bool:
        """Return whether everything is known that an issuer needs: an address, for some both names too."""
        return bool(self.email) and (self.has_names or not with_names)

    @property
    def may_earn(self) -> bool:
        """Return whether the account is one that can earn badges at all; blocks are asked apart (Q-27)."""
        scope = self.profile.get("scope")
        return self.deleted_at is None and not (scope is not None and scope.value == ANONYMOUS)

    def merged(self, news: UserNews) -> User:
        """Return this user with news in it; merging the same news again changes nothing."""
        profile = dict(self.profile)
        for name, value in news.profile.items():
            known, told = profile.get(name), Told(value, news.at)
            # Equal times are settled by the value, so that the order of arrival settles nothing.
            if known is None or (told.at, told.value) > (known.at, known.value):
                profile[name] = told
        return replace(
            self,
            profile=profile,
            registered_at=_earliest(self.registered_at, news.registered_at),
            deleted_at=_earliest(self.deleted_at, news.deleted_at),
        )


@dataclass(frozen=True, slots=True)
class UserNews:
    """What one event tells of one user. `blocked` True or False is a block or unblock at `at`."""

    user_id: str
    at: datetime
    profile: dict[str, str] = field(default_factory=dict)
    registered_at: datetime | None = None
    deleted_at: datetime | None = None
    blocked: bool | None = None

    @property
    def takes_away(self) -> bool:
        """Return whether the user may earn less after this: then a batch is cut before it (design.md 1.4)."""
        return self.blocked is True or self.deleted_at is not None or self.profile.get("scope") == ANONYMOUS


@dataclass(frozen=True, slots=True)
class Block:
    """A block (or the end of one) at an instant."""

    at: datetime
    blocked: bool


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    if one is None or other is None:
        return one or other
    return min(one, other)
