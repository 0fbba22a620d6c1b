"""A second reading of the rules by brute force, to hold the worker against. It shares no code with it.

Every event that was ever seen is kept, nothing is counted ahead, and each question is answered from the
beginning. Slow on purpose: what is plain here is clever there.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from examples.bodies import PROFILE, Event, NotAnEvent, read_event

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

KINDS = ("enrolled", "completed", "passed", "post", "connected")


def _lists() -> dict[Any, list[Any]]:
    return defaultdict(list)


@dataclass
class Person:
    """All that was ever said of one person."""

    registered: list[datetime] = field(default_factory=list)
    profile: dict[str, list[tuple[datetime, str]]] = field(default_factory=_lists)
    blocks: list[tuple[datetime, bool]] = field(default_factory=list)
    deleted: bool = False
    began: dict[tuple[str, str], list[datetime]] = field(default_factory=_lists)
    ended: dict[tuple[str, str], list[datetime]] = field(default_factory=_lists)

    def said(self, name: str) -> str | None:
        """Return the latest that was said of this profile field."""
        news = self.profile.get(name)
        return max(news)[1] if news else None

    def counted(self, kind: str, object_id: str | None = None) -> list[datetime]:
        """Return since when each live activity of a kind (and object) counts, in order."""
        keys = [key for key in self.began if key[0] == kind and object_id in {None, key[1]}]
        times = [_counted_at(kind, self.began[key], self.ended.get(key, [])) for key in keys]
        return sorted(time for time in times if time is not None)


@dataclass(frozen=True)
class Award:
    """One badge of one person. `state` is issued, waiting (no address) or earned (no issuer)."""

    user_id: str
    badge_id: str
    earned_at: datetime
    state: str
    recipient: str | None


@dataclass
class Reading:
    """What a stream of bodies leads to; `dead_letters` holds one (reason, body) for each delivery.

    `people` is all that was told, for those who ask why.
    """

    awards: dict[tuple[str, str], Award] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    dead_letters: list[tuple[str, bytes]] = field(default_factory=list)
    ignored: int = 0
    people: dict[str, Person] = field(default_factory=dict, compare=False)  # in the order it was told


def replay(
    definitions: Mapping[str, Any], bodies: Iterable[bytes | str], now: datetime, *, in_order: bool = False
) -> Reading:
    """Return what the definitions (a badges file, parsed) make of these bodies at the instant `now`.

    Without `in_order` everybody is judged once, at the end: right for any order of a stream in which
    nothing is taken away. With it everybody is judged after each event, and what was awarded stays.
    """
    people: dict[str, Person] = defaultdict(Person)
    reading = Reading()
    for body in bodies:
        event = _sorted_out(body, now, reading)
        if event is None:
            continue
        touched = _tell(event, people)
        if in_order:
            _judge(definitions, {user_id: people[user_id] for user_id in touched}, now, reading)
    if not in_order:
        _judge(definitions, people, now, reading)
    reading.counts = _counts(people)
    reading.people = dict(people)
    return reading


def _sorted_out(body: bytes | str, now: datetime, reading: Reading) -> Event | None:
    try:
        event = read_event(body, now)
    except NotAnEvent as problem:
        raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        reading.dead_letters.append((problem.category, raw))
        return None
    reading.ignored += event is None
    return event


def _tell(event: Event, people: dict[str, Person]) -> list[str]:
    """Write down what the event says and return whom it is about."""
    data, noun, verb = event.data, *event.type.split(".")[:2]
    if noun == "connection":
        one, other = data["user_ids"]
        _mark(people[one], verb == "established", ("connected", other), event.time)
        _mark(people[other], verb == "established", ("connected", one), event.time)
        return [one, other]
    person = people[data["user_id"]]
    if noun == "user":
        _tell_user(person, verb, event)
    elif noun == "post":
        _mark(person, verb == "created", ("post", data["post_id"]), event.time)
    elif verb == "enrolled":
        _mark(person, True, ("enrolled", data["learning_path_id"]), event.time)  # noqa: FBT003 - it began
    elif verb == "completed":
        _tell_completion(person, event)
    return [data["user_id"]]


def _mark(person: Person, began: bool, key: tuple[str, str], time: datetime) -> None:
    (person.began if began else person.ended)[key].append(time)


def _tell_completion(person: Person, event: Event) -> None:
    path = event.data["learning_path_id"]
    person.began["completed", path].append(event.time)
    score, required = event.data.get("score"), event.data.get("required_score")
    passed = event.data["passed"]
    if passed is None and score is not None and required is not None:
        passed = score >= required
    if passed:
        person.began["passed", path].append(event.time)


def _tell_user(person: Person, verb: str, event: Event) -> None:
    if verb in {"blocked", "unblocked"}:
        person.blocks.append((event.time, verb == "blocked"))
    if verb == "deleted":
        person.deleted = True
    if verb == "registered":
        person.registered.append(event.time)
    if verb in {"registered", "updated"}:
        for name in (*PROFILE, "scope"):
            if (event.data.get(name) or "").strip():
                person.profile[name].append((event.time, event.data[name]))
        if event.data.get("is_active") is not None:
            person.blocks.append((event.time, not event.data["is_active"]))


def _counted_at(kind: str, began: list[datetime], ended: list[datetime]) -> datetime | None:
    """Return since when an activity counts; the table of design.md, section 1."""
    if not began:
        return None
    if kind == "connected" and ended:
        if max(began) <= max(ended):
            return None
        return min(began) if min(began) > max(ended) else max(began)
    if kind == "post" and ended:
        return None
    return min(began)


def _judge(
    definitions: Mapping[str, Any], people: Mapping[str, Person], now: datetime, reading: Reading
) -> None:
    for user_id, person in people.items():
        for badge_id, badge in definitions["badges"].items():
            known = reading.awards.get((user_id, badge_id))
            at = known.earned_at if known else _earned_at(badge, person, now)
            if at is not None and (known is None or known.state == "waiting"):
                state, recipient = _fate(definitions, badge, person)
                reading.awards[user_id, badge_id] = Award(user_id, badge_id, at, state, recipient)


def _earned_at(badge: Mapping[str, Any], person: Person, now: datetime) -> datetime | None:
    """Return when this person earned the badge, or None while it is not earned."""
    if badge.get("status", "published") == "disabled":
        return None
    if person.deleted or person.said("scope") == "ANONYMOUS":
        return None
    blocks = _blocks(person)
    if blocks and blocks[-1][1] is None:
        return None
    moment = _moment(badge["criteria"], person, now)
    for start, end in blocks:
        if moment is not None and end is not None and start <= moment < end:
            return end
    return moment


def _blocks(person: Person) -> list[tuple[datetime, datetime | None]]:
    """Return each block from its beginning to its end, or to None while it lasts."""
    blocks: list[tuple[datetime, datetime | None]] = []
    for instant in sorted({at for at, _ in person.blocks}):
        blocked = (instant, True) in person.blocks  # block and unblock at once: blocked
        lasting = bool(blocks) and blocks[-1][1] is None
        if blocked and not lasting:
            blocks.append((instant, None))
        elif lasting and not blocked:
            blocks[-1] = (blocks[-1][0], instant)
    return blocks


def _moment(criterion: Mapping[str, Any], person: Person, now: datetime) -> datetime | None:
    """Return the first instant at which the criterion held, or None if it does not."""
    ((name, wanted),) = criterion.items()
    if name in {"all_of", "any_of"}:
        moments = [_moment(part, person, now) for part in wanted]
        held = [moment for moment in moments if moment is not None]
        if name == "all_of":
            return max(held) if len(held) == len(moments) else None
        return min(held, default=None)
    if name == "registered_for":
        return _old_enough(person, wanted["threshold"], now)
    if name == "social_connection":
        return _gathered(person.counted("connected"), wanted["threshold"], wanted.get("period"))
    if name == "social_engagement":
        return _gathered(person.counted("post"), wanted["threshold"], None)
    kind = {"lp_enroll": "enrolled", "lp_complete": "completed", "lp_passed": "passed"}[name]
    return _gathered(person.counted(kind, str(wanted["learning_path_id"])), 1, None)


def _old_enough(person: Person, threshold: int, now: datetime) -> datetime | None:
    if not person.registered:
        return None
    due = min(person.registered) + timedelta(seconds=threshold)
    return due if due <= now else None


def _gathered(times: list[datetime], threshold: int, period: int | None) -> datetime | None:
    """Return the first of the times by which so many had come, within one span if there is one."""
    for end in times:
        start = None if period is None else end - timedelta(seconds=period)
        if sum(1 for time in times if time <= end and (start is None or start <= time)) >= threshold:
            return end
    return None


def _fate(definitions: Mapping[str, Any], badge: Mapping[str, Any], person: Person) -> tuple[str, str | None]:
    """Return how far an award gets on its own, and the address it is issued to."""
    issue = badge.get("issue")
    if issue is None:
        return "earned", None
    needed = ["email"]
    if definitions["issuers"][issue["issuer"]]["provider"] == "credly":
        needed += ["first_name", "last_name"]
    email = person.said("email")
    if email is None or any(person.said(name) is None for name in needed):
        return "waiting", None
    return "issued", email.lower()


def _counts(people: Mapping[str, Person]) -> dict[tuple[str, str], int]:
    counts: Counter[tuple[str, str]] = Counter()
    for user_id, person in people.items():
        for kind in KINDS:
            counts[user_id, kind] = len(person.counted(kind))
    return {key: value for key, value in counts.items() if value}
