"""`explain`: why a user has a badge, or why not, on both databases and through the command."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from tests.support import commands
from tests.support.bodies import (
    DAY,
    at,
    blocked,
    completed,
    deleted,
    enrolled,
    met,
    parted,
    posted,
    registered,
    unblocked,
    updated,
)
from tests.support.ground import Ground, badge, now
from tests.support.outbox import change, issued, sent
from worker.adapters.database.schema import evaluations
from worker.awards import AwardState, Ending

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENROL: dict[str, Any] = {"lp_enroll": {"learning_path_id": "40"}}
PASS: dict[str, Any] = {"lp_passed": {"learning_path_id": "40"}}
THREE_POSTS: dict[str, Any] = {"social_engagement": {"threshold": 3}}
THREE_A_WEEK: dict[str, Any] = {"social_connection": {"threshold": 3, "period": 7 * DAY}}
HOUR_OLD: dict[str, Any] = {"registered_for": {"threshold": 3600}}


@pytest.fixture
def asked(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """Ground that the commands are set to."""
    url = ground.engine.url.render_as_string(hide_password=False)
    commands.settle_in(tmp_path, monkeypatch, DATABASE_URL=url)
    return ground


def explained(user_id: str, badge_id: str) -> dict[str, Any]:
    ended = commands.run("explain", user_id, badge_id, "--json")
    assert ended.code == 0
    found: dict[str, Any] = ended.json
    return found


def answer(user_id: str, badge_id: str) -> str:
    """Return the sentence that people are told first."""
    ended = commands.run("explain", user_id, badge_id)
    assert ended.code == 0
    return ended.out.splitlines()[0]


def criterion(user_id: str, badge_id: str) -> dict[str, Any]:
    found: dict[str, Any] = explained(user_id, badge_id)["criterion"]
    return found


# What is there, and what is missing


def test_a_count_says_what_is_wanted_there_and_missing_and_which_activities_count(asked: Ground) -> None:
    asked.apply(poster=badge(THREE_POSTS))
    asked.ingest(posted(5, "ada", "p1"), posted(3, "ada", "p0"))

    found = criterion("ada", "poster")

    assert {name: found[name] for name in ("criterion", "holds", "wanted", "present", "missing")} == {
        "criterion": "social_engagement",
        "holds": False,
        "wanted": 3,
        "present": 2,
        "missing": 1,
    }
    assert [(each["kind"], each["object"], each["counted_at"]) for each in found["activities"]] == [
        ("post", "p0", "2025-01-01T00:00:03Z"),
        ("post", "p1", "2025-01-01T00:00:05Z"),
    ]
    assert all(each["source"] == "https://lms.example.org" and each["event"] for each in found["activities"])
    said = "user ada does not have badge poster: 1 of 3 posts and comments is missing"
    assert answer("ada", "poster") == explained("ada", "poster")["answer"] == said


def test_a_window_shows_its_best_span_and_counts_no_others(asked: Ground) -> None:
    asked.apply(week=badge(THREE_A_WEEK))
    asked.ingest(*(met(day * DAY, "ada", f"other-{day}") for day in (0, 20, 25, 40)))

    explanation = explained("ada", "week")
    found = explanation["criterion"]

    assert (found["wanted"], found["present"], found["missing"]) == (3, 2, 1)
    assert found["best_span"] == {"start": "2025-01-21T00:00:00Z", "end": "2025-01-26T00:00:00Z", "count": 2}
    assert [each["object"] for each in found["activities"]] == ["other-20", "other-25"]
    assert "1 of 3 connections within 7 days is missing (2 at most so far)" in explanation["answer"]


def test_a_learning_path_is_there_or_not(asked: Ground) -> None:
    asked.apply(passed=badge(PASS))
    asked.ingest(completed(1, "ada", passed=False))

    found = explained("ada", "passed")

    assert (found["criterion"]["present"], found["criterion"]["missing"]) == (0, 1)
    assert found["answer"].endswith(": not passed learning path 40")


def test_an_account_that_is_too_young_says_when_it_will_be_old_enough(asked: Ground) -> None:
    asked.apply(old=badge(HOUR_OLD))
    registration = now().replace(microsecond=0) - timedelta(minutes=10)
    asked.swept_to(registration + timedelta(minutes=3))
    asked.ingest(registered(registration, "ada"), updated(1, "bob"))

    due = registration + timedelta(hours=1)

    found = explained("ada", "old")

    assert "the account is 10 minutes" in found["answer"]
    assert f" old, and will be 1 hour old at {due:%Y-%m-%d %H:%M:%SZ}" in found["answer"]
    assert 49 * 60 < found["criterion"]["missing"] <= 50 * 60
    assert "nothing is known of a registration" in answer("bob", "old")


def test_an_age_that_the_sweep_has_not_reached_says_so(asked: Ground) -> None:
    asked.apply(old=badge(HOUR_OLD))
    asked.swept_to(now() - timedelta(hours=1))
    asked.ingest(registered(now() - timedelta(minutes=90), "ada"))

    assert "it holds by now, but account ages are decided only up to" in answer("ada", "old")


def test_a_group_says_what_each_of_its_criteria_lacks(asked: Ground) -> None:
    asked.apply(both=badge({"all_of": [ENROL, {"any_of": [PASS, THREE_POSTS]}]}))
    asked.ingest(enrolled(1, "ada"), posted(1, "ada", "p"))

    explanation = explained("ada", "both")
    found = explanation["criterion"]

    assert (found["criterion"], found["wanted"], found["present"]) == ("all_of", 2, 1)
    assert [(part["criterion"], part["holds"]) for part in found["criteria"]] == [
        ("lp_enroll", True),
        ("any_of", False),
    ]
    assert [part["missing"] for part in found["criteria"][1]["criteria"]] == [1, 2]
    assert explanation["answer"] == (
        "user ada does not have badge both: none of these holds: (not passed learning path 40) "
        "or (2 of 3 posts and comments are missing)"
    )


# What holds it up


HOLD_UPS = [
    pytest.param([blocked(5, "ada")], "the user is blocked since 2025-01-01 00:00:05Z", id="blocked"),
    pytest.param(
        [blocked(5, "ada"), unblocked(6, "ada"), blocked(7, "ada")],
        "the user is blocked since 2025-01-01 00:00:07Z",
        id="blocked-again",
    ),
    pytest.param([deleted(5, "ada")], "the account was deleted at 2025-01-01 00:00:05Z", id="deleted"),
    pytest.param([updated(5, "ada", scope="ANONYMOUS")], "the account is anonymous", id="anonymous"),
]


@pytest.mark.parametrize(("news", "said"), HOLD_UPS)
def test_what_bars_a_user_is_said_though_the_criterion_holds(
    asked: Ground, news: list[bytes], said: str
) -> None:
    asked.apply(first=badge(ENROL))
    asked.ingest(*news, enrolled(9, "ada"))

    found = explained("ada", "first")

    assert found["criterion"]["holds"]
    assert found["held_up_by"][0].startswith(said)
    assert said in found["answer"]


def test_a_disabled_badge_is_said_to_be_so(asked: Ground) -> None:
    asked.apply(first=badge(ENROL, status="disabled"))
    asked.ingest(enrolled(9, "ada"))

    assert answer("ada", "first").endswith("the badge is disabled, so nobody newly earns it")


def test_a_badge_for_which_everybody_is_being_evaluated_says_to_wait(asked: Ground) -> None:
    asked.ingest(posted(1, "ada", "p"))
    asked.apply(first=badge(ENROL))
    asked.ingest(enrolled(9, "bob"), enrolled(9, "ada"))
    with asked.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM awards")
        assert connection.scalar(select(evaluations.c.badge_id)) == "first"

    without = answer("ada", "first")
    with asked.engine.begin() as connection:
        connection.execute(evaluations.update().values(finished_at=None))

    assert "badge-worker reevaluate --user ada" in without
    assert "it is not this user's turn yet" in answer("ada", "first")


# Awards


def in_flight(ground: Ground) -> None:
    sent(ground)


def failed(ground: Ground) -> None:
    call, _ = sent(ground)
    ground.database.end(
        call.lease_id,
        {"ada": Ending(AwardState.FAILED, "failed", words="HTTP 404: no badge class", tried=True)},
    )


def tried(ground: Ground) -> None:
    call, _ = sent(ground)
    ending = Ending(AwardState.PENDING, "try later", words="HTTP 503: busy", wait=3600, tried=True)
    ground.database.end(call.lease_id, {"ada": ending})


def uncertain(ground: Ground) -> None:
    call, _ = sent(ground)
    ending = Ending(
        AwardState.PENDING, "uncertain", words="no answer in 30 s", wait=60, tried=True, uncertain=True
    )
    ground.database.end(call.lease_id, {"ada": ending})


def is_issued(ground: Ground) -> None:
    call, _ = sent(ground)
    ground.database.end(call.lease_id, issued("ada"))


def revoked(ground: Ground) -> None:
    change(ground, state=AwardState.REVOKED.value, revoke_reason="a mistake")


def nothing(_ground: Ground) -> None:
    pass


@pytest.mark.parametrize(
    ("act", "state", "words"),
    [
        pytest.param(nothing, "pending", ["sent to issuer academy now"], id="due"),
        pytest.param(in_flight, "issuing", ["on its way to issuer academy"], id="in-flight"),
        pytest.param(
            tried,
            "pending",
            ["tried again at issuer academy at 2", "tried 1 time", "HTTP 503: busy"],
            id="tried",
        ),
        pytest.param(uncertain, "pending", ["may have issued it", "no answer in 30 s"], id="uncertain"),
        pytest.param(
            failed, "failed", ["HTTP 404: no badge class", "badge-worker awards retry ada first"], id="failed"
        ),
        pytest.param(
            is_issued, "issued", ["issuer academy issued it at", "https://badgr.example/A1"], id="issued"
        ),
        pytest.param(
            revoked, "revoked", ["does not have badge first any more", "revoked (a mistake)"], id="revoked"
        ),
    ],
)
def test_an_award_says_where_it_stands(
    asked: Ground, act: Callable[[Ground], None], state: str, words: list[str]
) -> None:
    asked.apply(first=badge(ENROL, issued=True))
    asked.ingest(updated(1, "ada", email="ada@example.org"), enrolled(2, "ada"))
    act(asked)

    found = explained("ada", "first")

    assert found["state"] == found["award"]["state"] == state
    told = found["answer"]
    assert [word for word in words if word not in told] == []
    assert "example.org" not in told.replace("badgr.example", "")


def test_an_award_that_waits_for_an_address_says_so(asked: Ground) -> None:
    asked.apply(first=badge(ENROL, issued=True), partner=badge(ENROL, issued=True, by="partner"))
    asked.ingest(enrolled(2, "ada"), updated(3, "bob", email="bob@example.org"), enrolled(3, "bob"))

    said = {
        (user, which): explained(user, which)["held_up_by"]
        for user in ("ada", "bob")
        for which in ("first", "partner")
    }

    assert said == {
        ("ada", "first"): ["not known of the user: an address"],
        ("ada", "partner"): ["not known of the user: an address and both names"],
        ("bob", "first"): [],
        ("bob", "partner"): ["not known of the user: both names"],
    }


def test_an_awards_last_error_next_try_and_whole_history_are_told(asked: Ground) -> None:
    asked.apply(first=badge(ENROL, issued=True))
    asked.ingest(updated(1, "ada", email="ada@example.org"), enrolled(2, "ada"))
    tried(asked)

    found = explained("ada", "first")

    assert found["award"]["last_error"] == "HTTP 503: busy"
    assert found["award"]["next_try_at"] == found["award"]["due_at"]
    assert [each["what"] for each in found["history"]] == asked.history("ada", "first")
    assert found["history"][0]["what"] == "decided"
    assert any("HTTP 503: busy" in str(each["detail"]) for each in found["history"][1:])


def test_an_award_stays_though_its_criterion_holds_no_more(asked: Ground) -> None:
    asked.apply(one=badge({"social_connection": {"threshold": 1}}))
    asked.ingest(met(1, "ada", "bob"))
    asked.ingest(parted(2, "ada", "bob"))

    found = explained("ada", "one")

    assert (found["state"], found["criterion"]["holds"]) == ("earned", False)
    assert found["answer"].startswith("user ada has earned badge one, at 2025-01-01 00:00:01Z")


# All badges, and what is not known


def test_all_badges_of_a_user_with_their_progress(asked: Ground) -> None:
    asked.apply(
        first=badge(ENROL), gone=badge(ENROL), off=badge(ENROL, status="disabled"), three=badge(THREE_POSTS)
    )
    asked.ingest(enrolled(1, "ada"), posted(2, "ada", "p"))
    asked.apply(first=badge(ENROL), three=badge(THREE_POSTS))

    said, told = commands.run("explain", "ada"), commands.run("explain", "ada", "--json")

    assert (said.code, told.code) == (0, 0)
    stands = {each["badge_id"]: (each["state"], each["criterion"]["present"]) for each in told.json}
    assert stands == {"first": ("earned", 1), "gone": ("earned", 1), "three": (None, 1)}
    (line,) = (line for line in said.out.splitlines() if " three " in line)
    assert "not earned" in line
    assert "1 of 3" in line


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "nothing is known of a user nobody"),
        (["nobody", "first"], "nothing is known of a user nobody"),
        (["ada", "frist"], "there is no badge frist; known: first"),
    ],
)
def test_what_is_not_known_is_named(asked: Ground, words: list[str], said: str) -> None:
    asked.apply(first=badge(ENROL))
    asked.ingest(enrolled(at(1), "ada"))

    plain, as_json = commands.run("explain", *words), commands.run("explain", *words, "--json")

    assert (plain.code, as_json.code) == (1, 1)
    assert said in plain.err
    assert as_json.json is None
