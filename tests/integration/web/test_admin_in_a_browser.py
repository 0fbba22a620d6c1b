"""The admin page in Chromium: the real application on a port, on PostgreSQL and Valkey."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.admin_site import ATTACK, TOKEN, fill, variables
from tests.support.bodies import enrolled
from tests.support.browser import Browser, browser
from tests.support.graphql_site import listening
from tests.support.ground import Ground
from tests.support.outbox import change
from worker.adapters.database.engine import make_engine
from worker.adapters.database.migrations import upgrade
from worker.adapters.queues import open_queue
from worker.bootstrap import Services
from worker.settings import load_settings
from worker.web.application import application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.services import Postgres


@pytest.fixture(scope="module")
def ground(postgres_server: Postgres) -> Iterator[Ground]:
    with postgres_server.database() as url:
        engine = make_engine(url)
        upgrade(engine)
        ground = Ground(engine)
        fill(ground)
        yield ground
        engine.dispose()


@pytest.fixture(scope="module")
def queue_url(valkey_server: str) -> str:
    return f"{valkey_server}?stream=seen-in-a-browser"


@pytest.fixture(scope="module")
def address(ground: Ground, valkey_server: str, queue_url: str) -> Iterator[str]:
    """Where the whole application answers."""
    url = ground.engine.url.render_as_string(hide_password=False)
    environment = variables(url, valkey_server, BADGE_WORKER_EVENTS_URL=queue_url)
    services = Services(load_settings(environment))
    with listening(application(services)) as address:
        yield f"{address}/admin"
    services.close()


@pytest.fixture(scope="module")
def window(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A window in which somebody has signed in by typing a token into the form."""
    with browser(tmp_path_factory.mktemp("chromium")) as window:
        window.open(address)
        window.fill("input[name=token]", TOKEN)
        window.click("#sign-in")
        assert window.texts(".who b") == ["grace"]
        yield window


@pytest.fixture(autouse=True)
def nothing_to_complain_about(window: Browser) -> Iterator[None]:
    """Hold it against every page if it breaks its own policy, or has a script that fails."""
    yield
    assert window.complaints == []


def test_awards_are_filtered_and_a_failed_one_is_retried(
    window: Browser, address: str, ground: Ground
) -> None:
    window.open(f"{address}/awards")
    window.choose("select[name=state]", "failed")
    window.click("#filter")
    shown = window.texts("tbody td:first-child")

    window.click("button.retry")

    assert shown == ["bob"]
    assert window.texts(".note") == ["Put back: due at once."]
    assert window.texts("h1 .state") == ["pending"]
    assert "grace" in window.text
    assert ground.states()["bob"] == "pending"


def test_an_award_is_revoked_only_by_who_is_sure(window: Browser, address: str, ground: Ground) -> None:
    ground.ingest(enrolled(9, "dan", "40"))
    window.open(f"{address}/award?user=dan&badge=40")
    window.fill("input[name=reason]", "It was the wrong Dan")
    window.tick("#revoke")  # the browser itself asks for the tick
    before = ground.states()["dan"]
    window.tick("input[name=sure]")

    window.click("#revoke")

    assert before == "waiting"
    assert window.texts(".note") == ["Revoked: nothing was ever sent."]
    assert ground.states()["dan"] == "revoked"


def test_a_dead_letter_is_read_without_harm_and_replayed(
    window: Browser, address: str, queue_url: str
) -> None:
    window.open(f"{address}/letters")
    window.click("tbody .short a")
    body = window.texts("#body")

    window.click("#replay")

    queue = open_queue(queue_url)
    bodies = [message.body for message in queue.read(10, 5.0)]
    queue.close()
    assert "<script>alert(1)</script>" in body[0]
    assert "1 dead letter put back on the event queue" in window.texts(".note")[0]
    assert bodies == [ATTACK]


def test_a_chosen_dead_letter_is_discarded_after_a_question(
    window: Browser, address: str, ground: Ground
) -> None:
    ground.ingest(b"nobody needs this")
    (wanted,) = [each.id for each in ground.database.list_dead_letters() if each.body == b"nobody needs this"]
    window.open(f"{address}/letters")
    window.tick(f"input[value='{wanted}']")
    window.click("#discard")
    asked = window.text

    window.click("#sure")

    assert "Discard 1 dead letter for good?" in asked
    assert window.texts(".note") == ["1 dead letter discarded."]
    assert wanted not in {each.id for each in ground.database.list_dead_letters()}


def test_a_badges_chart_is_drawn(window: Browser, address: str) -> None:
    window.open(f"{address}/badges")
    window.click("tbody .id a")

    bars = window.every("#chart .earners")

    assert max(bar.size["height"] for bar in bars) > 50
    assert max(bar.size["width"] for bar in bars) > 3


def test_a_users_progress_is_looked_up(window: Browser, address: str) -> None:
    window.open(f"{address}/progress")
    window.fill("main input[name=user]", "ada")
    window.click("#show")

    assert "User ada does not have badge networker: 2 of 3 connections are missing." in window.text


def test_issuers_show_their_permits(window: Browser, address: str) -> None:
    window.open(f"{address}/issuers")

    assert "100 of 100 in any 60 s" in window.texts("#issuer-academy")[0]


def test_the_page_looks_as_it_is_styled(window: Browser, address: str, ground: Ground) -> None:
    change(ground, ["cyn"], last_error="x" * 500)
    window.open(f"{address}/awards")

    header = window.one("header").value_of_css_property("background-color")
    wide = window.driver.execute_script("return document.documentElement.scrollWidth")

    assert header == "rgba(22, 35, 59, 1)"
    assert wide <= 1280
