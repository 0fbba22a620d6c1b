"""The sample's people and what they do, as lines of one stream in the order of publication."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from examples.names import NAMES
from examples.oddities import broken_lines, unknown_events

# Not any number does: with some, when a badge was earned hinges on where a batch ends. The generator checks.
SEED = 2023
DAY = 86400
SPRING = datetime(2025, 3, 3, 8, 0, tzinfo=UTC)
WEEK = timedelta(days=7)
USERS = [str(1001 + number) for number in range(len(NAMES))]
ORDINARY = USERS[:40]  # the last ten have stories of their own
HUBS = ORDINARY[:6]  # who connects a lot
NO_ADDRESS_YET = {"1007", "1028"}
NEVER_AN_ADDRESS = "1033"
VETERANS = {*USERS[:22], "1045"}  # registered so long ago that ten years are over


class Stream:
    """Events with a place each in the order of publication; `rng` alone decides what is left to chance."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.placed: list[tuple[float, str]] = []

    def tell(
        self, kind: str, at: datetime, data: dict[str, Any], *, late: float = 0.0, place: float = 0
    ) -> None:
        """Publish an event at its time, or up to `late` days from it; `place` overrides the time."""
        event = {
            "specversion": "1.0",
            "id": f"evt-{len(self.placed) + 1:05}",
            "source": "https://lms.example.org",
            "type": kind,
            "time": self._written(at),
            "data": self._untidy(data),
        }
        if self.rng.random() < 0.1:
            event |= {
                "subject": "user/" + str(data.get("user_id", "-")),
                "datacontenttype": "application/json",
            }
        shift = self.rng.uniform(-late, late) * DAY
        self.placed.append(((place or at.timestamp()) + shift, json.dumps(event, ensure_ascii=False)))

    def _written(self, at: datetime) -> str:
        """Return the time in one of the ways in which platforms write it."""
        style = self.rng.randrange(10)
        if style == 0:
            return at.astimezone(timezone(timedelta(hours=2))).isoformat()
        if style == 1:
            return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return at.isoformat().replace("+00:00", "Z")

    def _untidy(self, data: dict[str, Any]) -> dict[str, Any]:
        """Return the data as some platforms send it: ids as numbers, fields that nobody asked for."""
        style = self.rng.randrange(12)
        if style == 0 and "user_id" in data:
            return {**data, "user_id": int(data["user_id"])}
        return {**data, "locale": "en"} if style == 1 else data


def sample_lines() -> list[str]:
    """Return the lines of the sample stream, the same ones each time."""
    rng = random.Random(SEED)
    stream = Stream(rng)
    _accounts(stream)
    for user_id in ORDINARY:
        _learning(stream, user_id)
        _posts(stream, user_id, rng.choice([0, 1, 3, 4, 4, 5, 6, 9, 11, 12, 20, 30]))
    _connections(stream)
    _special(stream)
    return _untidied(stream)


