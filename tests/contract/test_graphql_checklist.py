"""The checklist of the GraphQL seed (facts section 2), item by item, over HTTP and a real database.

`test_no_row_is_missing` sees that every id of the checklist has a row.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from graphql import build_client_schema, get_introspection_query
from sqlalchemy import func, select

from tests.support.bodies import completed, deleted, enrolled, met, posted, registered
from tests.support.graphql_site import PUBLISHER, Site, migrated, quoted, served
from tests.support.ground import badge, now
from worker.adapters.database.schema import awards

if TYPE_CHECKING:
    from collections.abc import Iterator

ADA, ROOT = "uuid-ada", "uuid-root"
DAY = 86_400
WEEK = 7 * DAY
CRITERIA: dict[str, dict[str, Any]] = {
    "enroll": {"lp_enroll": {"learning_path_id": "40"}},
    "complete": {"lp_complete": {"learning_path_id": "41"}},
    "passed": {"lp_passed": {"learning_path_id": "42"}},
    "connection": {"social_connection": {"threshold": 3}},
    "windowed": {"social_connection": {"threshold": 3, "period": WEEK}},
    "engagement": {"social_engagement": {"threshold": 5}},
    "age": {"registered_for": {"threshold": 4000 * DAY}},
    "either": {
        "any_of": [
            {"lp_enroll": {"learning_path_id": "99"}},
            {"all_of": [{"social_engagement": {"threshold": 9}}, {"registered_for": {"threshold": 1}}]},
        ]
    },
}
# In the order of their creation: one `apply` each.
IDS = list(CRITERIA)
CRITERION = """__typename
    ... on BadgeEarningCriteriaLpComplete { learningPathId }
    ... on BadgeEarningCriteriaLpPassed { learningPathId }
    ... on BadgeEarningCriteriaLpEnroll { learningPathId }
    ... on BadgeEarningCriteriaSocialConnection { threshold currentThreshold period }
    ... on BadgeEarningCriteriaSocialEngagement { threshold currentThreshold }
    ... on BadgeEarningCriteriaRegisteredFor { threshold currentThreshold }"""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Eight badges, made one after the other; Ada has the first and knows two people.

    She met one of them long ago and one just now, and wrote three posts. Root is an administrator.
    """
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{tmp_path_factory.mktemp('checklist') / 'badge-worker.db'}"
        else:
            url = stack.enter_context(request.getfixturevalue("postgres_server").database())
        migrated(url)
        site = stack.enter_context(served(url))
        for upto in range(1, len(IDS) + 1):
            site.ground.apply(
                **{
                    name: badge(
                        CRITERIA[name], title=f"{name[::-1]}", picture=f"https://example.org/{name}.png"
                    )
                    for name in IDS[:upto]
                }
            )
        site.ground.ingest(
            registered(0, "ada", uuid=ADA),
            registered(0, "root", uuid=ROOT, scope="ADMINISTRATOR"),
            registered(0, "gone", uuid="uuid-gone"),
            deleted(1, "gone"),
            enrolled(DAY, "ada", "40"),
            completed(DAY, "ada", "42", passed=False),
            met(1, "ada", "bob"),
            met(now(), "ada", "eve"),
            *(posted(number, "ada", f"post-{number}") for number in range(3)),
        )
        yield site


def got(site: Site, badge_id: str, fields: str, uuid: str = ADA) -> Any:
    """Return these fields of one badge."""
    return site.ask(f"{{ getBadge(badgeId: {quoted(badge_id)}) {{ {fields} }} }}", uuid)["getBadge"]


def criterion(site: Site, badge_id: str) -> dict[str, Any]:
    """Return a badge's criterion."""
    found: dict[str, Any] = got(site, badge_id, f"earningCriteria {{ {CRITERION} }}")["earningCriteria"]
    return found


def error(site: Site, arguments: str) -> str:
    """Return the message of the one error that a page with these arguments is."""
    code, message = site.refusal(f"{{ getBadges({arguments}) {{ totalItems }} }}", ADA)
    assert code == "BAD_USER_INPUT"
    return message


