"""Where batches end must not decide who earns (design.md section 1, step 4)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.bodies import (
    DAY,
    at,
    blocked,
    deleted,
    enrolled,
    met,
    parted,
    posted,
    registered,
    unblocked,
    unposted,
    updated,
)
from tests.support.ground import Ground, Statements, badge
from worker.drafting import cut
from worker.events import UnknownEvent, parse_event
from worker.news import News, news_of

BADGES = {
    "enrol": badge({"lp_enroll": {"learning_path_id": "40"}}),
    "posts": badge({"social_engagement": {"threshold": 2}}),
    "friends": badge({"social_connection": {"threshold": 2}}),
    "week": badge({"social_connection": {"threshold": 2, "period": 7 * DAY}}),
}
POSTS = [posted(1, "ada", "p1"), posted(2, "ada", "p2")]
ANONYMOUS = updated(3, "ada", scope="ANONYMOUS")


@pytest.fixture(scope="module")
def ready(lasting_ground: Ground) -> Ground:
    lasting_ground.apply(**BADGES)
    return lasting_ground


STORIES = [
    pytest.param([*POSTS, unposted(3, "ada", "p1")], {"posts": 2}, id="a-post-deleted-after-it-was-enough"),
    pytest.param([POSTS[0], unposted(3, "ada", "p1"), POSTS[1]], {}, id="a-post-deleted-before"),
    pytest.param([*POSTS, blocked(3, "ada")], {"posts": 2}, id="blocked-afterwards"),
    pytest.param([POSTS[0], blocked(2, "ada"), POSTS[1]], {}, id="blocked-before"),
    pytest.param(
        [POSTS[0], blocked(1, "ada"), POSTS[1], unblocked(9, "ada"), enrolled(10, "ada"), blocked(11, "ada")],
        {"posts": 9, "enrol": 10},
        id="unblocked-for-a-while",
    ),
    pytest.param([*POSTS, updated(3, "ada", is_active=False)], {"posts": 2}, id="inactive-afterwards"),
    pytest.param([*POSTS, deleted(3, "ada"), enrolled(4, "ada")], {"posts": 2}, id="deleted-afterwards"),
    pytest.param(
        [*POSTS, updated(3, "ada", scope="ANONYMOUS"), enrolled(4, "ada")],
        {"posts": 2},
        id="anonymous-afterwards",
    ),
    pytest.param(
        [
            *POSTS,
            updated(3, "ada", scope="ANONYMOUS"),
            enrolled(4, "ada"),
            updated(5, "ada", scope="AUTHENTICATED"),
        ],
        {"posts": 2, "enrol": 4},
        id="anonymous-for-a-while",
    ),
    pytest.param(
        [
            met(0, "ada", "b"),
            met(8 * DAY, "ada", "c"),
            parted(9 * DAY, "c", "ada"),
            met(9.5 * DAY, "ada", "d"),
        ],
        {"friends": 8 * DAY},
        id="parted-after-it-was-enough-for-one",
    ),
    pytest.param(
        [
            posted(1, "ada", "p1"),
            met(20 * DAY, "ada", "b"),
            met(21 * DAY, "ada", "c"),
            met(0, "b", "ada"),
            parted(22 * DAY, "ada", "c"),
            parted(10 * DAY, "ada", "b"),
        ],
        {"friends": 21 * DAY, "week": 21 * DAY},
        id="an-earlier-beginning-told-after-it-was-enough",
    ),
    pytest.param(
        [
            registered(0, "ada"),
            *POSTS,
            unposted(1, "ada", "p1"),
            posted(5, "ada", "p3"),
            unposted(6, "ada", "p2"),
        ],
        {"posts": 2},
        id="one-removal-after-another",
    ),
]


@pytest.mark.parametrize(("bodies", "earned"), STORIES)
def test_every_size_of_batch_earns_the_same(
    ready: Ground, bodies: list[bytes], earned: dict[str, int]
) -> None:
    for size in range(1, len(bodies) + 1):
        ready.clear()
        ready.ingest(*bodies, size=size)
        mine = {badge_id: when for (user, badge_id), when in ready.earned().items() if user == "ada"}
        assert mine == {badge_id: at(when) for badge_id, when in earned.items()}, size


def test_every_size_of_batch_keeps_the_same_of_people_side_by_side(ready: Ground) -> None:
    bodies = [
        *(posted(number, name, f"p{number}") for name in ("ada", "bob") for number in (1, 2)),
        blocked(3, "ada"),
        unposted(3, "bob", "p1"),
        *(enrolled(4, name) for name in ("ada", "bob")),
    ]
    results = []

    for size in range(1, len(bodies) + 1):
        ready.clear()
        ready.ingest(*bodies, size=size)
        results.append((ready.earned(), ready.counts()))

    assert all(result == results[0] for result in results)
    assert set(results[0][0]) == {("ada", "posts"), ("bob", "posts"), ("bob", "enrol")}


def test_a_batch_is_cut_in_its_transaction_which_commits_once(postgres: Ground) -> None:
    postgres.apply(**BADGES)
    awarding = postgres.awarding()
    awarding.ingest(POSTS)  # the rules are known now

    with Statements(postgres.engine) as asked:
        awarding.ingest([enrolled(4, "ada"), unposted(5, "ada", "p1"), blocked(6, "ada")])

    assert len([text for text in asked.texts if "FOR NO KEY UPDATE" in text]) == 1
    assert len([text for text in asked.texts if "advisory" in text]) == 1


def parts(*bodies: bytes) -> list[int]:
    news: list[News] = []
    for body in bodies:
        event = parse_event(body, at(40 * DAY))
        assert not isinstance(event, UnknownEvent)
        news += news_of(event)
    return [len(part) for part in cut(news)]


CUTS: list[tuple[str, Callable[[], list[int]], list[int]]] = [
    ("nothing-taken-away", lambda: parts(*POSTS), [2]),
    ("the-first-news-of-a-user", lambda: parts(blocked(1, "ada"), posted(2, "ada", "p")), [2]),
    ("another-user", lambda: parts(posted(1, "bob", "p"), blocked(2, "ada")), [2]),
    (
        "before-each-removal",
        lambda: parts(*POSTS, unposted(3, "ada", "p1"), unposted(4, "ada", "p2")),
        [2, 1, 1],
    ),
    ("both-of-a-pair", lambda: parts(posted(1, "bob", "p"), parted(2, "ada", "bob")), [2, 1]),
    ("an-unblock-is-no-cut", lambda: parts(posted(1, "ada", "p"), unblocked(2, "ada")), [2]),
]


@pytest.mark.parametrize(("lengths", "expected"), [pytest.param(*row[1:], id=row[0]) for row in CUTS])
def test_a_batch_is_cut_before_what_takes_away(lengths: Callable[[], list[int]], expected: list[int]) -> None:
    assert lengths() == expected


@pytest.mark.parametrize(
    ("body", "most"),
    [
        pytest.param(lambda: posted(9, "ada", "p9"), 3, id="post"),
        pytest.param(lambda: met(9, "ada", "zoe"), 3, id="connection"),
        pytest.param(lambda: enrolled(9, "ada", path="other"), 3, id="enrolment"),
        pytest.param(lambda: updated(9, "ada", first_name="Ada"), 3, id="profile"),
        pytest.param(lambda: POSTS[0], 3, id="the-same-again"),
    ],
)
def test_an_event_that_earns_nothing_costs_few_statements(
    postgres: Ground, body: Callable[[], bytes], most: int
) -> None:
    """RULES and the commit come on top; that the lock stands alone is what makes its answer fresh."""
    postgres.apply(
        **BADGES,
        **{f"many-{number}": badge({"social_engagement": {"threshold": number}}) for number in range(9, 29)},
    )
    awarding = postgres.awarding()
    awarding.ingest([*POSTS, registered(0, "ada", email="ada@example.org"), enrolled(0, "ada")])

    with Statements(postgres.engine) as asked:
        done = awarding.ingest([body()])

    assert done.awards == 0
    assert len(asked.without("pg_advisory")) == most
