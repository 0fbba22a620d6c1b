"""The admin page's door: who comes in, for how long, and that nobody is made to do what they do not see."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import httpx
import pytest
from itsdangerous import TimestampSigner
from starlette.applications import Starlette

from tests.support.admin_site import (
    KEY,
    READER,
    TOKEN,
    AdminSite,
    Elements,
    admin_site,
    hashed,
    text,
    variables,
)
from tests.support.ground import Ground
from worker.adapters.database.engine import make_engine
from worker.bootstrap import Services
from worker.errors import ConfigurationError
from worker.settings import load_settings
from worker.web.admin import mount
from worker.web.admin.attempts import MOST, MOST_OF_PEER, WINDOW, Attempts
from worker.web.admin.sessions import COOKIE, LASTS
from worker.web.rate import CallerRate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOWHERE = "redis://127.0.0.1:1/0"  # nothing listens there
LOOKS = ("", "awards", "award?user=ada&badge=40", "letters", "badges", "badge?badge=40", "progress?user=ada")
ACTS = ("awards/retry", "award/retry", "award/revoke", "letters/replay", "letters/discard", "sign-out")


@pytest.fixture
def site(filled_file: Path, tmp_path: Path) -> Iterator[AdminSite]:
    """A site that is filled; nobody has signed in."""
    shutil.copyfile(filled_file, tmp_path / "site.db")
    url = f"sqlite:///{tmp_path / 'site.db'}"
    engine = make_engine(url)
    with admin_site(Ground(engine), variables(url, NOWHERE)) as there:
        yield there
    engine.dispose()


def here(site: AdminSite, path: str = "") -> bool:
    """Return whether a page is shown to whoever is in front of it, and not the form that asks for a token."""
    return 'id="sign-in"' not in site.client.get(f"/admin/{path}").text


def cookie(answer: httpx.Response) -> str:
    return next(each for each in answer.headers.get_list("set-cookie") if each.startswith(COOKIE))


@pytest.mark.parametrize("path", [*LOOKS, "issuers"])
def test_nobody_sees_a_page_before_signing_in(site: AdminSite, path: str) -> None:
    answer = site.client.get(f"/admin/{path}")

    assert answer.url.path == "/admin/sign-in"
    assert "ada" not in answer.text


@pytest.mark.parametrize("path", ACTS)
def test_nobody_does_anything_before_signing_in(site: AdminSite, path: str) -> None:
    before = site.ground.states()

    answer = site.client.post(f"/admin/{path}", data={"user": "bob", "badge": "40"})

    assert answer.url.path == "/admin/sign-in"
    assert site.ground.states() == before


def test_a_token_of_role_admin_signs_in(site: AdminSite) -> None:
    answer = site.sign_in()

    assert answer.url.path == "/admin/"
    assert "signed in as grace" in text(answer.text)


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(READER, id="of-another-role"),
        pytest.param("", id="none"),
        pytest.param(hashed(TOKEN), id="its-hash"),
        pytest.param(f"{TOKEN}x", id="a-little-too-long"),
        pytest.param("x" * 10_000, id="endless"),
    ],
)
def test_no_other_token_signs_in(site: AdminSite, token: str) -> None:
    answer = site.sign_in(token)

    assert answer.status_code == 403
    assert "no token that may sign in here" in text(answer.text)
    assert not here(site)


def test_the_cookie_is_for_this_page_of_this_site_and_no_script(site: AdminSite) -> None:
    site.client.follow_redirects = False

    plain = cookie(site.sign_in())
    behind_tls = cookie(site.sign_in(**{"X-Forwarded-Proto": "https"}))

    for said in ("HttpOnly", "SameSite=strict", "Path=/admin", f"Max-Age={LASTS}"):
        assert said in plain
    assert "Secure" not in plain
    assert "Secure" in behind_tls


@pytest.mark.parametrize("path", ["", "/", "/awards", "/awards/"])
def test_no_redirect_names_a_scheme_that_a_proxy_with_tls_does_not_share(site: AdminSite, path: str) -> None:
    site.client.follow_redirects = False

    answer = site.client.get(f"/admin{path}")

    assert answer.headers.get("location", "/admin/").startswith("/admin/")


def test_who_signs_out_is_out(site: AdminSite) -> None:
    site.sign_in()

    site.post("sign-out")

    assert COOKIE not in site.client.cookies
    assert not here(site)


def test_a_session_ends_by_itself(site: AdminSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site.sign_in()
    begun = TimestampSigner("any").get_timestamp()

    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: begun + LASTS - 60)
    just_before = here(site)
    monkeypatch.setattr(TimestampSigner, "get_timestamp", lambda _self: begun + LASTS + 60)

    assert just_before
    assert not here(site)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"BADGE_WORKER_SECRET_KEY": KEY + "!"}, id="another-key"),
        pytest.param({"BADGE_WORKER_API_TOKENS": f"grace:read:{hashed(TOKEN)}"}, id="role-taken-away"),
    ],
)
def test_a_session_ends_with_what_let_it_in(site: AdminSite, changed: dict[str, str]) -> None:
    site.sign_in()
    url = str(site.ground.engine.url)

    with admin_site(site.ground, variables(url, NOWHERE, **changed)) as later:
        later.client.cookies = site.client.cookies

        assert here(site)
        assert not here(later)


@pytest.mark.parametrize("forge", [lambda value: value[:-2], lambda value: "x" + value, lambda _: "null"])
def test_a_forged_cookie_lets_nobody_in(site: AdminSite, forge: object) -> None:
    site.sign_in()
    value = site.client.cookies[COOKIE]
    site.client.cookies.clear()

    assert callable(forge)
    site.client.cookies.set(COOKIE, forge(value))

    assert not here(site)


@pytest.mark.parametrize("path", [path for path in ACTS if path != "sign-out"])
@pytest.mark.parametrize("word", ["", "f" * 64, "é"])
def test_a_form_of_somebody_elses_does_nothing(site: AdminSite, path: str, word: str) -> None:
    site.sign_in()
    before = site.ground.states()
    (letter,) = site.ground.database.list_dead_letters()
    fields = {"word": word, "user": "bob", "badge": "40", "reason": "x", "sure": "yes", "id": letter.id}

    answer = site.client.post(f"/admin/{path}", data=fields)

    assert answer.status_code == 403
    assert site.ground.states() == before
    assert site.ground.database.list_dead_letters() == [letter]


def test_the_word_of_one_session_is_not_that_of_another(site: AdminSite) -> None:
    site.sign_in()
    word = site.word()
    site.sign_in()

    answer = site.client.post("/admin/award/retry", data={"word": word, "user": "bob", "badge": "40"})

    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
def test_a_form_that_another_site_sends_does_nothing(site: AdminSite, headers: dict[str, str]) -> None:
    site.sign_in()
    fields = {"word": site.word(), "user": "bob", "badge": "40"}

    answer = site.client.post("/admin/award/retry", data=fields, headers=headers)

    assert answer.status_code == 403
    assert site.ground.states()["bob"] == "failed"


def test_another_site_cannot_sign_anybody_in(site: AdminSite) -> None:
    site.sign_in(**{"Sec-Fetch-Site": "cross-site"})

    assert not here(site)


def test_our_own_form_comes_from_here(site: AdminSite) -> None:
    site.sign_in(Origin="http://admin.test")
    fields = {"word": site.word(), "user": "bob", "badge": "40"}

    answer = site.client.post(
        "/admin/award/retry", data=fields, headers={"Origin": "http://other", "Sec-Fetch-Site": "same-origin"}
    )

    assert answer.status_code == 200
    assert site.ground.states()["bob"] == "pending"


def test_nothing_is_changed_by_looking(site: AdminSite) -> None:
    site.sign_in()

    codes = {site.client.get(f"/admin/{path}?user=bob&badge=40").status_code for path in ACTS}

    assert codes == {405}
    assert site.ground.states()["bob"] == "failed"


@pytest.mark.parametrize("path", [*LOOKS, "sign-in", "nothing"])
def test_no_page_runs_a_script_or_loads_anything_from_elsewhere(site: AdminSite, path: str) -> None:
    site.sign_in()

    answer = site.client.get(f"/admin/{path}")

    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    elements = Elements(answer.text)
    assert elements.runs == []
    assert elements.loads == {"/admin/static/admin.css", "/admin/static/badge.svg"}


def test_the_style_sheet_is_there_for_everybody(site: AdminSite) -> None:
    answer = site.client.get("/admin/static/admin.css")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "url(" not in answer.text
    assert "@import" not in answer.text


def test_no_file_but_the_style_sheet_is_given_away(site: AdminSite) -> None:
    asked = ("static/../desk.py", "static/%2e%2e/desk.py", "static/", "static/..%2ftemplates/base.html")

    assert {site.client.get(f"/admin/{path}").status_code for path in asked} <= {404, 405}


def test_whoever_guesses_must_wait(site: AdminSite) -> None:
    wrong = [site.sign_in(f"guess-{number}").status_code for number in range(MOST)]

    right = site.sign_in()

    assert wrong == [403] * MOST
    assert right.status_code == 429
    assert 1 <= int(right.headers["retry-after"]) <= WINDOW
    assert not here(site)


def test_guesses_behind_one_proxy_are_told_apart(site: AdminSite) -> None:
    for number in range(MOST):
        site.sign_in(f"guess-{number}", **{"X-Forwarded-For": "1.1.1.1, 203.0.113.5"})

    guesser = site.sign_in(**{"X-Forwarded-For": "2.2.2.2, 203.0.113.5"}).status_code
    site.client.cookies.clear()
    another = site.sign_in(**{"X-Forwarded-For": "203.0.113.6"}).status_code

    assert (guesser, another) == (429, 200)


def test_whoever_comes_too_often_waits_and_does_nothing(
    site: AdminSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.sign_in()
    fields = {"word": site.word(), "user": "bob", "badge": "40"}
    asked: list[str] = []

    def take(_self: CallerRate, caller: str) -> float:
        asked.append(caller)
        return 2.5

    monkeypatch.setattr(CallerRate, "take", take)
    answers = [site.client.get("/admin/awards"), site.client.post("/admin/award/retry", data=fields)]

    assert [(each.status_code, each.headers["retry-after"]) for each in answers] == [(429, "3")] * 2
    assert asked == ["grace", "grace"]
    assert site.ground.states()["bob"] == "failed"


def test_patience_ends_after_a_window() -> None:
    now = [0.0]
    attempts = Attempts(clock=lambda: now[0])
    for _ in range(MOST):
        attempts.note("203.0.113.5")

    waits = attempts.wait("203.0.113.5")
    now[0] += WINDOW

    assert waits == WINDOW
    assert attempts.wait("203.0.113.5") == 0


def test_who_pretends_to_be_many_is_one_peer() -> None:
    attempts = Attempts(clock=lambda: 0.0)
    for number in range(MOST_OF_PEER):
        attempts.note("203.0.113.5", f"10.0.0.{number}")

    assert attempts.wait("203.0.113.5", "10.9.9.9") > 0
    assert attempts.wait("203.0.113.6", "10.9.9.9") == 0


def test_addresses_of_one_holder_are_one_place() -> None:
    attempts = Attempts(clock=lambda: 0.0)
    for number in range(MOST):
        attempts.note(f"2001:db8::{number:x}")

    assert attempts.wait("2001:db8::ffff") > 0
    assert attempts.wait("2001:db8:0:1::1") == 0


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        pytest.param(b"x=" + b"y" * 70_000, "application/x-www-form-urlencoded", 413, id="too-long"),
        pytest.param(
            b"&".join(b"a=b" for _ in range(500)), "application/x-www-form-urlencoded", 400, id="many"
        ),
        pytest.param(b"%ff=%fe", "application/x-www-form-urlencoded", 400, id="no-text"),
        pytest.param(b"{}", "application/json", 415, id="no-form"),
    ],
)
def test_what_is_no_form_is_refused(site: AdminSite, content: bytes, kind: str, status: int) -> None:
    site.sign_in()

    answer = site.client.post("/admin/award/retry", content=content, headers={"Content-Type": kind})

    assert answer.status_code == status


def test_issuers_are_shown_while_the_shared_limit_cannot_be_reached(site: AdminSite) -> None:
    site.sign_in()

    page = text(site.get("issuers"))

    assert "academy unknown The shared rate limit cannot be reached, so no calls are made." in page


def test_letters_that_the_broker_does_not_take_are_still_there(site: AdminSite) -> None:
    site.sign_in()
    (letter,) = site.ground.database.list_dead_letters()

    answer = site.post("letters/replay", id=letter.id)

    assert answer.status_code == 503
    assert site.ground.database.list_dead_letters() == [letter]


def test_without_a_key_there_is_no_page(tmp_path: Path) -> None:
    environment = variables(f"sqlite:///{tmp_path / 'x.db'}", NOWHERE)
    del environment["BADGE_WORKER_SECRET_KEY"]

    with pytest.raises(ConfigurationError, match="SECRET_KEY: missing"):
        mount(Starlette(), Services(load_settings(environment, tmp_path)))