def cursor_of(site: Site, badge_id: str) -> str:
    """Return a badge's cursor, as it stands in a query."""
    edges = site.page(ADA)["edges"]
    return next(quoted(edge["cursor"]) for edge in edges if edge["node"]["id"] == badge_id)


def status_of(site: Site, **request: Any) -> tuple[int, str]:
    """Return HTTP status and code of a request."""
    answer = site.post("{ getBadges { totalItems } }", **request)
    return answer.status_code, answer.json()["errors"][0]["extensions"]["code"]


def the_type(site: Site) -> None:
    assert got(site, "enroll", "__typename") == {"__typename": "Badge"}


def the_id(site: Site) -> None:
    assert got(site, "enroll", "id") == {"id": "enroll"}


def the_title(site: Site) -> None:
    assert got(site, "enroll", "title") == {"title": "llorne"}


def the_picture(site: Site) -> None:
    url = "https://example.org/enroll.png"

    assert got(site, "enroll", "picture { __typename url }")["picture"] == {
        "__typename": "MediaImage",
        "url": url,
    }


def the_status_is_the_users(site: Site) -> None:
    assert (got(site, "enroll", "status")["status"], got(site, "enroll", "status", ROOT)["status"]) == (
        "EARNED",
        "NOT_EARNED",
    )


def the_earning_time(site: Site) -> None:
    assert got(site, "enroll", 'earned iso: earned(format: "Y-m-d")') == {
        "earned": "02/01/2025",
        "iso": "2025-01-02",
    }
    assert got(site, "complete", "earned") == {"earned": ""}


def one_criterion_each(site: Site) -> None:
    assert all(criterion(site, badge_id)["__typename"] for badge_id in IDS)


def the_union(site: Site) -> None:
    assert {criterion(site, badge_id)["__typename"] for badge_id in IDS} == {
        f"BadgeEarningCriteria{name}"
        for name in (
            "LpComplete", "LpPassed", "LpEnroll", "SocialConnection", "SocialEngagement", "RegisteredFor",
            "Composite",
        )
    }  # fmt: skip


def learning_path(badge_id: str, name: str, path: str) -> Callable[[Site], None]:
    def check(site: Site) -> None:
        assert criterion(site, badge_id) == {
            "__typename": f"BadgeEarningCriteria{name}",
            "learningPathId": path,
        }

    return check


def number(badge_id: str, field: str, wanted: int | None) -> Callable[[Site], None]:
    def check(site: Site) -> None:
        assert criterion(site, badge_id)[field] == wanted

    return check


def connections_that_are_there(site: Site) -> None:
    """Two in all, one of them in the week that ends now."""
    found = [criterion(site, name)["currentThreshold"] for name in ("connection", "windowed")]

    assert found == [2, 1]


def the_period(site: Site) -> None:
    assert [criterion(site, name)["period"] for name in ("connection", "windowed")] == [None, WEEK]


def posts_that_are_there(site: Site) -> None:
    assert criterion(site, "engagement") == {
        "__typename": "BadgeEarningCriteriaSocialEngagement",
        "threshold": 5,
        "currentThreshold": 3,
    }


def the_age_moves_with_the_clock(site: Site) -> None:
    before = int((now() - site.ground.earned()["ada", "enroll"]).total_seconds()) + DAY

    seconds = criterion(site, "age")["currentThreshold"]

    assert before <= seconds <= before + 60


def one_badge(site: Site) -> None:
    assert [got(site, badge_id, "id")["id"] for badge_id in IDS] == IDS


def the_badge_id(site: Site) -> None:
    assert got(site, "nothing", "id") is None
    assert site.refusal("{ getBadge { id } }", ADA)[0] == "BAD_USER_INPUT"


def whose_badge(site: Site) -> None:
    query = '{ getBadge(badgeId: "enroll"%s) { status } }'

    other = site.ask(query % ', userContextId: "ada"', ROOT)
    own = site.ask(query % "", ROOT)

    assert (other["getBadge"]["status"], own["getBadge"]["status"]) == ("EARNED", "NOT_EARNED")


