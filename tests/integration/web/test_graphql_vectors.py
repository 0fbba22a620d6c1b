"""The test vectors 23 to 27 of the fact sheet (facts section 14), by number, over HTTP on each database."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, text

from tests.support.bodies import blocked, deleted, enrolled, registered, updated
from tests.support.graphql_site import PUBLISHER, Site, quoted
from tests.support.ground import badge
from worker.adapters.database.schema import badges

ANY_PAGE = "{ getBadges { totalItems } }"
NAMES = ("one", "two", "three", "four", "five")  # in the order of their creation


@pytest.fixture
def site(lasting_site: Site) -> Site:
    """Five badges that were made one after the other; Ada has the third."""
    site = lasting_site
    with site.ground.engine.begin() as connection:
        connection.execute(delete(badges))
        connection.execute(text("UPDATE rulebook SET version = version + 1"))
    site.ground.clear()
    for upto in range(1, len(NAMES) + 1):
        site.ground.apply(
            **{
                name: badge({"lp_enroll": {"learning_path_id": name}}, title=f"Badge {name}")
                for name in NAMES[:upto]
            }
        )
    site.ground.ingest(registered(0, "ada", uuid="uuid-ada"), enrolled(86400, "ada", "three"))
    return site


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(
            "after: $cursor", "first is required when after is provided", id="23-after-without-first"
        ),
        pytest.param(
            "first: 2, last: 2", "providing both first and last is not supported", id="23-first-and-last"
        ),
        pytest.param(
            "first: 2, before: $cursor", "using first with before is not supported", id="23-first-and-before"
        ),
        pytest.param("first: 0", "first must be a positive integer when provided", id="23-first-0"),
        pytest.param("first: 101", "first may not be larger than 100", id="23-first-101"),
    ],
)
def test_vector_is_an_error(site: Site, arguments: str, message: str) -> None:
    cursor = site.page("uuid-ada", "first: 1")["pageInfo"]["endCursor"]
    written = arguments.replace("$cursor", quoted(cursor))

    refused = site.refusal(f"{{ getBadges({written}) {{ totalItems }} }}", "uuid-ada")

    assert refused == ("BAD_USER_INPUT", message)


def test_vector_24_the_last_two_come_in_ascending_order(site: Site) -> None:
    page = site.page("uuid-ada", "last: 2")

    assert [edge["node"]["id"] for edge in page["edges"]] == ["four", "five"]
    assert (page["pageInfo"]["hasPreviousPage"], page["pageInfo"]["hasNextPage"]) == (True, False)


@pytest.mark.parametrize("direction", ["forwards", "backwards"])
def test_vector_25_the_cursor_of_a_badge_that_is_gone_still_pages(site: Site, direction: str) -> None:
    cursor = site.page("uuid-ada", "first: 2")["pageInfo"]["endCursor"]
    with site.ground.engine.begin() as connection:
        connection.execute(delete(badges).where(badges.c.id == "two"))
        connection.execute(text("UPDATE rulebook SET version = version + 1"))

    mode = "first: 2, after" if direction == "forwards" else "last: 2, before"

    assert site.ids("uuid-ada", f"{mode}: {quoted(cursor)}") == (
        ["three", "four"] if direction == "forwards" else ["one"]
    )


@pytest.mark.parametrize(
    ("uuid", "token", "status", "code"),
    [
        pytest.param("uuid-ada", None, 401, "UNAUTHENTICATED", id="26-no-token"),
        pytest.param("uuid-ada", "another", 401, "UNAUTHENTICATED", id="26-bad-token"),
        pytest.param("uuid-ada", PUBLISHER, 401, "UNAUTHENTICATED", id="26-token-without-the-scope"),
    ],
)
def test_vector_is_unauthenticated(site: Site, uuid: str, token: str | None, status: int, code: str) -> None:
    answer = site.post(ANY_PAGE, uuid, token)

    assert answer.status_code == status
    assert answer.headers["www-authenticate"] == "Bearer"
    assert [error["extensions"] for error in answer.json()["errors"]] == [{"code": code}]
    assert set(answer.json()) == {"errors"}


@pytest.mark.parametrize(
    "uuid",
    [
        pytest.param(None, id="26-no-context"),
        pytest.param("", id="26-empty-context"),
        pytest.param("uuid-nobody", id="26-unknown"),
        pytest.param("uuid-blocked", id="26-blocked"),
        pytest.param("uuid-deleted", id="26-deleted"),
        pytest.param("uuid-anonymous", id="26-anonymous"),
        pytest.param("uuid-shared", id="26-of-two-people"),
    ],
)
def test_vector_is_forbidden(site: Site, uuid: str | None) -> None:
    site.ground.ingest(
        registered(0, "blocked", uuid="uuid-blocked"),
        blocked(1, "blocked"),
        registered(0, "deleted", uuid="uuid-deleted"),
        deleted(1, "deleted"),
        registered(0, "anonymous", uuid="uuid-anonymous", scope="ANONYMOUS"),
        registered(0, "one", uuid="uuid-shared"),
        registered(0, "another", uuid="uuid-shared"),
    )

    answer = site.post(ANY_PAGE, uuid)

    assert answer.status_code == 403
    assert [error["extensions"] for error in answer.json()["errors"]] == [{"code": "FORBIDDEN"}]
    assert set(answer.json()) == {"errors"}


@pytest.mark.parametrize("whose", ["bob", "nobody"])
@pytest.mark.parametrize(
    "query",
    ['getBadge(badgeId: "one", userContextId: $id) { id }', "getBadges(userContextId: $id) { totalItems }"],
)
def test_vector_26_anothers_context_is_forbidden(site: Site, whose: str, query: str) -> None:
    site.ground.ingest(registered(0, "bob", uuid="uuid-bob"))

    answer = site.post(f"query ($id: ID) {{ {query} }}", "uuid-ada", id=whose)

    assert answer.status_code == 403
    assert answer.json() == {
        "errors": [
            {
                "message": "another user's context needs the scope ADMINISTRATOR",
                "extensions": {"code": "FORBIDDEN"},
            }
        ]
    }


def test_vector_26_an_administrator_looks_at_others(site: Site) -> None:
    site.ground.ingest(registered(0, "root", uuid="uuid-root"), updated(1, "root", scope="ADMINISTRATOR"))

    assert site.ids("uuid-root", 'userContextId: "ada", status: EARNED') == ["three"]
    assert site.ids("uuid-root", "status: EARNED") == []


def test_vector_27_what_is_not_earned_has_no_time(site: Site) -> None:
    query = r'{ getBadge(badgeId: "one") { status earned(format: "Y-m-d\\TH:i") } }'

    assert site.ask(query, "uuid-ada")["getBadge"] == {"status": "NOT_EARNED", "earned": ""}


def test_vector_27_what_is_earned_has_its_time(site: Site) -> None:
    query = r'{ getBadge(badgeId: "three") { status earned(format: "Y-m-d\\TH:i") default: earned } }'

    assert site.ask(query, "uuid-ada")["getBadge"] == {
        "status": "EARNED",
        "earned": "2025-01-02T00:00",
        "default": "02/01/2025",
    }
