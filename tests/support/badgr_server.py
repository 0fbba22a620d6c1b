"""A Badgr server that is not ours: the one that the environment names, to run the issuing contract against.

`BADGE_WORKER_TEST_BADGR_URL`, `…_USERNAME`, `…_PASSWORD`, `…_ISSUER` (its id) and `…_BADGECLASS` (the id of
one of its badge classes) name it; all are needed. Nothing is taken for granted of what it holds already.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from worker.adapters.badgr import BadgrClient, BadgrProvider, Credentials
from worker.adapters.tokens import MemoryTokens
from worker.awards import MOST_PER_CALL, Assertion
from worker.comparison import Held
from worker.ports import Leeway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from worker.awards import Grant, Outcome, Refusal
    from worker.ports import Changes, Permits

VARIABLE = "BADGE_WORKER_TEST_BADGR_"
_NAMES = ("url", "username", "password", "issuer", "badgeclass")
# Less than 100 in 60 s: whoever prepared the server has called it too.
_CALLS, _WINDOW, _DEADLINE = 90, 61.0, 30.0


@dataclass(frozen=True)
class Server:
    """A Badgr server with one issuer and one badge class of it."""

    url: str
    username: str
    password: str = field(repr=False)
    issuer: str
    badgeclass: str
    permits: Permits
    made: list[str] = field(default_factory=list)

    @cached_property
    def provider(self) -> BadgrProvider:
        credentials = Credentials(username=self.username, password=self.password)
        return BadgrProvider("academy", self.url, credentials, self.permits, MemoryTokens(), _DEADLINE)

    @cached_property
    def client(self) -> BadgrClient:
        return self.provider.client()

    def check(self) -> None:
        """Fail with a plain word if issuer and badge class do not fit together."""
        found = self.client.badgeclasses.get(self.badgeclass).issuer
        assert found == self.issuer, f"badge class {self.badgeclass} is one of issuer {found}"

    def tidy_up(self) -> None:
        """Revoke what the tests made."""
        for start in range(0, len(self.made), MOST_PER_CALL):
            some = self.made[start : start + MOST_PER_CALL]
            self.provider.revoke([(each, "made by a test") for each in some], lambda: None)


def named_server() -> Server | None:
    """Return the server that the environment names, or None."""
    found = {name: os.environ.get(VARIABLE + name.upper(), "") for name in _NAMES}
    if not any(found.values()):
        return None
    missing = [VARIABLE + name.upper() for name, value in found.items() if not value]
    if missing:
        raise pytest.UsageError(f"to test against a Badgr server, set {', '.join(missing)} too")
    told = f"{os.getuid()} {found['url']} {found['username']}"
    account = hashlib.sha256(told.encode()).hexdigest()[:16]
    pace = Pace(Path(tempfile.gettempdir()) / f"badge-worker-tests-{account}.json")
    url, username, password, issuer, badgeclass = found.values()
    return Server(url, username, password, issuer, badgeclass, pace)


class Pace:
    """The rate limit of all test processes on this machine together, one run after the other included.

    Whoever wants to call waits until there is room, however long.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def acquire(self, issuer: str, wait: float) -> Turn:
        del issuer, wait
        turn = Turn(self, secrets.token_hex(8), time.monotonic() + _DEADLINE)
        while (blocked := self._take(turn.id)) > 0:
            time.sleep(blocked)
            turn = replace(turn, call_by=time.monotonic() + _DEADLINE)
        return turn

    def room(self, issuer: str, within: float) -> int:
        del issuer, within
        return _CALLS

    def leeway(self, issuer: str) -> Leeway:
        del issuer
        return Leeway(_CALLS, 0.0, 0)

    def pause(self, issuer: str, seconds: float) -> None:
        del issuer
        with self._turns() as turns:
            turns |= {f"pause-{number}": time.time() + seconds for number in range(_CALLS)}

    def failed(self, issuer: str) -> int:
        del issuer
        return 1

    def succeeded(self, issuer: str) -> None:
        """Remember nothing of it."""

    def ends(self, turn: Turn, seconds: float) -> None:
        with self._turns() as turns:
            turns[turn.id] = time.time() + seconds

    def _take(self, turn: str) -> float:
        """Return 0 with the turn taken, else the seconds until there may be room."""
        with self._turns() as turns:
            now = time.time()
            for each in [each for each, end in turns.items() if end <= now]:
                del turns[each]
            if len(turns) >= _CALLS:
                return sorted(turns.values())[len(turns) - _CALLS] - now + 0.01
            turns[turn] = now + _WINDOW + _DEADLINE
            return 0

    @contextmanager
    def _turns(self) -> Iterator[dict[str, float]]:
        with self._path.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            turns: dict[str, float] = json.loads(file.read() or "{}")
            yield turns
            file.seek(0)
            file.truncate()
            json.dump(turns, file)