def needs_the_scope(query: str) -> Callable[[Site], None]:
    def check(site: Site) -> None:
        answers = [site.post(query, ADA, token) for token in (None, "wrong", PUBLISHER)]

        assert [answer.status_code for answer in answers] == [401] * 3
        assert {answer.json()["errors"][0]["extensions"]["code"] for answer in answers} == {"UNAUTHENTICATED"}

    return check


def needs_the_context(query: str) -> Callable[[Site], None]:
    def check(site: Site) -> None:
        answers = [site.post(query, uuid) for uuid in (None, "uuid-nobody", "uuid-gone")]

        assert [answer.status_code for answer in answers] == [403] * 3
        assert {answer.json()["errors"][0]["extensions"]["code"] for answer in answers} == {"FORBIDDEN"}

    return check


def all_badges(site: Site) -> None:
    page = site.page(ADA)

    assert [edge["node"]["id"] for edge in page["edges"]] == IDS
    assert page["totalItems"] == len(IDS)


def whose_badges(site: Site) -> None:
    assert site.ids(ROOT, 'userContextId: "ada", status: EARNED') == ["enroll"]
    assert site.ids(ADA, 'userContextId: "ada", status: EARNED') == ["enroll"]


def by_status(site: Site) -> None:
    assert (site.ids(ADA, "status: EARNED"), site.ids(ADA, "status: NOT_EARNED")) == (IDS[:1], IDS[1:])


def after_a_cursor(site: Site) -> None:
    assert site.ids(ADA, f"first: 2, after: {cursor_of(site, IDS[2])}") == IDS[3:5]


def before_a_cursor(site: Site) -> None:
    cursor = cursor_of(site, IDS[4])

    assert site.ids(ADA, f"last: 2, before: {cursor}") == IDS[2:4]
    assert error(site, f"before: {cursor}") == "last is required when before is provided"
    assert error(site, f"last: 1, before: {cursor}, after: {cursor}").startswith("providing both")


def the_first(site: Site) -> None:
    assert site.ids(ADA, "first: 3") == IDS[:3]
    assert error(site, "first: 3, last: 3") == "providing both first and last is not supported"


def the_last(site: Site) -> None:
    assert site.ids(ADA, "last: 3") == IDS[-3:]


def in_reverse(site: Site) -> None:
    backwards = IDS[::-1]

    assert site.ids(ADA, "reverse: true") == backwards
    assert site.ids(ADA, f"reverse: true, first: 2, after: {cursor_of(site, backwards[1])}") == backwards[2:4]
    assert site.ids(ADA, f"reverse: true, last: 2, before: {cursor_of(site, backwards[4])}") == backwards[2:4]


def by_key(site: Site) -> None:
    by_title = sorted(IDS, key=lambda badge_id: badge_id[::-1])

    assert (site.ids(ADA), site.ids(ADA, "sortKey: CREATED")) == (IDS, IDS)
    assert site.ids(ADA, "sortKey: TITLE") == by_title
    assert site.ids(ADA, "sortKey: TITLE, reverse: true") == by_title[::-1]


def page_by_page(site: Site) -> None:
    """Going on by `endCursor` while there is a next page shows each badge once."""
    seen: list[str] = []
    after = ""
    while True:
        page = site.page(ADA, f"first: 3{after}")
        cursors = [edge["cursor"] for edge in page["edges"]]
        around = page["pageInfo"]
        assert [around["startCursor"], around["endCursor"]] == [cursors[0], cursors[-1]]
        assert around["hasPreviousPage"] == bool(seen)
        seen += [edge["node"]["id"] for edge in page["edges"]]
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = f", after: {quoted(page['pageInfo']['endCursor'])}"

    assert seen == IDS


def unauthorized(site: Site) -> None:
    assert status_of(site, uuid=ADA, token="wrong") == (401, "UNAUTHENTICATED")


def forbidden(site: Site) -> None:
    answer = site.post('{ getBadges(userContextId: "root") { totalItems } }', ADA)

    assert answer.status_code == 403
    assert [each["extensions"] for each in answer.json()["errors"]] == [{"code": "FORBIDDEN"}]


def missing_first(site: Site) -> None:
    assert error(site, f"after: {cursor_of(site, IDS[0])}") == "first is required when after is provided"


