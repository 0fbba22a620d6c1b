"""From candidates to awards: whoever has the badge is not asked again, and no more is read than is needed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.rules.story import DAY, at, criterion
from tests.unit.rules.written import BADGE
from worker.activities import Kind
from worker.awards import NewAward
from worker.deciding import decide, make_rulebook, rule_of
from worker.ports import StoredBadge
from worker.rules.criteria import criterion_of
from worker.rules.facts import Counted
from worker.rules.rulebook import Rule
from worker.users import Block, Told, User

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence


@dataclass
class Shelf:
    """Decisions in memory; remembers what it was asked for."""

    live: dict[str, dict[Kind, list[Counted]]] = field(default_factory=dict)
    held: set[tuple[str, str]] = field(default_factory=set)
    blocked: dict[str, list[Block]] = field(default_factory=dict)
    asked: list[tuple[set[Any], set[Any]]] = field(default_factory=list)
    inserted: list[NewAward] = field(default_factory=list)

    def badges(self) -> Sequence[StoredBadge]:
        raise NotImplementedError("whoever decides has the rules already")

    def awarded(self, pairs: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        return self.held & set(pairs)

    def counted(
        self, whole: Collection[tuple[str, Kind]], single: Collection[tuple[str, Kind, str]]
    ) -> Mapping[str, Mapping[Kind, Sequence[Counted]]]:
        self.asked.append((set(whole), set(single)))
        return self.live

    def blocks(self, user_ids: Collection[str]) -> Mapping[str, Sequence[Block]]:
        return {user_id: self.blocked[user_id] for user_id in user_ids if user_id in self.blocked}

    def insert_awards(self, awards: Sequence[NewAward]) -> int:
        self.inserted += awards
        return len(awards)


POST, PATH = Counted("p", at(5), "forum", "7"), Counted("40", at(3), "lms", "8")
POSTS = Rule("poster", 3, criterion("social_engagement", threshold=1), "academy")
ENROL = Rule("first-steps", 4, criterion("lp_enroll", learning_path_id="40"))
AGE = Rule("a-day", 5, criterion("registered_for", threshold=DAY))
ADA = User("ada", {"email": Told("ada@example.org", at(0))}, registered_at=at(0))
BOB = User("bob")
USERS = {"ada": ADA, "bob": BOB}


def test_an_award_says_when_by_which_definition_and_because_of_what() -> None:
    shelf = Shelf(live={"ada": {Kind.POST: [POST]}})

    made = decide(shelf, [("ada", POSTS)], USERS, at(0))

    because = [{"kind": "post", "object": "p", "source": "forum", "event": "7"}]
    assert made == 1
    assert shelf.inserted == [NewAward("ada", "poster", 3, "academy", at(5), because)]


def test_an_age_is_because_of_nothing_but_time() -> None:
    shelf = Shelf()

    decide(shelf, [("ada", AGE)], USERS, at(2 * DAY), backfilled=True)

    assert shelf.inserted == [NewAward("ada", "a-day", 5, None, at(DAY), [], backfilled=True)]


def test_an_age_is_decided_against_the_clock_given() -> None:
    shelf = Shelf()

    assert decide(shelf, [("ada", AGE)], USERS, at(DAY - 1)) == 0
    assert shelf.inserted == []


NAMES = {"first_name": Told("Ada", at(0)), "last_name": Told("Lovelace", at(0))}
ADDRESS = {"email": Told("ada@example.org", at(0))}
BADGR, CREDLY = {"issuer": "academy"}, {"issuer": "partner", "needs_names": True}


@pytest.mark.parametrize(
    ("issued", "profile", "waits"),
    [
        pytest.param(BADGR, {}, True, id="no-address"),
        pytest.param(BADGR, ADDRESS, False, id="an-address"),
        pytest.param(CREDLY, ADDRESS, True, id="no-names"),
        pytest.param(CREDLY, NAMES, True, id="names-alone"),
        pytest.param(CREDLY, ADDRESS | {"first_name": NAMES["first_name"]}, True, id="one-name"),
        pytest.param(CREDLY, ADDRESS | NAMES | {"last_name": Told("  ", at(0))}, True, id="a-blank-name"),
        pytest.param(CREDLY, ADDRESS | NAMES, False, id="everything"),
        pytest.param({}, {}, False, id="issued-nowhere"),
    ],
)
def test_an_award_waits_for_what_its_issuer_needs(
    issued: dict[str, Any], profile: dict[str, Told], waits: bool
) -> None:
    shelf = Shelf(live={"ada": {Kind.ENROLLED: [PATH]}})
    rule = Rule("first-steps", 4, criterion("lp_enroll", learning_path_id="40"), **issued)

    decide(shelf, [("ada", rule)], {"ada": User("ada", profile)}, at(0))

    assert [award.waits for award in shelf.inserted] == [waits]


def test_whoever_has_the_badge_is_not_asked_again() -> None:
    shelf = Shelf(live={"ada": {Kind.POST: [POST]}}, held={("ada", "poster")})

    assert decide(shelf, [("ada", POSTS)], USERS, at(0)) == 0
    assert (shelf.asked, shelf.inserted) == ([], [])


def test_without_candidates_nothing_is_read() -> None:
    shelf = Shelf()

    assert decide(shelf, [], USERS, at(0)) == 0
    assert shelf.asked == []


def test_only_what_the_rules_look_at_is_read() -> None:
    shelf = Shelf()

    decide(shelf, [("ada", POSTS), ("ada", ENROL), ("bob", AGE), ("bob", ENROL)], USERS, at(0))

    assert shelf.asked == [
        (
            {("ada", Kind.POST)},
            {("ada", Kind.ENROLLED, "40"), ("bob", Kind.ENROLLED, "40")},
        )
    ]


def together(name: str, *criteria: dict[str, Any]) -> Rule:
    return Rule("together", 3, criterion_of({name: list(criteria)}))


POST_OR_PATH: list[dict[str, Any]] = [
    {"social_engagement": {"threshold": 1}},
    {"lp_enroll": {"learning_path_id": "40"}},
]


def test_an_award_for_several_kinds_says_the_kind_of_each_activity() -> None:
    shelf = Shelf(live={"ada": {Kind.POST: [POST], Kind.ENROLLED: [PATH]}})

    decide(shelf, [("ada", together("all_of", *POST_OR_PATH))], USERS, at(0))

    because = [
        {"kind": "post", "object": "p", "source": "forum", "event": "7"},
        {"kind": "enrolled", "object": "40", "source": "lms", "event": "8"},
    ]
    assert shelf.inserted == [NewAward("ada", "together", 3, None, at(5), because)]


def test_what_every_leaf_looks_at_is_read() -> None:
    shelf = Shelf()
    rule = together("any_of", {"all_of": [*POST_OR_PATH, {"registered_for": {"threshold": DAY}}]})

    decide(shelf, [("ada", rule)], USERS, at(0))

    assert shelf.asked == [({("ada", Kind.POST)}, {("ada", Kind.ENROLLED, "40")})]


def test_an_age_with_an_activity_is_earned_at_the_later_of_the_two() -> None:
    shelf = Shelf(live={"ada": {Kind.POST: [POST]}})
    rule = together("all_of", POST_OR_PATH[0], {"registered_for": {"threshold": DAY}})

    early = decide(shelf, [("ada", rule)], USERS, at(DAY - 1))
    decide(shelf, [("ada", rule)], USERS, at(2 * DAY))

    assert early == 0
    assert [award.earned_at for award in shelf.inserted] == [at(DAY)]


def test_a_blocked_user_is_not_awarded() -> None:
    shelf = Shelf(live={"ada": {Kind.POST: [POST]}}, blocked={"ada": [Block(at(1), blocked=True)]})

    assert decide(shelf, [("ada", POSTS)], USERS, at(0)) == 0
    assert shelf.inserted == []


def test_an_award_inside_a_block_is_earned_at_its_end() -> None:
    blocks = [Block(at(1), blocked=True), Block(at(9), blocked=False)]
    shelf = Shelf(live={"ada": {Kind.POST: [POST]}}, blocked={"ada": blocks})

    decide(shelf, [("ada", POSTS)], USERS, at(0))

    assert [award.earned_at for award in shelf.inserted] == [at(9)]


@pytest.mark.parametrize(
    ("fields", "issuer"),
    [
        pytest.param({}, None, id="our-own"),
        pytest.param({"issue": {"issuer": "academy", "badgeclass": "c1"}}, "academy", id="issued"),
    ],
)
def test_a_stored_badge_becomes_a_rule(fields: dict[str, Any], issuer: str | None) -> None:
    rule = rule_of(StoredBadge("first-steps", 4, BADGE | fields))

    assert rule == Rule("first-steps", 4, criterion("lp_enroll", learning_path_id="40"), issuer)


def test_a_disabled_badge_is_no_rule() -> None:
    badges = [StoredBadge("on", 1, BADGE), StoredBadge("off", 2, BADGE | {"status": "disabled"})]

    book = make_rulebook(2, badges)

    assert (book.version, list(book.rules)) == (2, ["on"])
