"""`awards list`, `show` and `retry`."""

from __future__ import annotations

import pytest

from tests.support import bodies, commands
from tests.support.ground import Ground, badge
from worker.adapters.queues import RedisStreamQueue
from worker.adapters.redis_connection import connect
from worker.awards import AwardState

ENROLLED = {"lp_enroll": {"learning_path_id": "40"}}
COMPLETED = {"lp_complete": {"learning_path_id": "40"}}
NAMES = {
    "user_id",
    "badge_id",
    "state",
    "earned_at",
    "decided_at",
    "issuer",
    "assertion_id",
    "assertion_url",
    "attempts",
    "last_error",
}


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


def _pairs(result: commands.Result) -> list[tuple[str, str]]:
    assert result.code == 0
    return [(each["user_id"], each["badge_id"]) for each in result.json]


# list


def test_every_award_is_listed_whole(awarded: Ground) -> None:
    del awarded

    ended = commands.run("awards", "list", "--json")

    assert sorted(_pairs(ended)) == [("ada", "kept"), ("ada", "sent"), ("ben", "kept"), ("ben", "sent")]
    for award in ended.json:
        assert award.keys() >= NAMES
    sent = next(award for award in ended.json if award["badge_id"] == "sent")
    assert {name: sent[name] for name in NAMES - {"user_id", "decided_at"}} == {
        "badge_id": "sent",
        "state": "pending",
        "earned_at": "2025-01-01T00:00:01Z",
        "issuer": "academy",
        "assertion_id": None,
        "assertion_url": None,
        "attempts": 0,
        "last_error": None,
    }


@pytest.mark.parametrize(
    ("options", "pairs"),
    [
        (["--badge", "sent"], [("ada", "sent"), ("ben", "sent")]),
        (["--user", "ben"], [("ben", "kept"), ("ben", "sent")]),
        (["--state", "earned"], [("ada", "kept"), ("ben", "kept")]),
        (["--state", "pending", "--user", "ada"], [("ada", "sent")]),
        (["--state", "failed"], []),
        (["--user", "nobody"], []),
    ],
)
def test_awards_are_listed_by_what_is_asked_for(
    awarded: Ground, options: list[str], pairs: list[tuple[str, str]]
) -> None:
    del awarded

    assert sorted(_pairs(commands.run("awards", "list", "--json", *options))) == pairs


def test_a_limit_gives_the_first_so_many(awarded: Ground) -> None:
    del awarded

    every = _pairs(commands.run("awards", "list", "--json"))

    assert _pairs(commands.run("awards", "list", "--json", "--limit", "3")) == every[:3]


def test_people_get_a_table(awarded: Ground) -> None:
    awarded.set_awards(last_error="the [provider] says\x1b[2J no", state="failed")

    ended = commands.run("awards", "list")

    assert ended.code == 0
    assert "Awards: 4" in ended.out
    assert ended.out.count("the [provider] says\\x1b[2J no") == 4


def test_a_table_shows_the_first_hundred_of_what_is_asked_for_and_says_so(ground: Ground) -> None:
    ground.apply(sent=badge(ENROLLED, issued=True), kept=badge(COMPLETED))
    ground.ingest(
        *(bodies.enrolled(1, f"user-{number}") for number in range(101)), bodies.completed(2, "ada")
    )

    short = commands.run("awards", "list", "--badge", "sent")
    long = commands.run("awards", "list", "--badge", "sent", "--limit", "101")

    assert "Awards: 100 of 101" in short.out
    assert short.err == "badge-worker: these are the first 100 of 101; --limit N shows N, --json all\n"
    assert ("Awards: 101" in long.out, long.err) == (True, "")
    assert len(_pairs(commands.run("awards", "list", "--json"))) == 102


def test_a_list_of_nothing_is_a_document_too(ground: Ground) -> None:
    del ground

    assert commands.run("awards", "list", "--json").out == "[]\n"


def test_an_unknown_state_is_wrong_usage_and_the_states_are_named(bare: object) -> None:
    del bare

    ended = commands.run("awards", "list", "--state", "done")

    assert ended.code == 2
    assert [state for state in AwardState if f"'{state.value}'" not in ended.err] == []


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_limit_is_a_number_from_one_on(bare: object, limit: str) -> None:
    del bare

    assert commands.run("awards", "list", "--limit", limit).code == 2


# show


def test_an_award_is_shown_with_its_history(awarded: Ground) -> None:
    del awarded

    ended = commands.run("awards", "show", "ada", "sent", "--json")

    assert ended.code == 0
    assert ended.json.keys() >= NAMES | {"history", "because"}
    assert [(each["what"], each["actor"]) for each in ended.json["history"]] == [("decided", "worker")]
    assert [each["kind"] for each in ended.json["because"]] == ["enrolled"]


