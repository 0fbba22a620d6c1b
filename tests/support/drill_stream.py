"""The stream of the ingestion drill: the measured mix, and what makes its end the same in any order.

Several consumers, killed now and then, process a stream in an order of their own, and that decides who earns
where something is taken away. So all removals, blocks, deletions and losses of scope are a part of their own,
`before`, and done with before the rest begins: whatever they take away was never there. Nor is any pair
established twice. Then awards and counts have one right answer, to the last one.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks import mix
from tests.support import bodies as say
from tests.support.broken import BROKEN

BROKEN_SHARE, UNKNOWN_SHARE, REPEATED_SHARE, REMOVED_SHARE = 0.01, 0.005, 0.05, 0.01
BARRED_SHARE = 0.02  # of the people: for each of the four ways to be barred
PEOPLE_SHARE = 0.05  # people by events
FIRST_REGISTRATION = datetime(2023, 1, 1, tzinfo=UTC)
REGISTERED_SHARE, ADDRESSED_SHARE = 0.7, 0.8  # of the people; of those


@dataclass(frozen=True, slots=True)
class Stream:
    """What is published: `before`, and once that is done, `rest`. `reasons` by broken body."""

    definitions: dict[str, Any]
    before: list[bytes]
    rest: list[bytes]
    reasons: dict[bytes, str] = field(default_factory=dict)
    repeated: int = 0
    unknown: int = 0

    @property
    def bodies(self) -> list[bytes]:
        return self.before + self.rest


def stream(events: int, seed: int) -> Stream:
    """Return a stream of so many deliveries; the same for a seed."""
    return _Making(events, seed).stream()


def definitions() -> dict[str, Any]:
    """Return the badges of the mix, half of them with an issuer: their awards wait for an address."""
    made = mix.definitions()
    for number, (badge_id, written) in enumerate(made["badges"].items()):
        if number % 2:
            written["issue"] = {"issuer": "academy", "badgeclass": f"class-{badge_id}".ljust(22, "0")}
    made["issuers"] = {"academy": {"provider": "badgr", "url": "https://api.badgr.io"}}
    return made


class _Making:
    def __init__(self, events: int, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311 # repeatable, not secret
        self._events = events
        self._seed = seed
        self._people = [str(number) for number in range(max(50, int(events * PEOPLE_SHARE)))]
        self._before: list[bytes] = []
        self._rest: list[bytes] = []

    def stream(self) -> Stream:
        self._barred()
        self._registrations()
        self._mix()
        reasons = self._broken()
        unknown = self._unknown()
        repeated = int(self._events * REPEATED_SHARE)
        self._rest += self._rng.choices(self._rest, k=repeated)
        self._rng.shuffle(self._before)
        self._rng.shuffle(self._rest)
        return Stream(definitions(), self._before, self._rest, reasons, repeated, unknown)

    def _when(self) -> datetime:
        return mix.START + timedelta(seconds=self._rng.uniform(0, self._events))

    def _barred(self) -> None:
        """Block some for good and some for a while; delete some; let some be anonymous."""
        each = max(1, int(len(self._people) * BARRED_SHARE))
        blocked, for_a_while, deleted, anonymous = (self._rng.sample(self._people, each) for _ in range(4))
        self._before += [say.blocked(self._when(), who) for who in blocked]
        self._before += [say.deleted(self._when(), who) for who in deleted]
        self._before += [say.updated(self._when(), who, scope="ANONYMOUS") for who in anonymous]
        for who in sorted(set(for_a_while) - set(blocked)):
            since = self._when()
            self._before.append(say.blocked(since, who))
            self._rest.append(say.unblocked(since + timedelta(seconds=self._rng.uniform(1, 5e4)), who))

    def _registrations(self) -> None:
        days = (mix.START - FIRST_REGISTRATION).days
        for number, who in enumerate(self._people):
            if self._rng.random() > REGISTERED_SHARE:
                continue
            when = FIRST_REGISTRATION + timedelta(days=self._rng.randrange(days), seconds=number)
            address = {"email": f"u{who}@Example.org"} if self._rng.random() < ADDRESSED_SHARE else {}
            self._rest.append(say.registered(when, who, **address))

    def _mix(self) -> None:
        """Take what the mix makes, each thing once; remove some of it again, which comes before it."""
        pairs: set[frozenset[str]] = set()
        most = self._events * (1 - BROKEN_SHARE - UNKNOWN_SHARE - REPEATED_SHARE)
        for body in dict.fromkeys(mix.events(self._events, self._seed)):
            if len(self._before) + len(self._rest) >= most:
                break
            event = json.loads(body)
            if event["type"] == "connection.established.v1":
                if (pair := self._pair(event)) is None or pair in pairs:
                    continue
                pairs.add(pair)
            elif "user_id" in event["data"]:
                event["data"]["user_id"] = self._person(event["data"]["user_id"])
            self._keep(event)

    def _person(self, user_id: str) -> str:
        return self._people[int(user_id) % len(self._people)]

    def _pair(self, event: dict[str, Any]) -> frozenset[str] | None:
        """Let it be of our people; None where those two would be one."""
        event["data"]["user_ids"] = [self._person(who) for who in event["data"]["user_ids"]]
        pair = frozenset(event["data"]["user_ids"])
        return pair if len(pair) == 2 else None

    def _keep(self, event: dict[str, Any]) -> None:
        body = json.dumps(event).encode()
        if event["type"] in {"post.deleted.v1", "connection.removed.v1"}:
            self._before.append(body)
            return
        self._rest.append(body)
        if self._rng.random() < REMOVED_SHARE * 2 and event["type"] in _REMOVALS:
            removal = {**event, "type": _REMOVALS[event["type"]], "id": f"{event['id']}-removed"}
            later = self._rng.choice([-1, 0, 1])  # a connection after its removal is live
            removal["time"] = (datetime.fromisoformat(event["time"]) + timedelta(hours=later)).isoformat()
            self._before.append(json.dumps(removal).encode())

    def _broken(self) -> dict[bytes, str]:
        kinds = list(BROKEN.values())
        count = max(len(kinds), int(self._events * BROKEN_SHARE))
        chosen = [(number, kinds[number % len(kinds)]) for number in range(count)]
        reasons = {kind.make(number): kind.said for number, kind in chosen}
        self._rest += reasons
        return reasons

    def _unknown(self) -> int:
        made = [say.event("course.rated", self._when()) for _ in range(int(self._events * UNKNOWN_SHARE))]
        self._rest += made
        return len(made)


_REMOVALS = {"post.created.v1": "post.deleted.v1", "connection.established.v1": "connection.removed.v1"}