def _untidied(stream: Stream) -> list[str]:
    """Return the lines in order, with repetitions and oddities among them."""
    rng = stream.rng
    lines = [line for _, line in sorted(stream.placed)]
    for line in rng.sample(lines, len(lines) // 9):
        lines.insert(rng.randint(lines.index(line) + 1, len(lines)), line)
    broken = broken_lines()
    unknown = [json.dumps(event) for event in unknown_events()]
    for line in (*broken, broken[0], *unknown):
        lines.insert(rng.randint(60, len(lines)), line)
    return lines


def _accounts(stream: Stream) -> None:
    rng = stream.rng
    for number, (user_id, name) in enumerate(zip(USERS, NAMES, strict=True)):
        first, last = name.split()
        registered = datetime(2010 + number % 5, 1 + number % 12, 1 + number % 28, 9, number, tzinfo=UTC)
        if user_id not in VETERANS:
            registered = datetime(2025, 1, 2, 9, number, tzinfo=UTC) + timedelta(days=number)
        data: dict[str, Any] = {"user_id": user_id, "first_name": first, "last_name": last}
        data["uuid"] = str(_uuid(rng))
        if user_id not in NO_ADDRESS_YET | {NEVER_AN_ADDRESS}:
            data["email"] = _address(number, first, last)
        if user_id == "1044":
            data["scope"] = "ANONYMOUS"
        if user_id == "1050":
            data["scope"] = "ADMINISTRATOR"
        stream.tell("user.registered.v1", registered, data)
        if user_id in NO_ADDRESS_YET:
            later = SPRING + timedelta(days=60, minutes=number)
            email = _address(number, first, last)
            stream.tell("user.updated.v1", later, {"user_id": user_id, "email": email})
        elif rng.random() < 0.3:
            later = SPRING + timedelta(days=rng.randrange(80), minutes=number)
            stream.tell("user.updated.v1", later, {"user_id": user_id, "last_name": f"{last}-Meyer"})


def _uuid(rng: random.Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"


def _address(number: int, first: str, last: str) -> str:
    local = f"{first}.{last}".replace("ë", "e")
    domain = ("example.org", "example.net")[number % 2]
    return f"{local}@{domain}" if number % 7 == 3 else f"{local}@{domain}".lower()


def _sometime(stream: Stream, days: int = 88) -> datetime:
    return SPRING + timedelta(seconds=stream.rng.randrange(days * DAY))


def _learning(stream: Stream, user_id: str) -> None:
    rng = stream.rng
    for path, share in (("40", 0.75), ("41", 0.7), ("42", 0.3), ("43", 0.3), ("12", 0.2), ("44", 0.4)):
        if rng.random() < share:
            enrolled = _sometime(stream, 60)
            _enrol(stream, user_id, path, enrolled)
            if rng.random() < 0.75:
                _complete(stream, user_id, path, enrolled + timedelta(days=rng.randint(3, 25), minutes=7))
            elif rng.random() < 0.5:
                left = {"user_id": user_id, "learning_path_id": path}
                stream.tell("learning_path.unenrolled.v1", enrolled + timedelta(days=2), left, late=1.5)
    if rng.random() < 0.1:  # a completion whose enrolment nobody reported
        _complete(stream, user_id, "40", _sometime(stream))


def _enrol(stream: Stream, user_id: str, path: str, at: datetime, late: float = 1.5) -> None:
    data = {"user_id": user_id, "learning_path_id": path}
    stream.tell("learning_path.enrolled.v1", at, data, late=late)


def _complete(stream: Stream, user_id: str, path: str, at: datetime, late: float = 1.5) -> None:
    """Complete a path in one of the ways there are; who fails may pass at a second attempt."""
    verdicts: list[dict[str, Any]] = [
        {"passed": True},
        {"passed": True, "score": 91.5, "required_score": 80},
        {"passed": None, "score": 80, "required_score": 80},
        {"passed": None, "score": 79, "required_score": 80},
        {"passed": None},
        {"passed": False, "score": 40, "required_score": 80},
        {"passed": False, "score": 85, "required_score": 80},  # the flag decides
    ]
    verdict = stream.rng.choice(verdicts)
    data = {"user_id": user_id, "learning_path_id": path}
    stream.tell("learning_path.completed.v1", at, {**data, **verdict}, late=late)
    if verdict["passed"] is False and stream.rng.random() < 0.5:
        again = at + timedelta(days=4)
        stream.tell("learning_path.completed.v1", again, {**data, "passed": True}, late=late)


def _posts(stream: Stream, user_id: str, number: int, late: float = 1.0) -> None:
    for one in range(number):
        data: dict[str, Any] = {"user_id": user_id, "post_id": f"p-{user_id}-{one}"}
        if one % 3 == 2:
            data["parent_post_id"] = f"p-1001-{one}"
        stream.tell("post.created.v1", _sometime(stream), data, late=late)


def _connect(stream: Stream, one: str, other: str, at: datetime, late: float = 0.5) -> None:
    pair = [one, other]
    stream.rng.shuffle(pair)
    stream.tell("connection.established.v1", at, {"user_ids": pair}, late=late)


def _connections(stream: Stream) -> None:
    """Connect the hubs with many people, and a few others with each other; no pair twice."""
    rng = stream.rng
    crowd = ORDINARY[6:]
    for number, hub in enumerate(HUBS):
        start = SPRING + timedelta(days=5 + 9 * number, minutes=number)
        others = crowd[number * 5 : number * 5 + 10]
        for step, other in enumerate(others):
            _connect(stream, hub, other, start + _pace(number, step))
    pairs = [(one, other) for one in crowd for other in crowd if one < other]
    for one, other in rng.sample(pairs, 40):
        _connect(stream, one, other, _sometime(stream))


def _pace(number: int, step: int) -> timedelta:
    """Return when a hub makes its connection number `step`, of ten, after the first."""
    if number == 0:
        return WEEK * step / 9  # the last one to the second
    if number == 1:
        return WEEK * step / 9 + timedelta(seconds=step // 9)  # a second too late
    if number == 5:
        return timedelta(days=6 * step)  # never in a hurry
    return timedelta(hours=15 * step, minutes=number)


def _special(stream: Stream) -> None:
    """Tell the stories of those who are blocked, who leave, and who take something back."""
    for story in (_blocked, _gone, _blocked_on_the_day, _disconnected, _thought_better_of):
        story(stream)
    _enrol(stream, "1050", "40", SPRING + timedelta(days=12), late=0)


def _works(stream: Stream, user_id: str, days: int) -> None:
    """Do what earns three badges, on that day of the spring."""
    at = SPRING + timedelta(days=days, minutes=int(user_id) % 50)
    _enrol(stream, user_id, "40", at, late=0)
    done = {"user_id": user_id, "learning_path_id": "41", "passed": True}
    stream.tell("learning_path.completed.v1", at + timedelta(hours=3), done)
    for one in range(6):
        post = {"user_id": user_id, "post_id": f"p-{user_id}-{one}"}
        stream.tell("post.created.v1", at + timedelta(hours=4 + one), post)


def _blocked(stream: Stream) -> None:
    """Block 1041 and 1042 (the latter for good), and 1046 by its account being made inactive."""
    for user_id in ("1041", "1042"):
        stream.tell("user.blocked.v1", SPRING + timedelta(days=3), {"user_id": user_id})
        _works(stream, user_id, 6)
    stream.tell("user.unblocked.v1", SPRING + timedelta(days=20), {"user_id": "1041"})
    stream.tell("user.updated.v1", SPRING + timedelta(days=4), {"user_id": "1046", "is_active": False})
    _works(stream, "1046", 9)
    stream.tell("user.updated.v1", SPRING + timedelta(days=30), {"user_id": "1046", "is_active": True})


def _gone(stream: Stream) -> None:
    """Delete 1043, whose last work is reported afterwards; 1044 is anonymous throughout."""
    post = {"user_id": "1043", "post_id": "p-1043-last"}
    stream.tell("post.created.v1", SPRING + timedelta(days=1), post)
    stream.tell("user.deleted.v1", SPRING + timedelta(days=15), {"user_id": "1043"})
    _works(stream, "1043", 17)
    _works(stream, "1044", 18)


def _blocked_on_the_day(stream: Stream) -> None:
    """Let 1045 be blocked while the ten years end; the news of it come before those of the account."""
    user, first = {"user_id": "1045"}, datetime(2009, 12, 31, tzinfo=UTC).timestamp()
    stream.tell("user.blocked.v1", datetime(2024, 7, 1, tzinfo=UTC), user, place=first)
    stream.tell("user.unblocked.v1", datetime(2024, 12, 24, tzinfo=UTC), user)


def _disconnected(stream: Stream) -> None:
    """Keep 1047 at four connections by taking one away, and let 1049 have one pair twice."""
    for step, other in enumerate(ORDINARY[20:25]):
        at = SPRING + timedelta(days=10 + step, minutes=1)
        _connect(stream, "1047", other, at, late=0)
        if step == 1:
            removed = {"user_ids": ["1047", other]}
            stream.tell("connection.removed.v1", at + timedelta(hours=5), removed)
    for step, other in enumerate(ORDINARY[25:30]):
        at = SPRING + timedelta(days=20 + step, minutes=2)
        _connect(stream, "1049", other, at, late=0)
        if step == 0:
            removed = {"user_ids": [other, "1049"]}
            stream.tell("connection.removed.v1", at + timedelta(hours=5), removed)
            _connect(stream, "1049", other, at + timedelta(days=1, hours=7), late=0)


def _thought_better_of(stream: Stream) -> None:
    """Keep 1048 at four posts: of six, one is deleted after it came, and one before."""
    for one in range(6):
        at = SPRING + timedelta(days=25 + one, minutes=3)
        post = {"user_id": "1048", "post_id": f"p-1048-{one}"}
        stream.tell("post.created.v1", at, post)
        if one in {1, 4}:
            early = at.timestamp() - DAY / 2 if one == 4 else 0  # overtakes what it deletes
            stream.tell("post.deleted.v1", at + timedelta(hours=2), post, place=early)
