"""What pages of badges ask of a database: by index, whoever asks."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event, text
from structlog.testing import capture_logs

from tests.support.bodies import met, parted, posted, registered
from tests.support.ground import Ground, badge, now
from worker.adapters.database import badge_pages
from worker.adapters.database.badge_pages import BadgeShelf
from worker.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

WINDOWED = {"social_connection": {"threshold": 2, "period": 86400}}


@pytest.fixture
def shelf(ground: Ground) -> Iterator[BadgeShelf]:
    shelf = BadgeShelf(ground.engine.url.render_as_string(hide_password=False))
    yield shelf
    shelf.engine.dispose()


@pytest.fixture
def plans(shelf: BadgeShelf) -> list[str]:
    """How the database means to answer each statement that is asked from now on."""
    found: list[str] = []
    explain = "EXPLAIN QUERY PLAN " if shelf.engine.dialect.name == "sqlite" else "EXPLAIN "

    def note(connection: Connection, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("\nWITH", "\nSELECT")):
            rows = connection.exec_driver_sql(explain + statement, parameters)
            found.append("\n".join(str(row[-1]) for row in rows))

    event.listen(shelf.engine, "before_cursor_execute", note)
    return found


def let_ada_do_much(ground: Ground) -> None:
    """Let PostgreSQL know how large things are: its own look at them may come before any test, or never.

    Everybody knows everybody, so that to look for the few connections of a window among all that somebody has
    is dear, whoever it is that asks.
    """
    people = ["ada", *(f"friend-{number}" for number in range(30))]
    ground.ingest(*(posted(number, "ada", f"post-{number}") for number in range(300)))
    ground.ingest(*(met(number, *pair) for number, pair in enumerate(combinations(people, 2))))
    with ground.engine.begin() as connection:
        connection.execute(text("ANALYZE"))


def test_who_asks_and_what_they_have_is_found_by_index(
    ground: Ground, shelf: BadgeShelf, plans: list[str]
) -> None:
    ground.apply(first=badge(WINDOWED))
    let_ada_do_much(ground)
    with shelf.open() as pages:
        pages.catalogue(pages.by_id("nobody").version)
        plans.clear()
        pages.by_uuid("uuid")
        pages.by_id("ada")

    by_uuid, by_id = plans
    assert "ix_users_uuid" in by_uuid
    for plan in (by_uuid, by_id):
        assert not re.search(r"Seq Scan on (users|awards|counts|blocks)|SCAN (users|a|b|c)\b", plan), plan
        assert ("ix_activities_connected" in plan) == (ground.engine.dialect.name != "sqlite"), plan


def test_connections_in_a_window_are_counted_in_one_index(
    ground: Ground, shelf: BadgeShelf, plans: list[str]
) -> None:
    let_ada_do_much(ground)

    with shelf.open() as pages:
        clock = pages.by_uuid("uuid").now
        assert pages.connected_within("ada", {60, 3600}, clock) == {60: 0, 3600: 0}

    assert "ix_activities_connected" in plans[-1]


def windowed(*periods: int) -> dict[str, Any]:
    """Return a badge for each period."""
    criteria = [{"social_connection": {"threshold": 2, "period": period}} for period in periods]
    return {f"within-{period}": badge(each) for period, each in zip(periods, criteria, strict=True)}


def test_the_windows_that_there_usually_are_come_with_who_asks(postgres: Ground) -> None:
    """Counted along they are what they are when they are asked for."""
    hour = timedelta(hours=1)
    postgres.apply(**windowed(3 * 3600, 86_400))
    times = {"old": 25 * hour, "today": 23 * hour, "just-now": hour, "ahead": -hour / 30}
    postgres.ingest(*(met(now() - ago, "ada", who) for who, ago in times.items()))
    postgres.ingest(registered(0, "ada", uuid="uuid"), parted(now(), "ada", "just-now"))
    shelf = BadgeShelf(postgres.engine.url.render_as_string(hide_password=False))

    with shelf.open() as pages:
        before = pages.by_uuid("uuid")
        pages.catalogue(before.version)
        (ada,) = pages.by_uuid("uuid").users
        asked = pages.connected_within("ada", {3 * 3600, 86_400}, before.now)

    assert [user.holdings.within for user in before.users] == [{}]
    assert ada.holdings.within == asked == {3 * 3600: 0, 86_400: 1}
    shelf.engine.dispose()


def test_more_windows_than_a_few_are_asked_for_by_the_page_that_has_them(
    ground: Ground, shelf: BadgeShelf
) -> None:
    ground.apply(**windowed(60, 120, 180, 240, 300))
    ground.ingest(registered(0, "ada", uuid="uuid"))

    with shelf.open() as pages:
        pages.catalogue(pages.by_uuid("uuid").version)
        (ada,) = pages.by_uuid("uuid").users

    assert ada.holdings.within == {}


def test_badges_are_kept_until_the_rules_change(ground: Ground, shelf: BadgeShelf) -> None:
    ground.apply(first=badge(WINDOWED))
    with shelf.open() as pages:
        version = pages.by_uuid("uuid").version
        before = pages.catalogue(version)
        same = pages.catalogue(version)
    ground.apply(first=badge(WINDOWED), second=badge(WINDOWED))
    with shelf.open() as pages:
        after = pages.catalogue(pages.by_uuid("uuid").version)

    assert same is before
    assert set(before.by_id) == {"first"}
    assert set(after.by_id) == {"first", "second"}


def test_a_database_that_was_put_back_is_read_anew(ground: Ground, shelf: BadgeShelf) -> None:
    ground.apply(first=badge(WINDOWED))
    ground.apply(first=badge(WINDOWED), second=badge(WINDOWED))
    with shelf.open() as pages:
        pages.catalogue(pages.by_uuid("uuid").version)
    with ground.engine.begin() as connection:
        connection.execute(text("DELETE FROM badges WHERE id = 'second'"))
        connection.execute(text("UPDATE rulebook SET version = version - 1"))

    with shelf.open() as pages:
        assert set(pages.catalogue(pages.by_uuid("uuid").version).by_id) == {"first"}


def test_one_that_cannot_be_read_is_left_out_and_noted(ground: Ground, shelf: BadgeShelf) -> None:
    ground.apply(first=badge(WINDOWED), second=badge(WINDOWED))
    with ground.engine.begin() as connection:
        connection.execute(text("UPDATE badges SET definition = '{}' WHERE id = 'first'"))

    with shelf.open() as pages, capture_logs() as logs:
        found = set(pages.catalogue(pages.by_uuid("uuid").version).by_id)

    assert found == {"second"}
    assert [entry["badge"] for entry in logs if entry["event"] == "badge.unreadable"] == ["first"]


def test_a_statement_that_takes_too_long_is_given_up(
    postgres: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(badge_pages, "_LONGEST", 50)
    shelf = BadgeShelf(postgres.engine.url.render_as_string(hide_password=False))

    with postgres.engine.connect() as other, shelf.open() as pages:
        other.execute(text("LOCK TABLE badges IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(DatabaseUnavailable):
            pages.catalogue(1)

    shelf.engine.dispose()
