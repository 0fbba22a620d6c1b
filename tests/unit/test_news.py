"""What each event establishes, of whom, and what of it takes something away (design.md section 1)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.envelopes import DATA, event_bytes, parsed, with_data
from worker.activities import Activity, Key, Kind
from worker.news import ActivityNews, News, news_of
from worker.users import UserNews

if TYPE_CHECKING:
    from collections.abc import Sequence

AT = datetime(2026, 3, 1, 10, 15, tzinfo=UTC)
SOURCE = "https://lms.example.org"


def of(kind: str, **fields: Any) -> list[News]:
    return news_of(parsed(with_data(kind, **fields)))


def began(user_id: str, kind: Kind, object_id: str) -> ActivityNews:
    return ActivityNews.of(Key(user_id, kind, object_id), Activity(AT, AT, None, SOURCE, "1"))


def ended(user_id: str, kind: Kind, object_id: str) -> ActivityNews:
    return ActivityNews.of(Key(user_id, kind, object_id), Activity(None, None, AT, SOURCE, "1"))


@pytest.mark.parametrize(
    ("kind", "news"),
    [
        ("user.registered.v1", [UserNews("u", AT, registered_at=AT)]),
        ("user.updated.v1", [UserNews("u", AT)]),
        ("user.blocked.v1", [UserNews("u", AT, blocked=True)]),
        ("user.unblocked.v1", [UserNews("u", AT, blocked=False)]),
        ("user.deleted.v1", [UserNews("u", AT, deleted_at=AT)]),
        ("learning_path.enrolled.v1", [began("u", Kind.ENROLLED, "40")]),
        ("learning_path.unenrolled.v1", [ended("u", Kind.ENROLLED, "40")]),
        ("learning_path.completed.v1", [began("u", Kind.COMPLETED, "40"), began("u", Kind.PASSED, "40")]),
        ("post.created.v1", [began("u", Kind.POST, "p")]),
        ("post.deleted.v1", [ended("u", Kind.POST, "p")]),
        ("connection.established.v1", [began("u", Kind.CONNECTED, "v"), began("v", Kind.CONNECTED, "u")]),
        ("connection.removed.v1", [ended("u", Kind.CONNECTED, "v"), ended("v", Kind.CONNECTED, "u")]),
    ],
)
def test_an_event_establishes(kind: str, news: Sequence[News]) -> None:
    assert news_of(parsed(event_bytes(kind))) == news


def test_every_type_has_its_news() -> None:
    assert all(news_of(parsed(event_bytes(kind))) for kind in DATA)


@pytest.mark.parametrize(
    ("fields", "kinds"),
    [
        pytest.param({"passed": True}, [Kind.COMPLETED, Kind.PASSED], id="passed"),
        pytest.param({"passed": False}, [Kind.COMPLETED], id="failed"),
        pytest.param({"passed": None}, [Kind.COMPLETED], id="undecided"),
        pytest.param(
            {"passed": None, "score": 80, "required_score": 80},
            [Kind.COMPLETED, Kind.PASSED],
            id="passed-by-scores",
        ),
        pytest.param(
            {"passed": None, "score": 79, "required_score": 80}, [Kind.COMPLETED], id="failed-by-scores"
        ),
        pytest.param(
            {"passed": False, "score": 90, "required_score": 80}, [Kind.COMPLETED], id="the-flag-decides"
        ),
    ],
)
def test_a_completion_establishes(fields: dict[str, Any], kinds: list[Kind]) -> None:
    news = of("learning_path.completed.v1", **fields)

    assert [each.key.kind for each in news if isinstance(each, ActivityNews)] == kinds


def test_a_comment_is_a_post() -> None:
    assert of("post.created.v1", parent_post_id="p0") == of("post.created.v1")


@pytest.mark.parametrize("kind", ["user.registered.v1", "user.updated.v1"])
@pytest.mark.parametrize(
    ("told", "profile"),
    [
        pytest.param({"email": "Ada@Example.org"}, {"email": "Ada@Example.org"}, id="letters-as-they-came"),
        pytest.param({"email": " ada@example.org\n"}, {"email": "ada@example.org"}, id="without-blanks"),
        pytest.param({"email": "  ", "uuid": ""}, {}, id="blank-says-nothing"),
        pytest.param({"first_name": None}, {}, id="null-says-nothing"),
        pytest.param({"scope": "ANONYMOUS"}, {"scope": "ANONYMOUS"}, id="scope"),
        pytest.param(
            {"first_name": "Ada", "last_name": "Alnes", "uuid": "7f"},
            {"first_name": "Ada", "last_name": "Alnes", "uuid": "7f"},
            id="names-and-uuid",
        ),
        pytest.param({"colour": "red"}, {}, id="nothing-unknown"),
    ],
)
def test_a_profile_is_told(kind: str, told: dict[str, Any], profile: dict[str, str]) -> None:
    (news,) = of(kind, **told)

    assert isinstance(news, UserNews)
    assert news.profile == profile


@pytest.mark.parametrize("kind", ["user.registered.v1", "user.updated.v1"])
@pytest.mark.parametrize(("is_active", "blocked"), [(True, False), (False, True), (None, None)])
def test_being_inactive_is_being_blocked(kind: str, is_active: bool | None, blocked: bool | None) -> None:
    (news,) = of(kind, is_active=is_active)

    assert isinstance(news, UserNews)
    assert news.blocked is blocked


TAKING = {"user.blocked.v1", "user.deleted.v1", "post.deleted.v1", "connection.removed.v1"}


@pytest.mark.parametrize("kind", DATA)
def test_only_removals_blocks_and_deletions_take_something_away(kind: str) -> None:
    news = news_of(parsed(event_bytes(kind)))

    assert {each.takes_away for each in news} == {kind in TAKING}


@pytest.mark.parametrize(
    ("fields", "takes_away"),
    [
        pytest.param({"is_active": False}, True, id="inactive"),
        pytest.param({"is_active": True}, False, id="active"),
        pytest.param({"scope": "ANONYMOUS"}, True, id="anonymous"),
        pytest.param({"scope": "AUTHENTICATED"}, False, id="authenticated"),
        pytest.param({"email": "ada@example.org"}, False, id="an-address"),
    ],
)
def test_a_profile_takes_something_away_when_it_blocks_or_makes_anonymous(
    fields: dict[str, Any], takes_away: bool
) -> None:
    (news,) = of("user.updated.v1", **fields)

    assert news.takes_away is takes_away
