"""The admin page over HTTP, on a database of each kind."""

from __future__ import annotations

import re
import shutil
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text as sql

from tests.support.admin_site import ATTACK, AdminSite, Elements, admin_site, fill, text, variables
from tests.support.bodies import enrolled
from tests.support.ground import Ground
from tests.support.outbox import change
from worker.adapters.database import looking
from worker.adapters.database.engine import make_engine
from worker.adapters.database.looking import DayCount, Looking
from worker.adapters.database.migrations import upgrade
from worker.adapters.permits import RateLimit, RedisPermits
from worker.adapters.queues import open_queue
from worker.calling import PATIENCE
from worker.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import redis

    from tests.support.services import Postgres


# Where no statement differs, one kind of database shows as much as two.
ONE = pytest.mark.parametrize("site", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def migrated_server(postgres_server: Postgres) -> Iterator[str]:
    """A database on PostgreSQL with the newest schema, for all tests of this module: each empties it."""
    with postgres_server.database() as url:
        engine = make_engine(url)
        upgrade(engine)
        engine.dispose()
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def site(
    request: pytest.FixtureRequest, filled_file: Path, tmp_path: Path, redis_url: str
) -> Iterator[AdminSite]:
    """A site that is filled, in front of which somebody has signed in."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            shutil.copyfile(filled_file, tmp_path / "site.db")
            url = f"sqlite:///{tmp_path / 'site.db'}"
        else:
            url = request.getfixturevalue("migrated_server")
        engine = make_engine(url)
        stack.callback(engine.dispose)
        ground = Ground(engine)
        if request.param == "postgresql":
            ground.clear()
            fill(ground)
        there = stack.enter_context(admin_site(ground, variables(url, redis_url)))
        there.sign_in()
        yield there


def letter(site: AdminSite) -> str:
    """Return the id of the only dead letter."""
    (found,) = site.ground.database.list_dead_letters()
    return found.id


def test_awards_are_found_by_state_badge_and_user(site: AdminSite) -> None:
    everybody = text(site.get("awards"))
    failed = text(site.get("awards", state="failed"))
    of_ada = text(site.get("awards", user="ada", badge="40"))

    assert "ada 40 pending" in everybody
    assert "bob 40 failed" in everybody
    assert "cyn 40 waiting" in everybody
    assert "bob 40 failed" in failed
    assert "ada" not in failed
    assert "no such badge class <i>" in failed
    assert "ada 40 pending" in of_ada
    assert "bob" not in of_ada


@ONE
def test_no_awards_are_no_failure(site: AdminSite) -> None:
    assert "No such awards." in text(site.get("awards", user="nobody", state="issued"))


def test_awards_are_leafed_through_by_key(site: AdminSite) -> None:
    site.ground.ingest(*(enrolled(5, f"user-{number:03}", "40") for number in range(60)))

    first = site.get("awards", badge="40")
    second = site.get("awards", badge="40", after_user="user-046", after_badge="40")

    assert 'id="next"' in first
    assert "after_user=user-046" in first
    assert "user-047" not in first
    assert "user-047" in second
    assert "user-046" not in second.partition('id="next"')[0].partition("<tbody>")[2]
    assert 'id="next"' not in second


def test_one_failed_award_is_put_back_in_the_name_of_who_did_it(site: AdminSite) -> None:
    said = text(site.post("award/retry", user="bob", badge="40").text)

    (put_back,) = [row for row in site.ground.database.history_of("bob", "40") if row.what == "put back"]
    assert "Put back: due at once." in said
    assert put_back.actor == "grace"
    assert site.ground.states()["bob"] == "pending"


@ONE
def test_what_did_not_fail_is_not_put_back(site: AdminSite) -> None:
    said = text(site.post("award/retry", user="cyn", badge="40").text)

    assert "Only a failed award is put back" in said
    assert site.ground.states()["cyn"] == "waiting"


def test_all_failed_awards_that_are_shown_are_put_back(site: AdminSite) -> None:
    change(site.ground, ["ada"], state="failed")

    of_ada = text(site.post("awards/retry", user="ada", badge="").text)
    states = site.ground.states()
    everybody = text(site.post("awards/retry", user="", badge="").text)

    assert "1 put back" in of_ada
    assert (states["ada"], states["bob"]) == ("pending", "failed")
    assert "1 put back" in everybody
    assert site.ground.states()["bob"] == "pending"


def test_an_award_is_revoked_for_a_reason_in_the_name_of_who_did_it(site: AdminSite) -> None:
    said = text(site.post("award/revoke", user="ada", badge="40", reason="a mistake", sure="yes").text)

    last = site.ground.database.history_of("ada", "40")[-1]
    assert "Revoked: nothing was ever sent." in said
    assert (last.what, last.actor, last.detail) == ("revoked", "grace", {"reason": "a mistake"})
    assert site.ground.states()["ada"] == "revoked"


@ONE
@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"reason": "a mistake"}, id="nobody-is-sure"),
        pytest.param({"reason": " ", "sure": "yes"}, id="no-reason"),
        pytest.param({"reason": "x" * 256, "sure": "yes"}, id="too-long"),
    ],
)
def test_nothing_is_revoked_without_a_reason_or_by_mistake(site: AdminSite, fields: dict[str, str]) -> None:
    answer = site.post("award/revoke", user="ada", badge="40", **fields)

    assert answer.status_code == 400
    assert site.ground.states()["ada"] == "pending"


@ONE
def test_addresses_are_shown_with_one_award_alone(site: AdminSite) -> None:
    lists = [site.get(path) for path in ("", "awards", "badges", "letters", "issuers")]
    lists.append(site.get("progress", user="ada"))
    one = site.get("award", user="ada", badge="40")

    assert not [page for page in lists if "@example.org" in page]
    assert "ada@example.org" in one


@ONE
def test_a_dead_letters_body_is_text_whatever_it_holds(site: AdminSite) -> None:
    one, every = site.get("letter", id=letter(site)), site.get("letters")

    for page in (one, every):
        assert Elements(page).runs == []
        assert "<script>alert(1)</script>" in text(page)
        assert "\u202e" not in page  # it would turn the rest of the line around
    assert '\\" onmouseover=alert(2) \\u202e' in text(one)


@ONE
def test_titles_and_errors_are_text_too(site: AdminSite) -> None:
    assert "Networker &lt;b&gt;" in site.get("badges")
    assert "no such badge class &lt;i&gt;" in site.get("award", user="bob", badge="40")


def test_dead_letters_are_put_back_on_the_queue(site: AdminSite, redis_url: str) -> None:
    said = text(site.post("letters/replay", id=letter(site)).text)

    queue = open_queue(redis_url)
    bodies = [message.body for message in queue.read(10, 5.0)]
    queue.close()
    (noted,) = site.ground.database.list_dead_letters()
    assert "1 dead letter put back on the event queue" in said
    assert bodies == [ATTACK]
    assert noted.replayed_at is not None


def test_dead_letters_are_discarded_once_somebody_is_sure(site: AdminSite) -> None:
    asked = text(site.post("letters/discard", id=letter(site)).text)
    still_there = letter(site)
    said = text(site.post("letters/discard", id=still_there, sure="yes").text)

    assert "Discard 1 dead letter for good?" in asked
    assert "1 dead letter discarded." in said
    assert site.ground.database.list_dead_letters() == []


@ONE
def test_choosing_no_letter_does_nothing(site: AdminSite) -> None:
    assert "0 dead letters put back" in text(site.post("letters/replay").text)
    assert "0 dead letters discarded" in text(site.post("letters/discard", sure="yes").text)


def test_dead_letters_are_leafed_through_from_the_newest(site: AdminSite) -> None:
    site.ground.ingest(*(f"letter {number}".encode() for number in range(60)))

    first = site.get("letters")
    address = first.partition('id="next" href="/admin/')[2].partition('"')[0].replace("&amp;", "&")
    second = site.get(address)

    assert first.count('name="id"') == 50
    assert second.count('name="id"') == 11
    assert 'id="next"' not in second


def test_badges_are_listed_with_how_many_have_them_and_when_the_last_was_decided(site: AdminSite) -> None:
    page = text(site.get("badges"))

    assert re.search(r"40 First steps published enrolled in learning path 40 academy 3 20\d\d-", page)
    assert re.search(r"networker Networker <b> published 3 connections \S 0 \S", page)


def test_a_badges_earners_are_drawn_by_day(site: AdminSite) -> None:
    page = site.get("badge", badge="40")

    assert "3 in all" in text(page)
    assert page.count('class="earners"') > 3
    assert "by year" in text(page) or "by month" in text(page) or "by week" in text(page)


@ONE
def test_a_badge_that_nobody_has_has_no_chart(site: AdminSite) -> None:
    page = site.get("badge", badge="networker")

    assert "<svg class=" not in page
    assert "Nobody has earned it yet." in text(page)


def test_a_users_progress_is_what_explaining_says(site: AdminSite) -> None:
    every = text(site.get("progress", user="ada"))
    one = text(site.get("progress", user="ada", badge="networker"))

    assert "1 of 3" in every
    assert "User ada has earned badge 40" in every
    assert "User ada does not have badge networker: 2 of 3 connections are missing." in one
    assert "connected bob" in one


def test_an_issuer_is_shown_with_its_permits(site: AdminSite) -> None:
    page = text(site.get("issuers"))

    assert "academy open" in page
    assert "100 of 100 in any 60 s" in page
    assert "1 due or to be tried again" in page


@ONE
@pytest.mark.parametrize(
    ("calls", "failures", "pause", "state", "words"),
    [
        pytest.param(100, 0, 0, "busy", "The rate limit is used up", id="no permits left"),
        pytest.param(3, 4, 0, "open", "Calls go out, though 4 calls in a row failed.", id="some failed"),
        pytest.param(0, PATIENCE, 0, "failing", "failed; the next one is a trial.", id="a trial"),
        pytest.param(0, PATIENCE, 60, "paused", f"s: {PATIENCE} calls in a row failed.", id="open circuit"),
        pytest.param(0, 0, 60, "paused", "s, as the provider asked.", id="the provider asked"),
    ],
)
def test_an_issuers_circuit_is_shown_with_the_permits_left(
    site: AdminSite,
    redis_client: redis.Redis,
    calls: int,
    failures: int,
    pause: float,
    state: str,
    words: str,
) -> None:
    limit = {"academy": RateLimit(100, 60, 30)}
    permits = RedisPermits(redis_client, limit, called_before=lambda _: False)
    for _ in range(calls):
        permits.acquire("academy", 0)
    for _ in range(failures):
        permits.failed("academy")
    if pause:
        permits.pause("academy", pause)

    issuers, overview = text(site.get("issuers")), text(site.get())

    assert f"academy {state} " in issuers
    assert f"academy {state} " in overview
    assert words in issuers
    assert words in overview
    assert f"{100 - calls} of 100 in any 60 s" in issuers
    assert f"Calls that failed in a row {failures} " in issuers


@ONE
def test_what_is_not_there_is_not_found(site: AdminSite) -> None:
    asked = ("award?user=x&badge=40", "letter?id=x", "badge?badge=x", "progress?user=x", "nothing")

    answers = [site.client.get(f"/admin/{path}").status_code for path in asked]

    assert answers == [404] * len(asked)


@ONE
@pytest.mark.parametrize(
    "path", ["awards?state=odd", "letters?before=x&before_at=2025-01-01", "letters?before=x&before_at=x"]
)
def test_what_cannot_be_is_refused(site: AdminSite, path: str) -> None:
    assert site.client.get(f"/admin/{path}").status_code == 400


def test_the_overview_says_what_needs_somebody(site: AdminSite) -> None:
    page = text(site.get())

    assert "1 failed awards need somebody" in page
    assert "1 dead letters" in page
    assert "1 waiting" in page


@pytest.mark.parametrize("site", ["postgresql"], indirect=True)  # readers of SQLite wait for nobody
def test_looking_gives_up_where_it_would_hold_up_the_work(
    site: AdminSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "PATIENCE", "50ms")
    with site.ground.engine.begin() as connection:
        connection.execute(sql("LOCK TABLE awards IN ACCESS EXCLUSIVE MODE"))

        asked = site.client.get("/admin/awards")
        chart = text(site.client.get("/admin/badge?badge=40").text)

    assert asked.status_code == 503
    assert "Please try again" in text(asked.text)
    assert "Please try again" in chart
    assert "bob 40 failed" in text(site.get("awards"))


@ONE
def test_a_chart_that_takes_too_long_is_left_out(site: AdminSite, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(_look: Looking, badge_id: str) -> list[DayCount]:
        raise DatabaseUnavailable(badge_id)

    monkeypatch.setattr(Looking, "earned_by_day", too_long)

    page = text(site.get("badge", badge="40"))

    assert "could not count them in the few seconds that a look may take" in page
    assert "enrolled in learning path 40" in page
