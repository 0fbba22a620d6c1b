"""`awards revoke`: what follows is said, and more than one award is asked about."""

from __future__ import annotations

import pytest

from tests.support import bodies, commands
from tests.support.ground import Ground, badge
from worker.adapters.queues import RedisStreamQueue
from worker.adapters.redis_connection import connect

ENROLLED = {"lp_enroll": {"learning_path_id": "40"}}
COMPLETED = {"lp_complete": {"learning_path_id": "40"}}
WHY = ("--reason", "awarded by mistake")


@pytest.fixture
def awarded(ground: Ground) -> Ground:
    """Two people with two awards each: one to be issued, one that is ours alone."""
    ground.apply(sent=badge(ENROLLED, issued=True), kept=badge(COMPLETED))
    for user in ("ada", "ben"):
        ground.ingest(
            bodies.registered(0, user, email=f"{user}@example.org"),
            bodies.enrolled(1, user),
            bodies.completed(2, user),
        )
    return ground


def _revoked() -> list[tuple[str, str]]:
    rows = commands.run("awards", "list", "--state", "revoked", "--json").json
    return sorted((each["user_id"], each["badge_id"]) for each in rows)


def _answers(result: commands.Result) -> list[tuple[str, str, str]]:
    assert result.code == 0, result.err
    return [(each["user_id"], each["badge_id"], each["answer"]) for each in result.json]


def test_what_was_never_sent_is_revoked_at_once(awarded: Ground) -> None:
    del awarded

    ended = commands.run("awards", "revoke", "ada", "sent", *WHY)

    assert (ended.code, ended.out) == (0, "1 award revoked: nothing was ever sent\n")
    assert _revoked() == [("ada", "sent")]


def test_who_revoked_it_and_why_stands_in_the_history(awarded: Ground) -> None:
    del awarded

    commands.run("awards", "revoke", "ada", "kept", *WHY)

    last = commands.run("awards", "show", "ada", "kept", "--json").json["history"][-1]
    assert (last["what"], last["actor"], last["detail"]) == (
        "revoked",
        "operator",
        {"reason": "awarded by mistake"},
    )


@pytest.mark.parametrize(
    ("state", "uncertain", "answer", "words"),
    [
        ("issued", False, "queued", "1 award queued: the task workers revoke it"),
        ("issuing", False, "remembered", "1 award remembered: it may be on its way"),
        ("pending", True, "remembered", "1 award remembered: it may be on its way"),
        ("revoking", False, "under way already", "1 award under way already"),
        ("revoked", False, "revoked already", "1 award revoked before"),
    ],
)
def test_what_follows_is_said(awarded: Ground, state: str, uncertain: bool, answer: str, words: str) -> None:
    awarded.set_awards(state=state, uncertain=uncertain)
    if state == "issued":
        with awarded.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE awards SET assertion_id = user_id || badge_id")

    told = commands.run("awards", "revoke", "ada", "sent", *WHY, "--json")
    said = commands.run("awards", "revoke", "ben", "sent", *WHY)

    assert _answers(told) == [("ada", "sent", answer)]
    assert said.code == 0
    assert said.out.startswith(words)


def test_what_is_queued_for_an_issuer_that_is_gone_is_said(awarded: Ground) -> None:
    awarded.set_awards(state="issued", issuer="gone")
    with awarded.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE awards SET assertion_id = user_id || badge_id")

    ended = commands.run("awards", "revoke", "ada", "sent", *WHY)

    assert ended.code == 0
    assert ended.err == (
        "badge-worker: issuer gone is not in force: what is queued for it waits until it is applied again\n"
    )


def test_a_second_revoke_is_no_failure(awarded: Ground) -> None:
    del awarded
    commands.run("awards", "revoke", "ada", "sent", *WHY)

    again = commands.run("awards", "revoke", "ada", "sent", *WHY, "--json")

    assert _answers(again) == [("ada", "sent", "revoked already")]


@pytest.mark.parametrize(
    ("words", "pairs"),
    [
        (["--badge", "kept", "--all"], [("ada", "kept"), ("ben", "kept")]),
        (["--user", "ada", "--all"], [("ada", "kept"), ("ada", "sent")]),
        (["--badge", "sent", "--user", "ada", "--user", "ben"], [("ada", "sent"), ("ben", "sent")]),
        (["--badge", "sent", "--user", "ben"], [("ben", "sent")]),
        (["--badge", "other", "--all"], []),
    ],
    ids=lambda each: " ".join(map(str, each)),
)
def test_many_are_revoked_at_once(awarded: Ground, words: list[str], pairs: list[tuple[str, str]]) -> None:
    del awarded

    ended = commands.run("awards", "revoke", *words, "--yes", *WHY, "--json")

    assert _answers(ended) == [(*pair, "revoked") for pair in pairs]
    assert _revoked() == pairs


def test_without_a_terminal_many_need_a_yes(awarded: Ground) -> None:
    del awarded

    ended = commands.run("awards", "revoke", "--badge", "kept", "--all", *WHY)

    assert ended.code == 2
    assert ended.err == (
        "badge-worker: awards revoke: nobody is here to ask about 2 awards; --yes revokes without asking\n"
    )
    assert _revoked() == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["ada"],
        ["--all"],
        ["ada", "sent", "--all"],
        ["--badge", "sent"],
        ["--user", "ada"],
        ["--badge", "sent", "--user", "ada", "--all"],
    ],
    ids=" ".join,
)
def test_which_awards_are_meant_must_be_plain(awarded: Ground, words: list[str]) -> None:
    del awarded

    ended = commands.run("awards", "revoke", *words, "--yes", *WHY)

    assert ended.code == 2
    assert "USER and BADGE, or --badge" in ended.err
    assert _revoked() == []


@pytest.mark.parametrize("reason", [[], ["--reason", "  "]], ids=["none", "blank"])
def test_a_reason_is_needed(awarded: Ground, reason: list[str]) -> None:
    del awarded

    ended = commands.run("awards", "revoke", "ada", "sent", *reason)

    assert ended.code == 2
    assert "reason" in ended.err
    assert _revoked() == []


def test_an_award_that_is_not_there_is_a_no(awarded: Ground) -> None:
    del awarded

    ended = commands.run("awards", "revoke", "ada", "other", *WHY, "--json")

    assert (ended.code, ended.json) == (1, [])
    assert ended.err == "badge-worker: user ada has no award of badge other\n"


def test_revoking_nudges_the_dispatcher(awarded: Ground, queue: RedisStreamQueue, redis_url: str) -> None:
    del awarded, queue

    commands.run("awards", "revoke", "ada", "sent", *WHY)

    with connect(redis_url) as client:
        assert client.llen("badge-worker:celery:dispatch") == 1


def test_a_revoked_badge_is_not_earned_again(awarded: Ground) -> None:
    commands.run("awards", "revoke", "ada", "kept", *WHY)

    awarded.ingest(bodies.completed(3, "ada"))

    assert _revoked() == [("ada", "kept")]
