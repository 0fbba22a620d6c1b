"""What GraphQL shows of badges as people earn, lose and are given them, over HTTP on each database."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import delete, text

from tests.support.bodies import (
    DAY,
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
from tests.support.graphql_site import Site, migrated, served
from tests.support.ground import badge, now
from worker.adapters.database.schema import badges
from worker.awards import AwardState

if TYPE_CHECKING:
    from pathlib import Path

ENROL = {"lp_enroll": {"learning_path_id": "40"}}
ADA, ROOT = "uuid-ada", "uuid-root"
ANY_PAGE = "{ getBadges { totalItems } }"


@pytest.fixture
def site(lasting_site: Site) -> Site:
    """Nothing but Ada, and an administrator."""
    ground = lasting_site.ground
    with ground.engine.begin() as connection:
        connection.execute(delete(badges))
        connection.execute(text("UPDATE rulebook SET version = version + 1"))
    ground.clear()
    ground.ingest(registered(0, "ada", uuid=ADA), registered(0, "root", uuid=ROOT, scope="ADMINISTRATOR"))
    return lasting_site


def criterion(site: Site, criteria: dict[str, Any], fields: str) -> Any:
    """Return what is shown of a badge with this criterion, to Ada."""
    site.ground.apply(shown=badge(criteria))
    query = f'{{ getBadge(badgeId: "shown") {{ earningCriteria {{ __typename {fields} }} }} }}'
    return site.ask(query, ADA)["getBadge"]["earningCriteria"]


CONNECTED = "... on BadgeEarningCriteriaSocialConnection { threshold currentThreshold period }"


@pytest.mark.parametrize(
    ("state", "shown"),
    [(state, "NOT_EARNED" if state is AwardState.REVOKED else "EARNED") for state in AwardState],
)
def test_an_award_is_earned_in_any_state_but_revoked(site: Site, state: AwardState, shown: str) -> None:
    site.ground.apply(first=badge(ENROL, issued=True))
    site.ground.ingest(enrolled(1, "ada"))
    site.ground.set_awards(state=state.value)

    (edge,) = site.page(ADA)["edges"]

    assert edge["node"] == {
        "id": "first",
        "status": shown,
        "earned": "01/01/2025" if shown == "EARNED" else "",
    }
    assert len(site.ids(ADA, "status: EARNED")) == (shown == "EARNED")


def test_a_disabled_badge_is_there_for_who_holds_it(site: Site) -> None:
    site.ground.apply(first=badge(ENROL), second=badge({"social_engagement": {"threshold": 1}}))
    site.ground.ingest(enrolled(1, "ada"))
    site.ground.apply(second=badge({"social_engagement": {"threshold": 1}}))

    assert (site.ids(ADA), site.ids(ROOT)) == (["first", "second"], ["second"])
    assert site.ask('{ getBadge(badgeId: "first") { id } }', ROOT)["getBadge"] is None
    site.ground.set_awards(state=AwardState.REVOKED.value)
    assert site.ids(ADA) == ["second"]


def test_a_changed_badge_is_shown_as_it_is_now_in_its_old_place(site: Site) -> None:
    site.ground.apply(a=badge(ENROL, title="Old"))
    site.ground.apply(a=badge(ENROL, title="Old"), b=badge(ENROL, title="Between"))
    before = site.ids(ADA, "sortKey: TITLE")
    site.ground.apply(a=badge(ENROL, title="Any"), b=badge(ENROL, title="Between"))

    assert (before, site.ids(ADA, "sortKey: TITLE"), site.ids(ADA)) == (["b", "a"], ["a", "b"], ["a", "b"])


def test_connections_count_while_they_last(site: Site) -> None:
    site.ground.ingest(met(1, "ada", "b"), met(2, "ada", "c"), met(3, "ada", "d"), parted(4, "ada", "b"))

    found = criterion(site, {"social_connection": {"threshold": 1}}, CONNECTED)

    assert (found["threshold"], found["currentThreshold"]) == (1, 2)


def test_a_window_ends_now(site: Site) -> None:
    """What falls out of it is not counted, nor what was removed, nor what a fast clock dated ahead."""
    hour = timedelta(hours=1)
    site.ground.ingest(
        met(now() - 25 * hour, "ada", "long-ago"),
        met(now() - 23 * hour, "ada", "today"),
        met(now() - hour, "ada", "just-now"),
        met(now() - hour, "ada", "removed"),
        parted(now() - hour / 2, "ada", "removed"),
        met(now() + timedelta(minutes=4), "ada", "soon"),
    )

    found = criterion(site, {"social_connection": {"threshold": 5, "period": DAY}}, CONNECTED)

    assert (found["currentThreshold"], found["period"]) == (2, DAY)


def test_posts_and_comments_count_while_they_are_there(site: Site) -> None:
    site.ground.ingest(
        posted(1, "ada", "p"), posted(2, "ada", "q"), posted(3, "ada", "c", "p"), unposted(4, "ada", "q")
    )

    fields = "... on BadgeEarningCriteriaSocialEngagement { threshold currentThreshold }"

    assert criterion(site, {"social_engagement": {"threshold": 9}}, fields)["currentThreshold"] == 2


def test_spans_beyond_what_the_schema_can_say_are_shown_as_the_longest(site: Site) -> None:
    longest = 2**31 - 1
    fields = "... on BadgeEarningCriteriaRegisteredFor { threshold currentThreshold }"

    age = criterion(site, {"registered_for": {"threshold": 3_000_000_000}}, fields)
    window = criterion(site, {"social_connection": {"threshold": 1, "period": 3_000_000_000}}, CONNECTED)

    assert (age["threshold"], window["period"]) == (longest, longest)


def test_a_composite_shows_its_criteria_with_their_progress(site: Site) -> None:
    site.ground.ingest(posted(1, "ada", "p"), met(now(), "ada", "b"))
    inner = [{"social_connection": {"threshold": 3, "period": DAY}}, ENROL]
    fields = f"""... on BadgeEarningCriteriaComposite {{ rule criteria {{ __typename
        ... on BadgeEarningCriteriaSocialEngagement {{ currentThreshold }}
        ... on BadgeEarningCriteriaComposite {{ rule criteria {{ __typename {CONNECTED}
            ... on BadgeEarningCriteriaLpEnroll {{ learningPathId }} }} }} }} }}"""

    found = criterion(site, {"all_of": [{"social_engagement": {"threshold": 2}}, {"any_of": inner}]}, fields)

    posts, either = found["criteria"]
    assert (found["rule"], either["rule"]) == ("ALL_OF", "ANY_OF")
    assert posts == {"__typename": "BadgeEarningCriteriaSocialEngagement", "currentThreshold": 1}
    assert [each["__typename"][20:] for each in either["criteria"]] == ["SocialConnection", "LpEnroll"]
    assert either["criteria"][0]["currentThreshold"] == 1


def test_rights_follow_the_user_at_once(site: Site) -> None:
    others = '{ getBadges(userContextId: "root") { totalItems } }'
    answers = [site.post(ANY_PAGE, ADA).status_code]

    for told in (
        blocked(10, "ada"),
        unblocked(20, "ada"),
        updated(30, "ada", scope="ANONYMOUS"),
        updated(40, "ada", scope="ADMINISTRATOR"),
        updated(50, "ada", scope="AUTHENTICATED"),
        deleted(60, "ada"),
    ):
        site.ground.ingest(told)
        answers += [site.post(ANY_PAGE, ADA).status_code, site.post(others, ADA).status_code]

    assert answers == [200, 403, 403, 200, 403, 403, 403, 200, 200, 200, 403, 403, 403]


def test_an_administrator_sees_the_badges_of_who_is_blocked_but_of_nobody_who_is_gone(site: Site) -> None:
    site.ground.apply(first=badge(ENROL))
    site.ground.ingest(enrolled(1, "ada"), registered(0, "gone"), blocked(2, "ada"), deleted(2, "gone"))

    assert site.ids(ROOT, 'userContextId: "ada", status: EARNED') == ["first"]
    refused = site.refusal('{ getBadges(userContextId: "gone") { totalItems } }', ROOT)
    assert refused == ("BAD_USER_INPUT", "userContextId: there is no such user")


def test_who_came_back_under_a_new_id_is_the_new_one(site: Site) -> None:
    site.ground.apply(first=badge(ENROL))
    site.ground.ingest(deleted(1, "ada"), registered(2, "ada-again", uuid=ADA), enrolled(3, "ada-again"))

    assert site.ids(ADA, 'userContextId: "ada-again", status: EARNED') == ["first"]


def test_one_request_may_ask_for_several_pages_of_several_people(site: Site) -> None:
    site.ground.apply(first=badge(ENROL))
    site.ground.ingest(enrolled(1, "ada"))

    data = site.ask(
        '{ hers: getBadge(badgeId: "first", userContextId: "ada") { status } '
        'own: getBadge(badgeId: "first") { status } none: getBadge(badgeId: "none") { status } }',
        ROOT,
    )

    assert data == {"hers": {"status": "EARNED"}, "own": {"status": "NOT_EARNED"}, "none": None}


def test_a_format_that_is_too_long_is_refused(site: Site) -> None:
    site.ground.apply(first=badge(ENROL))
    site.ground.ingest(enrolled(1, "ada"))
    query = 'query ($format: String) { getBadge(badgeId: "first") { earned(format: $format) } }'

    answer = site.post(query, ADA, format="d" * 201).json()

    assert answer["data"] == {"getBadge": {"earned": None}}
    assert answer["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    assert answer["errors"][0]["path"] == ["getBadge", "earned"]


def test_what_goes_wrong_inside_is_told_to_nobody(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr("worker.browsing.turn_to", broken)

    answer = site.post(ANY_PAGE, ADA)

    assert answer.status_code == 200
    assert answer.json()["errors"] == [
        {
            "message": "something went wrong here",
            "path": ["getBadges"],
            "extensions": {"code": "INTERNAL_SERVER_ERROR"},
        }
    ]
    assert "secret" not in answer.text


def test_times_are_shown_in_the_sites_time_zone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'badge-worker.db'}"
    migrated(url)
    with served(url, time_zone="Pacific/Auckland") as site:
        site.ground.apply(first=badge(ENROL))
        site.ground.ingest(registered(0, "ada", uuid=ADA), enrolled(DAY - 1, "ada"))

        query = '{ getBadge(badgeId: "first") { day: earned time: earned(format: "c e T") } }'

        assert site.ask(query, ADA)["getBadge"] == {
            "day": "02/01/2025",
            "time": "2025-01-02T12:59:59+13:00 Pacific/Auckland NZDT",
        }


def test_a_connection_that_was_lost_meanwhile_is_nobodys_trouble(postgres_url: str) -> None:
    migrated(postgres_url)
    with served(postgres_url) as site:
        site.ground.ingest(registered(0, "ada", uuid=ADA))
        site.ask(ANY_PAGE, ADA)
        with site.ground.engine.begin() as connection:
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            lost = connection.execute(text(f"SELECT pg_terminate_backend(pid) {others}")).all()  # ours

        assert lost
        assert site.ask(ANY_PAGE, ADA) == {"getBadges": {"totalItems": 0}}


def test_without_its_database_it_says_when_to_come_back() -> None:
    with served("postgresql+psycopg://nobody@127.0.0.1:1/nothing") as site:
        answer = site.post(ANY_PAGE, ADA)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["errors"][0]["extensions"] == {"code": "UNAVAILABLE"}