def invalid_cursors(site: Site) -> None:
    """Whatever we did not write, or wrote for another order, status or user (X-10)."""
    cursor = cursor_of(site, IDS[0])
    changed = cursor[:-3] + ("AA" if cursor[-3:-1] != "AA" else "BB") + cursor[-1]
    wrong = ['""', '"x"', '"ä"', '"====="', changed, cursor[:10] + '"']
    made_for_another = [f"sortKey: TITLE, after: {cursor}", f"status: NOT_EARNED, after: {cursor}"]

    found = {error(site, f"first: 1, after: {each}") for each in wrong}
    found |= {error(site, f"first: 1, {each}") for each in made_for_another}
    another = f'{{ getBadges(userContextId: "ada", first: 1, after: {cursor}) {{ totalItems }} }}'

    assert found == {"invalid cursor"}
    assert site.ask(another, ROOT)["getBadges"]["totalItems"] == len(IDS)
    assert site.refusal(another.replace('userContextId: "ada", ', ""), ROOT)[1] == "invalid cursor"


def conflicts(site: Site) -> None:
    cursor = cursor_of(site, IDS[0])

    assert error(site, f"first: 1, before: {cursor}") == "using first with before is not supported"
    assert error(site, f"last: 1, after: {cursor}") == "using last with after is not supported"


def what_is_not_earned_shows_progress(site: Site) -> None:
    found = criterion(site, "connection")

    assert got(site, "connection", "status") == {"status": "NOT_EARNED"}
    assert (found["threshold"], found["currentThreshold"]) == (3, 2)


def nothing_can_be_changed(site: Site) -> None:
    with site.ground.engine.connect() as connection:
        before = connection.execute(select(func.count()).select_from(awards)).scalar_one()

    schema = build_client_schema(site.ask(get_introspection_query(), ADA))  # type: ignore[arg-type]
    site.page(ADA)

    with site.ground.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(awards)).scalar_one() == before
    assert (schema.mutation_type, schema.subscription_type) == (None, None)


BADGE = '{ getBadge(badgeId: "enroll") { id } }'
BADGES = "{ getBadges { totalItems } }"
ROWS: dict[str, Callable[[Site], None]] = {
    "S0-01": the_type,
    "S0-02": the_id,
    "S0-03": the_title,
    "S0-04": the_picture,
    "S0-05": the_status_is_the_users,
    "S0-06": the_earning_time,
    "S0-07": one_criterion_each,
    "S0-08": the_union,
    "S0-09": learning_path("complete", "LpComplete", "41"),
    "S0-10": learning_path("passed", "LpPassed", "42"),
    "S0-11": learning_path("enroll", "LpEnroll", "40"),
    "S0-12": number("connection", "threshold", 3),
    "S0-13": connections_that_are_there,
    "S0-14": the_period,
    "S0-15": number("engagement", "threshold", 5),
    "S0-16": posts_that_are_there,
    "S0-17": number("age", "threshold", 4000 * DAY),
    "S0-18": the_age_moves_with_the_clock,
    "S0-19": one_badge,
    "S0-20": the_badge_id,
    "S0-21": whose_badge,
    "S0-22": needs_the_scope(BADGE),
    "S0-23": needs_the_context(BADGE),
    "S0-24": all_badges,
    "S0-25": needs_the_scope(BADGES),
    "S0-26": needs_the_context(BADGES),
    "S0-27": whose_badges,
    "S0-28": by_status,
    "S0-29": after_a_cursor,
    "S0-30": before_a_cursor,
    "S0-31": the_first,
    "S0-32": the_last,
    "S0-33": in_reverse,
    "S0-34": by_key,
    "S0-35": page_by_page,
    "S0-36": unauthorized,
    "S0-37": forbidden,
    "S0-38": missing_first,
    "S0-39": invalid_cursors,
    "S0-40": conflicts,
    "S0-41": what_is_not_earned_shows_progress,
    "S0-42": nothing_can_be_changed,
}


@pytest.mark.parametrize("row", ROWS)
def test_the_item_holds(site: Site, row: str) -> None:
    ROWS[row](site)


def test_no_row_is_missing() -> None:
    assert list(ROWS) == [f"S0-{number:02}" for number in range(1, 43)]
