"""Pages of badges: whatever comes, goes or is renamed meanwhile, the places of cursors stay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.browsing import Holdings, KnownUser, Progress, WrongArgument
from worker.catalogue import (
    BadgeSortKey,
    BadgeStatus,
    Catalogue,
    Cut,
    ListedBadge,
    Place,
    Row,
    Selection,
    listed,
    turn_to,
)
from worker.rules.criteria import RegisteredFor, SocialConnection, SocialEngagement, criterion_of
from worker.web.graphql.arguments import cut_of
from worker.web.graphql.cursors import Cursors, cursor_key

if TYPE_CHECKING:
    from collections.abc import Iterable

BEGINNING = datetime(2025, 1, 1, tzinfo=UTC)
POSTS = criterion_of({"social_engagement": {"threshold": 5}})
SMALL = st.lists(st.integers(0, 30), unique=True, max_size=20)


def made(number: int, title: str = "A badge", *, published: bool = True) -> ListedBadge:
    """Return a badge that was made so many seconds after the beginning."""
    at = BEGINNING + timedelta(seconds=number)
    return listed(f"badge-{number}", title, "https://example.org/x.png", POSTS, at, published=published)


def row(numbers: list[int]) -> Row:
    return Row(map(made, numbers), BadgeSortKey.CREATED)


def place(number: int) -> Place:
    return made(number).places[BadgeSortKey.CREATED]


def numbers(badges: Iterable[ListedBadge]) -> list[int]:
    return [int(badge.badge_id.removeprefix("badge-")) for badge in badges]


@given(SMALL, st.integers(1, 5), st.booleans(), st.booleans())
def test_leafing_through_shows_each_badge_once(
    there: list[int], count: int, reverse: bool, from_back: bool
) -> None:
    seen: list[int] = []
    beyond = None

    while True:
        page = turn_to(row(there), Cut(count, from_back, beyond), reverse=reverse)
        found = numbers(page.badges)
        seen = found + seen if from_back else seen + found
        if not (page.has_previous if from_back else page.has_next):
            break
        beyond = place(found[0] if from_back else found[-1])

    assert seen == sorted(there, reverse=reverse)


@given(SMALL, st.integers(0, 30), st.integers(1, 5), st.booleans())
def test_a_place_holds_whatever_comes_and_goes(later: list[int], at: int, count: int, reverse: bool) -> None:
    """The badge that a cursor was made of may be among those that are gone."""
    after = [n for n in sorted(later, reverse=reverse) if (n < at if reverse else n > at)]
    before = [n for n in sorted(later, reverse=reverse) if (n > at if reverse else n < at)]

    following = turn_to(row(later), Cut(count, beyond=place(at)), reverse=reverse)
    preceding = turn_to(row(later), Cut(count, from_back=True, beyond=place(at)), reverse=reverse)

    assert numbers(following.badges) == after[:count]
    assert numbers(preceding.badges) == before[-count:]
    assert following.has_next == (len(after) > count)
    assert preceding.has_previous == (len(before) > count)


@pytest.mark.parametrize("reverse", [False, True])
def test_beyond_a_place_there_is_what_it_was_made_of(reverse: bool) -> None:
    """Whoever gives a cursor has seen what lies on its other side (facts section 3.2)."""
    following = turn_to(row([1, 2, 3]), Cut(1, beyond=place(2)), reverse=reverse)
    preceding = turn_to(row([1, 2, 3]), Cut(1, from_back=True, beyond=place(2)), reverse=reverse)
    first = turn_to(row([1, 2, 3]), Cut(1), reverse=reverse)
    last = turn_to(row([1, 2, 3]), Cut(1, from_back=True), reverse=reverse)

    assert (following.has_previous, following.has_next) == (True, False)
    assert (preceding.has_previous, preceding.has_next) == (False, True)
    assert (first.has_previous, first.has_next) == (False, True)
    assert (last.has_previous, last.has_next) == (True, False)


def test_an_empty_page_has_nothing_around_it() -> None:
    page = turn_to(row([1, 2]), Cut(2, beyond=place(2)), reverse=False)

    assert (page.badges, page.has_next, page.has_previous, page.total) == ((), False, False, 2)


def test_what_was_made_at_once_stands_in_the_order_of_its_ids() -> None:
    badges = [listed(name, "x", "y", POSTS, BEGINNING, published=True) for name in ("b", "a", "c")]

    assert [badge.badge_id for badge in Row(badges, BadgeSortKey.CREATED)] == ["a", "b", "c"]


def test_titles_are_sorted_as_people_read_them() -> None:
    badges = [made(1, "beta"), made(2, "Alpha"), made(3, "ALPHA"), made(4, "Zeta")]

    assert numbers(Row(badges, BadgeSortKey.TITLE)) == [2, 3, 1, 4]


@pytest.mark.parametrize(
    ("status", "held", "seen"),
    [
        pytest.param(None, set(), [1, 3], id="disabled-ones-are-not-listed"),
        pytest.param(None, {"badge-2"}, [1, 2, 3], id="but-to-who-holds-them"),
        pytest.param(BadgeStatus.EARNED, {"badge-2", "badge-3"}, [2, 3], id="earned"),
        pytest.param(BadgeStatus.NOT_EARNED, {"badge-2", "badge-3"}, [1], id="not-earned"),
        pytest.param(BadgeStatus.EARNED, {"forgotten"}, [], id="of-a-badge-that-is-gone"),
    ],
)
def test_a_user_sees(status: BadgeStatus | None, held: set[str], seen: list[int]) -> None:
    catalogue = Catalogue(1, [made(1), made(2, published=False), made(3)])

    assert numbers(catalogue.row(held, status, BadgeSortKey.CREATED)) == seen
    assert (catalogue.visible("badge-2", held) is not None) == ("badge-2" in held)


def progress(registered_at: datetime | None = None, **counts: int) -> Progress:
    user = KnownUser("ada", None, registered_at, deleted=False, blocked=False, holdings=Holdings({}, counts))
    return Progress(user, BEGINNING, {60: 1})


def test_progress_is_what_is_there_uncapped() -> None:
    found = progress(BEGINNING - timedelta(hours=2), connected=7, post=9)

    assert found.present(SocialConnection(threshold=3)) == 7
    assert found.present(SocialConnection(threshold=3, period=60)) == 1
    assert found.present(SocialEngagement(threshold=3)) == 9
    assert found.present(RegisteredFor(threshold=3)) == 7200


@pytest.mark.parametrize("registered_at", [None, BEGINNING + timedelta(minutes=4)])
def test_an_account_that_is_not_registered_yet_is_no_second_old(registered_at: datetime | None) -> None:
    assert progress(registered_at).present(RegisteredFor(threshold=3)) == 0


KEY = cursor_key("a-key-of-enough-characters")


@given(st.one_of(st.integers(), st.text()), st.text())
def test_a_cursor_holds_its_place(value: int | str, badge_id: str) -> None:
    cursors = Cursors(KEY, "ada", Selection())
    if any("\ud800" <= each <= "\udfff" for each in f"{value}{badge_id}"):
        return

    assert cursors.read(cursors.write(Place(value, badge_id))) == Place(value, badge_id)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(Cursors(KEY, "bob", Selection()), id="user"),
        pytest.param(Cursors(KEY, "ada", Selection(status=BadgeStatus.EARNED)), id="status"),
        pytest.param(Cursors(KEY, "ada", Selection(key=BadgeSortKey.TITLE)), id="order"),
        pytest.param(Cursors(cursor_key("another-key-than-that"), "ada", Selection()), id="key"),
    ],
)
def test_a_cursor_is_good_for_what_it_was_made_for(other: Cursors) -> None:
    cursor = Cursors(KEY, "ada", Selection()).write(place(1))

    with pytest.raises(WrongArgument, match="invalid cursor"):
        other.read(cursor)


def test_a_cursor_of_one_direction_is_good_for_the_other() -> None:
    cursor = Cursors(KEY, "ada", Selection()).write(place(1))

    assert Cursors(KEY, "ada", Selection(reverse=True)).read(cursor) == place(1)


@given(st.text(max_size=80))
def test_what_we_did_not_write_is_no_cursor(text: str) -> None:
    with pytest.raises(WrongArgument):
        Cursors(KEY, "ada", Selection()).read(text)


def test_neither_first_nor_last_is_a_whole_page() -> None:
    assert cut_of(Cursors(KEY, "ada", Selection()), None, None, None, None) == Cut(100)
