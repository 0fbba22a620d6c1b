"""What a store of batches promises (ports.Batch), held to the databases and to their twin in memory alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.bodies import at
from tests.support.ground import badge, definitions, read
from worker.activities import Activity, Key, Kind, began, ended
from worker.adapters.memory_store import MemoryStore
from worker.applying import apply
from worker.awards import NewAward
from worker.news import ActivityNews
from worker.ports import Batch, BatchStore, Chance, Moved
from worker.rules.facts import Counted
from worker.rules.rulebook import Marks
from worker.simulating import stored_badges
from worker.users import Block, Told, User, UserNews

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.ground import Ground

    Merge = Callable[[Sequence[ActivityNews]], Sequence[Moved]]

RULES = read(definitions({"posts": badge({"social_engagement": {"threshold": 2}})}))
MARKS = {Kind.POST: Marks(thresholds=(2, 4)), Kind.CONNECTED: Marks(enough=2)}
ADA = UserNews("ada", at(1), {"email": "ada@example.org"}, registered_at=at(0))


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> BatchStore:
    if request.param == "memory":
        return MemoryStore(stored_badges(RULES), at(0))
    ground: Ground = request.getfixturevalue("sqlite" if request.param == "sqlite" else "postgres")
    apply(ground.database, RULES)
    return ground.database


@pytest.fixture
def batch(store: BatchStore) -> Iterator[Batch]:
    """A transaction in which two users are there and locked."""
    with store.batch() as opened:
        opened.begin(["ada", "bob"])
        opened.lock(["ada", "bob"])
        yield opened


@pytest.fixture
def merge(store: BatchStore, batch: Batch) -> Merge:
    return lambda news: batch.merge(store.written(news), MARKS)


def news(user_id: str, kind: Kind, object_id: str, *told: Activity) -> ActivityNews:
    together = told[0]
    for each in told[1:]:
        together = together.merged(each)
    return ActivityNews.of(Key(user_id, kind, object_id), together)


def posts(*object_ids: str, seconds: float = 5) -> list[ActivityNews]:
    return [news("ada", Kind.POST, each, began(at(seconds), "lms", f"e-{each}")) for each in object_ids]


def award(user_id: str, **fields: Any) -> NewAward:
    return NewAward(user_id, "posts", 1, None, at(5), [], **fields)


def test_missing_users_are_inserted_once_and_stay(store: BatchStore) -> None:
    with store.batch() as batch:
        batch.begin(["ada", "bob"])
    with store.batch() as batch:
        batch.begin(["ada"])

        assert batch.lock(["ada", "bob", "eve"]) == 2


def test_only_the_wanted_ones_of_the_locked_users_are_returned(batch: Batch) -> None:
    assert batch.lock_users(["ada", "bob"], {"ada"}) == {"ada": User("ada")}
    assert batch.lock_users(["ada", "bob"]) == {"ada": User("ada"), "bob": User("bob")}


def test_what_is_saved_of_a_user_is_there_again(batch: Batch) -> None:
    ada = User("ada").merged(ADA)

    batch.save_users([ada])

    assert batch.users(["ada"]) == {"ada": ada}
    assert ada.profile == {"email": Told("ada@example.org", at(1))}


def test_blocks_are_kept_each_once(batch: Batch) -> None:
    block = UserNews("ada", at(3), blocked=True)

    batch.add_blocks([block, UserNews("ada", at(4), blocked=False)])
    batch.add_blocks([block])

    assert sorted(batch.blocks(["ada", "bob"])["ada"], key=lambda each: each.at) == [
        Block(at(3), blocked=True),
        Block(at(4), blocked=False),
    ]
    assert not batch.blocks(["bob"])


def test_a_count_that_passed_a_mark_is_told_with_what_moved(merge: Merge) -> None:
    merge(posts("p1"))

    moved = merge([*posts("p2", seconds=7), *posts("p3", seconds=9)])

    assert list(moved) == [Moved("ada", Kind.POST, 1, 3, at(7), at(9))]


def test_a_window_is_told_of_when_there_is_enough_and_something_was_added(merge: Merge) -> None:
    first = news("ada", Kind.CONNECTED, "bob", began(at(5), "lms", "e1"))
    second = news("ada", Kind.CONNECTED, "eve", began(at(6), "lms", "e2"))
    third = news("ada", Kind.CONNECTED, "zoe", began(at(7), "lms", "e3"))

    merge([first])
    enough = merge([second])
    more = merge([third])

    assert list(enough) == [Moved("ada", Kind.CONNECTED, 1, 2, at(6), at(6))]
    assert list(more) == [Moved("ada", Kind.CONNECTED, 2, 3, at(7), at(7))]


def test_a_connection_that_counts_from_another_time_on_is_told_of(merge: Merge) -> None:
    again = news("ada", Kind.CONNECTED, "bob", began(at(9), "lms", "e9"))
    both = [
        news("ada", Kind.CONNECTED, "bob", began(at(1), "lms", "e1")),
        news("ada", Kind.CONNECTED, "eve", began(at(2), "lms", "e2")),
    ]
    merge(both)
    merge([again])

    moved = merge([news("ada", Kind.CONNECTED, "bob", ended(at(5), "lms", "e5"))])

    assert list(moved) == [Moved("ada", Kind.CONNECTED, 2, 2, at(9), at(9))]


def test_the_same_news_again_moves_nothing(merge: Merge) -> None:
    merge(posts("p1", "p2"))

    assert list(merge(posts("p1", "p2"))) == []


def test_what_counts_is_read_in_order_and_says_which_event_told_of_it(batch: Batch, merge: Merge) -> None:
    merge([*posts("a", "b", "c", seconds=8)])
    merge(posts("z", seconds=2))
    merge([news("ada", Kind.POST, "b", ended(at(9), "lms", "gone"))])
    merge([news("ada", Kind.PASSED, "40", began(at(3), "lms", "e40"))])

    found = batch.counted({("ada", Kind.POST)}, {("ada", Kind.PASSED, "40"), ("bob", Kind.PASSED, "40")})

    assert list(found["ada"][Kind.POST]) == [
        Counted("z", at(2), "lms", "e-z"),
        Counted("a", at(8), "lms", "e-a"),
        Counted("c", at(8), "lms", "e-c"),
    ]
    assert list(found["ada"][Kind.PASSED]) == [Counted("40", at(3), "lms", "e40")]
    assert not found.get("bob", {}).get(Kind.PASSED)


def test_an_earlier_telling_of_an_activity_is_the_one_that_is_named(batch: Batch, merge: Merge) -> None:
    merge([news("ada", Kind.POST, "p", began(at(8), "lms", "late"))])

    merge([news("ada", Kind.POST, "p", began(at(2), "lms", "early"))])

    assert list(batch.counted({("ada", Kind.POST)}, set())["ada"][Kind.POST]) == [
        Counted("p", at(2), "lms", "early")
    ]


def test_an_award_is_made_once(batch: Batch) -> None:
    made = [batch.insert_awards([award("ada"), award("bob")]), batch.insert_awards([award("ada")])]

    assert made == [2, 0]
    assert batch.awarded({("ada", "posts"), ("ada", "other"), ("eve", "posts")}) == {("ada", "posts")}


def test_a_chance_is_worth_a_look_with_enough_in_its_span_or_if_it_was_awarded(
    batch: Batch, merge: Merge
) -> None:
    for name, seconds in (("bob", 1), ("eve", 5), ("zoe", 9)):
        merge([news("ada", Kind.CONNECTED, name, began(at(seconds), "lms", name))])
    batch.insert_awards([award("bob")])

    looks = batch.look_at(
        [
            Chance("ada", "anything"),
            Chance("ada", "enough", 2, at(5), at(9)),
            Chance("ada", "too-few", 3, at(5), at(9)),
            Chance("bob", "posts", 9, at(5), at(9)),
        ]
    )

    assert sorted(looks) == [("ada", "anything", False), ("ada", "enough", False), ("bob", "posts", True)]


def test_the_badges_are_those_that_were_applied(batch: Batch) -> None:
    assert [(each.badge_id, each.definition["title"]) for each in batch.badges()] == [("posts", "A badge")]