@dataclass(frozen=True, slots=True)
class Turn:
    """Leave to make one call."""

    pace: Pace
    id: str
    call_by: float

    def answered(self) -> None:
        self.pace.ends(self, _WINDOW)

    def unused(self) -> None:
        self.pace.ends(self, 0)


class Apart:
    """A provider as if one test were alone with it: its addresses are its own, and it sees only theirs.

    Every address gets a tag before its @ on the way there, and loses it on the way back. `badgeclasses` are
    the test's names for those over there. `addresses` are those that awards were asked for.
    """

    def __init__(self, server: Server, badgeclasses: Mapping[str, str]) -> None:
        self._provider = server.provider
        self._made = server.made
        self._there = badgeclasses
        self._here = {there: here for here, there in badgeclasses.items()}
        self._tag = f".{secrets.token_hex(5)}@"
        self.addresses: list[str] = []

    def issue(
        self, badgeclass: str, grants: Sequence[Grant], before_send: Callable[[], None]
    ) -> Sequence[Outcome]:
        self.addresses += [each.recipient for each in grants]
        tagged = [replace(each, recipient=self._tagged(each.recipient)) for each in grants]
        outcomes = self._provider.issue(self._there.get(badgeclass, badgeclass), tagged, before_send)
        self._made += [each.assertion_id for each in outcomes if isinstance(each, Assertion)]
        return [self._plain(each) if isinstance(each, Assertion) else each for each in outcomes]

    def find(self, badgeclass: str, recipients: Sequence[str]) -> Sequence[Assertion]:
        tagged = [self._tagged(each) for each in recipients]
        found = self._provider.find(self._there.get(badgeclass, badgeclass), tagged)
        return [self._plain(each) for each in found]

    def revoke(
        self, revocations: Sequence[tuple[str, str]], before_send: Callable[[], None]
    ) -> Sequence[Refusal | None]:
        return self._provider.revoke(revocations, before_send)

    def changed(self, since: datetime | None) -> Changes:
        """Return what changed, of the last hour alone: others may have filled years before."""
        lately = datetime.now(UTC) - timedelta(hours=1)
        return _OwnChanges(self, self._provider.changed(since or lately))

    def held(self, badgeclass: str) -> Iterable[Held]:
        return self.own(self._provider.held(self._there.get(badgeclass, badgeclass)))

    def check(self) -> None:
        self._provider.check()

    def badgeclass_exists(self, badgeclass: str) -> bool:
        return self._provider.badgeclass_exists(self._there.get(badgeclass, badgeclass))

    def own(self, held: Iterable[Held]) -> Iterator[Held]:
        """Yield what is this test's, in its words."""
        for each in held:
            if self._tag in each.assertion.recipient:
                yield Held(self._here.get(each.badgeclass, each.badgeclass), self._plain(each.assertion))

    def _tagged(self, address: str) -> str:
        return address.replace("@", self._tag)

    def _plain(self, assertion: Assertion) -> Assertion:
        return replace(assertion, recipient=assertion.recipient.replace(self._tag, "@"))


class _OwnChanges:
    def __init__(self, apart: Apart, changes: Changes) -> None:
        self._apart = apart
        self._changes = changes

    @property
    def timestamp(self) -> datetime | None:
        return self._changes.timestamp

    def __iter__(self) -> Iterator[Held]:
        return self._apart.own(self._changes)


class Near:
    """An instant as a server may keep it: less exactly than we do, by less than a second."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant

    def __eq__(self, other: object) -> bool:
        return isinstance(other, datetime) and abs(other - self._instant) < timedelta(seconds=1)

    def __hash__(self) -> int:
        raise TypeError("what is only near something has no hash")

    def __add__(self, more: timedelta) -> Near:
        return Near(self._instant + more)

    def __repr__(self) -> str:
        return f"about {self._instant}"


def near(instant: datetime) -> Any:
    """Return what equals every instant within a second."""
    return Near(instant)