def test_people_see_the_award_and_its_history(awarded: Ground) -> None:
    del awarded

    ended = commands.run("awards", "show", "ada", "sent")

    assert ended.code == 0
    assert "enrolled 40 (event event-" in ended.out
    assert "decided" in ended.out


def test_an_award_that_is_not_there_is_a_no(awarded: Ground) -> None:
    del awarded

    said = commands.run("awards", "show", "ada", "other")
    told = commands.run("awards", "show", "ada", "other", "--json")

    assert (said.code, said.out) == (1, "")
    assert said.err == "badge-worker: user ada has no award of badge other\n"
    assert (told.code, told.json) == (1, None)


# retry


@pytest.mark.parametrize(
    ("words", "pairs"),
    [
        (["ada", "sent"], [("ada", "sent")]),
        (["--user", "ada"], [("ada", "kept"), ("ada", "sent")]),
        (["--badge", "kept"], [("ada", "kept"), ("ben", "kept")]),
        (["--badge", "kept", "--user", "ben"], [("ben", "kept")]),
        (["--all"], [("ada", "kept"), ("ada", "sent"), ("ben", "kept"), ("ben", "sent")]),
    ],
)
def test_failed_awards_are_put_back(awarded: Ground, words: list[str], pairs: list[tuple[str, str]]) -> None:
    awarded.set_awards(state="failed", attempts=7)

    ended = commands.run("awards", "retry", *words, "--json")

    assert _pairs(ended) == pairs
    pending = commands.run("awards", "list", "--state", "pending", "--json").json
    assert sorted((each["user_id"], each["badge_id"]) for each in pending) == pairs
    assert {each["attempts"] for each in pending} == {0}


def test_what_was_put_back_stands_in_the_history(awarded: Ground) -> None:
    awarded.set_awards(state="failed")

    commands.run("awards", "retry", "ada", "sent")

    shown = commands.run("awards", "show", "ada", "sent", "--json").json
    assert [(each["what"], each["actor"]) for each in shown["history"]] == [
        ("decided", "worker"),
        ("put back", "operator"),
    ]


def test_people_are_told_how_many_were_put_back(awarded: Ground) -> None:
    awarded.set_awards(state="failed")

    ended = commands.run("awards", "retry", "ada", "sent")

    assert ended.out == "1 award put back: due at once, issued as the rate limit allows\n"


def test_an_award_that_has_not_failed_is_not_put_back(awarded: Ground) -> None:
    del awarded

    ended = commands.run("awards", "retry", "ada", "sent", "--json")

    assert (ended.code, ended.json) == (1, [])
    assert ended.err == (
        "badge-worker: user ada's award of badge sent is pending; only a failed one is put back\n"
    )


def test_an_award_that_is_not_there_cannot_be_put_back(awarded: Ground) -> None:
    del awarded

    ended = commands.run("awards", "retry", "ada", "other")

    assert ended.code == 1
    assert ended.err == "badge-worker: user ada has no award of badge other\n"


def test_nothing_failed_is_no_failure(awarded: Ground) -> None:
    del awarded

    ended = commands.run("awards", "retry", "--all", "--json")

    assert (ended.code, ended.json) == (0, [])


@pytest.mark.parametrize(
    "words",
    [[], ["ada"], ["ada", "sent", "--all"], ["--all", "--user", "ada"], ["ada", "sent", "--user", "a"]],
    ids=" ".join,
)
def test_which_awards_to_put_back_must_be_plain(awarded: Ground, words: list[str]) -> None:
    awarded.set_awards(state="failed")

    ended = commands.run("awards", "retry", *words)

    assert ended.code == 2
    assert commands.run("awards", "list", "--state", "failed", "--json").json != []


def test_putting_back_nudges_the_dispatcher(awarded: Ground, queue: RedisStreamQueue, redis_url: str) -> None:
    del queue
    awarded.set_awards(state="failed")

    commands.run("awards", "retry", "--all")

    with connect(redis_url) as client:
        assert client.llen("badge-worker:celery:dispatch") == 1


def test_a_broker_that_cannot_be_is_said_and_nothing_more(
    awarded: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    awarded.set_awards(state="failed")
    monkeypatch.setenv("BADGE_WORKER_BROKER_URL", "nonsense://hidden@host")

    ended = commands.run("awards", "retry", "--all", "--json")

    assert ended.code == 0
    assert len(ended.json) == 4
    assert "BADGE_WORKER_BROKER_URL: not a broker's address" in ended.err
    assert "hidden" not in ended.err
