"""What the ingestion drill left, held to the second reading."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from examples.replay import Person, Reading
    from tests.support.drill_stream import Stream

Pair = tuple[str, str]
STATES = {"pending": "issued"}  # nobody issues in this drill
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Found:
    """What is stored: awards by state and instant, who was decided, counts, dead letters by id."""

    awards: dict[Pair, tuple[str, datetime]]
    decided: list[Pair]
    counts: dict[Pair, int]
    recounted: dict[Pair, int]
    letters: dict[str, tuple[bytes, str, int]]


def stored(ask: Callable[[str], list[Any]]) -> Found:
    """Return what is stored, of a database that can be asked."""
    awards = ask("SELECT user_id, badge_id, state, earned_at FROM awards")
    live = "SELECT user_id, kind, count(*) FROM activities WHERE counted_at IS NOT NULL GROUP BY 1, 2"
    letters = ask("SELECT id, body, reason, times FROM dead_letters")
    return Found(
        awards={(user_id, badge_id): (state, at) for user_id, badge_id, state, at in awards},
        decided=ask("SELECT user_id, badge_id FROM award_history WHERE what = 'decided'"),
        counts=_by_kind(ask("SELECT user_id, kind, value FROM counts WHERE value <> 0")),
        recounted=_by_kind(ask(live)),
        letters={letter: (bytes(body), reason, times) for letter, body, reason, times in letters},
    )


def _by_kind(rows: list[Any]) -> dict[Pair, int]:
    return {(user_id, kind): value for user_id, kind, value in rows}


@dataclass(slots=True)
class Differences:
    """How much was compared, and how much of it differs; `examples` are the first of each."""

    awards: int = 0
    awards_wrong: int = 0
    exact_instants: int = 0
    exact_instants_wrong: int = 0
    bounded_instants: int = 0
    bounded_instants_wrong: int = 0
    decisions_wrong: int = 0
    counts: int = 0
    counts_wrong: int = 0
    dead_letters: int = 0
    dead_letters_wrong: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def none(self) -> bool:
        return not self.examples

    def note(self, what: str, wrong: list[Any]) -> int:
        self.examples += [f"{what}: {each}" for each in wrong[:SHOWN]]
        return len(wrong)


def compare(made: Stream, expected: Reading, found: Found) -> Differences:
    """Compare awards with their states and instants, counts and dead letters."""
    differences = Differences(
        awards=len(expected.awards),
        counts=len(expected.counts),
        dead_letters=len(made.reasons),
    )
    states = {pair: STATES.get(state, state) for pair, (state, _) in found.awards.items()}
    wanted = {pair: award.state for pair, award in expected.awards.items()}
    differences.awards_wrong = differences.note("award", _unlike(wanted, states))
    twice = [pair for pair, times in Counter(found.decided).items() if times > 1]
    twice += list(set(found.decided) ^ set(found.awards))
    differences.decisions_wrong = differences.note("decided", twice)
    counted = _unlike(expected.counts, found.counts) + _unlike(expected.counts, found.recounted)
    differences.counts_wrong = differences.note("count", counted)
    _compare_instants(made, expected, found, differences)
    differences.dead_letters_wrong = differences.note("dead letter", _letters(made, expected, found))
    return differences


def _unlike(wanted: dict[Pair, Any], found: dict[Pair, Any]) -> list[Any]:
    keys = wanted.keys() | found.keys()
    return [
        (key, wanted.get(key), found.get(key)) for key in sorted(keys) if wanted.get(key) != found.get(key)
    ]


def _compare_instants(made: Stream, expected: Reading, found: Found, differences: Differences) -> None:
    """Compare `earned_at`: of the activities known when it was decided, and those depend on the order.

    Where every order knows the same by then, it is exactly the second reading's; else not before that, since
    who knows less finds a later instant.
    """
    exact, bounded = [], []
    for pair in expected.awards.keys() & found.awards.keys():
        award, instant = expected.awards[pair], found.awards[pair][1]
        criteria = made.definitions["badges"][award.badge_id]["criteria"]
        if _one_instant(criteria, expected.people[award.user_id]):
            differences.exact_instants += 1
            exact += [(award, instant)] if instant != award.earned_at else []
        else:
            differences.bounded_instants += 1
            bounded += [(award, instant)] if instant < award.earned_at else []
    differences.exact_instants_wrong = differences.note("earned_at", exact)
    differences.bounded_instants_wrong = differences.note("earned_at too early", bounded)


def _one_instant(criteria: dict[str, Any], person: Person) -> bool:
    """Say whether there is one instant at which this could be earned, whatever came first."""
    ((name, wanted),) = criteria.items()
    if name == "registered_for":
        return len(set(person.registered)) == 1
    if name == "social_engagement":
        return bool(len(person.counted("post")) == wanted["threshold"])
    if name == "social_connection":
        return bool(len(person.counted("connected")) == wanted["threshold"])
    kinds = {"lp_enroll": "enrolled", "lp_complete": "completed", "lp_passed": "passed"}
    if name in kinds:
        return len(set(person.began[kinds[name], wanted["learning_path_id"]])) == 1
    return False


def _letters(made: Stream, expected: Reading, found: Found) -> list[Any]:
    """Return what is wrong with the dead letters.

    Each is there with its body and a reason that names the field. A batch that is done again counts it again,
    so `times` may be more than it was published.
    """
    deliveries = Counter(body for _, body in expected.dead_letters)
    wanted = {hashlib.sha256(body).hexdigest(): body for body in made.reasons}
    wrong: list[Any] = [(letter, "missing or not wanted") for letter in wanted.keys() ^ found.letters.keys()]
    for letter in wanted.keys() & found.letters.keys():
        body, reason, times = found.letters[letter]
        if body != wanted[letter] or not reason.startswith(made.reasons[body]) or times < deliveries[body]:
            wrong.append((reason, times, deliveries[body], body[:100]))
    return wrong
