"""The fields of events (contract.md section 3): every type, every id, and the reason for every broken one."""

from __future__ import annotations

from typing import Any

import pytest

from examples.bodies import IDS
from tests.unit.envelopes import (
    A_STRING,
    AN_ID,
    AN_OBJECT,
    DATA,
    MISSING,
    NO_NUL,
    event_bytes,
    parsed,
    reason,
    with_data,
)
from worker.events import Completion


def test_these_are_the_types_of_the_contract() -> None:
    assert set(DATA) == set(IDS)


@pytest.mark.parametrize("kind", DATA)
def test_every_type_is_read_with_its_least_data(kind: str) -> None:
    found = parsed(event_bytes(kind))

    assert (found.type, found.id, found.source) == (kind, "1", "https://lms.example.org")
    assert found.time.isoformat() == "2026-03-01T10:15:00+00:00"
    assert set(DATA[kind]) <= set(found.data.model_dump(exclude_none=True))


@pytest.mark.parametrize("kind", DATA)
def test_every_type_ignores_what_it_does_not_know(kind: str) -> None:
    data = {**DATA[kind], "colour": None, "nested": {"deep": [1, 2]}}

    known = parsed(event_bytes(kind, data=data, datacontenttype="application/json", sequence=[7]))

    assert known == parsed(event_bytes(kind))


@pytest.mark.parametrize(
    ("kind", "name"), [pytest.param(kind, name, id=f"{kind}-{name}") for kind in DATA for name in DATA[kind]]
)
def test_every_type_names_the_field_that_it_misses(kind: str, name: str) -> None:
    said = reason(with_data(kind, **{name: MISSING}))

    assert said == f"data.{name}: missing"


@pytest.mark.parametrize("kind", DATA)
@pytest.mark.parametrize("attribute", ["specversion", "id", "source", "time", "data"])
def test_every_type_names_the_attribute_that_it_misses(kind: str, attribute: str) -> None:
    missing: dict[str, Any] = {attribute: MISSING}

    assert reason(event_bytes(kind, **missing)) == f"{attribute}: missing"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("u", "u", id="text"),
        pytest.param(" ", " ", id="a-blank-is-kept"),
        pytest.param("é ", "é ", id="blanks-and-accents-are-kept"),
        pytest.param("x" * 255, "x" * 255, id="longest"),
        pytest.param("ü" * 255, "ü" * 255, id="longest-in-characters-not-bytes"),
        pytest.param("😀" * 255, "😀" * 255, id="longest-beyond-the-basic-plane"),
        pytest.param(7, "7", id="number"),
        pytest.param(0, "0", id="nought"),
        pytest.param(-7, "-7", id="negative"),
        pytest.param(2**63, "9223372036854775808", id="beyond-64-bits"),
        pytest.param(10**254, "1" + "0" * 254, id="255-digits"),
        pytest.param("007", "007", id="noughts-in-front-are-kept-in-text"),
    ],
)
def test_an_id_is_read_as(value: object, text: str) -> None:
    post = parsed(with_data("post.created.v1", user_id=value, post_id=value, parent_post_id=value)).data
    path = parsed(with_data("learning_path.enrolled.v1", user_id=value, learning_path_id=value)).data
    pair = parsed(with_data("connection.established.v1", user_ids=[value, "other"])).data

    assert {post.user_id, post.post_id, post.parent_post_id} == {text}
    assert {path.user_id, path.learning_path_id, pair.user_ids[0]} == {text}


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [
        pytest.param("specversion", "1", "Input should be '1.0'", id="specversion-1"),
        pytest.param("specversion", "0.3", "Input should be '1.0'", id="specversion-0.3"),
        pytest.param("specversion", 1.0, "Input should be '1.0'", id="specversion-number"),
        pytest.param("specversion", None, "Input should be '1.0'", id="specversion-null"),
        pytest.param("id", "", "String should have at least 1 character", id="id-empty"),
        pytest.param("id", 7, A_STRING, id="id-number"),
        pytest.param("id", None, A_STRING, id="id-null"),
        pytest.param("id", "a\0", NO_NUL, id="id-nul"),
        pytest.param("source", "", "String should have at least 1 character", id="source-empty"),
        pytest.param("source", {}, A_STRING, id="source-object"),
        pytest.param("source", "\0", NO_NUL, id="source-nul"),
        pytest.param("type", "", "a non-empty string, please", id="type-empty"),
        pytest.param("type", 7, "a non-empty string, please", id="type-number"),
        pytest.param("type", None, "a non-empty string, please", id="type-null"),
        pytest.param("type", ["post.created.v1"], "a non-empty string, please", id="type-list"),
        pytest.param(
            "type", MISSING, "missing; an event names its type, such as post.created.v1", id="type-missing"
        ),
        pytest.param("data", None, AN_OBJECT, id="data-null"),
        pytest.param("data", [], AN_OBJECT, id="data-list"),
        pytest.param("data", "{}", AN_OBJECT, id="data-text"),
        pytest.param("data", {}, "missing; data.post_id: missing", id="data-empty-names-both"),
    ],
)
def test_a_broken_attribute_is_named(attribute: str, value: Any, said: str) -> None:
    place = "data.user_id" if value == {} and attribute == "data" else attribute
    changed: dict[str, Any] = {attribute: value}

    assert reason(event_bytes(**changed)) == f"{place}: {said}"


@pytest.mark.parametrize("field", ["user_id", "post_id", "parent_post_id"])
@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param("", "String should have at least 1 character", id="empty"),
        pytest.param("x" * 256, "String should have at most 255 characters", id="too-long"),
        pytest.param(10**255, "at most 255 characters, please", id="256-digits"),
        pytest.param(7.0, AN_ID, id="float"),
        pytest.param(1e300, AN_ID, id="huge-float"),
        pytest.param(True, AN_ID, id="boolean"),
        pytest.param(["u"], AN_ID, id="list"),
        pytest.param({"id": "u"}, AN_ID, id="object"),
        pytest.param("a\0b", NO_NUL, id="nul"),
    ],
)
def test_a_broken_id_is_named(field: str, value: object, said: str) -> None:
    assert reason(with_data("post.created.v1", **{field: value})) == f"data.{field}: {said}"


@pytest.mark.parametrize(
    ("kind", "fields", "said"),
    [
        pytest.param("post.created.v1", {"user_id": None}, f"user_id: {AN_ID}", id="no-user"),
        pytest.param("user.registered.v1", {"email": 7}, f"email: {A_STRING}", id="email-number"),
        pytest.param("user.registered.v1", {"uuid": 7}, f"uuid: {A_STRING}", id="uuid-number"),
        pytest.param("user.updated.v1", {"last_name": "a\0"}, f"last_name: {NO_NUL}", id="name-nul"),
        pytest.param(
            "user.updated.v1",
            {"first_name": "x" * 1025},
            "first_name: String should have at most 1024 characters",
            id="name-too-long",
        ),
        pytest.param(
            "user.updated.v1",
            {"scope": "anonymous"},
            "scope: Input should be 'AUTHENTICATED', 'ADMINISTRATOR' or 'ANONYMOUS'",
            id="scope-in-small-letters",
        ),
        pytest.param(
            "user.updated.v1", {"is_active": 0}, "is_active: Input should be a valid boolean", id="active-0"
        ),
        pytest.param(
            "user.updated.v1",
            {"is_active": "false"},
            "is_active: Input should be a valid boolean",
            id="active-text",
        ),
        pytest.param(
            "learning_path.completed.v1",
            {"passed": 1},
            "passed: Input should be a valid boolean",
            id="passed-number",
        ),
        pytest.param(
            "learning_path.completed.v1",
            {"score": "80"},
            "score: Input should be a valid number",
            id="score-text",
        ),
        pytest.param(
            "learning_path.completed.v1",
            {"required_score": True},
            "required_score: Input should be a valid number",
            id="score-boolean",
        ),
        pytest.param(
            "learning_path.completed.v1",
            {"score": 10**400},
            "score: Input should be a finite number",
            id="score-beyond-floats",
        ),
        pytest.param("connection.established.v1", {"user_ids": ["u"]}, "user_ids[1]: missing", id="alone"),
        pytest.param(
            "connection.established.v1",
            {"user_ids": ["u", "u"]},
            "user_ids: two distinct ids, please: nobody is connected with themselves",
            id="with-oneself",
        ),
        pytest.param(
            "connection.removed.v1",
            {"user_ids": [7, "7"]},
            "user_ids: two distinct ids, please: nobody is connected with themselves",
            id="with-oneself-as-number-and-text",
        ),
        pytest.param(
            "connection.established.v1",
            {"user_ids": ["u", "v", "w"]},
            "user_ids: Tuple should have at most 2 items after validation, not 3",
            id="three",
        ),
        pytest.param(
            "connection.established.v1",
            {"user_ids": "uv"},
            "user_ids: Input should be a valid array",
            id="pair-as-text",
        ),
        pytest.param(
            "connection.removed.v1", {"user_ids": ["u", 7.5]}, f"user_ids[1]: {AN_ID}", id="pair-with-float"
        ),
    ],
)
def test_a_broken_field_is_named(kind: str, fields: dict[str, Any], said: str) -> None:
    assert reason(with_data(kind, **fields)) == f"data.{said}"


def test_every_broken_field_is_named_at_once() -> None:
    said = reason(event_bytes(id=7, time="soon", data={"user_id": "", "post_id": True}))

    assert [line.split(":")[0] for line in said.split("; ")] == ["id", "time", "data.user_id", "data.post_id"]


@pytest.mark.parametrize("field", ["email", "first_name", "last_name", "uuid", "scope", "is_active"])
def test_a_profile_field_that_is_null_says_nothing(field: str) -> None:
    said, silent = with_data("user.updated.v1", **{field: None}), event_bytes("user.updated.v1")

    assert parsed(said) == parsed(silent)


@pytest.mark.parametrize(
    ("passed", "score", "required", "verdict"),
    [
        pytest.param(True, None, None, True, id="flag-true"),
        pytest.param(False, None, None, False, id="flag-false"),
        pytest.param(True, 10, 80, True, id="flag-true-wins-over-scores"),
        pytest.param(False, 90, 80, False, id="flag-false-wins-over-scores"),
        pytest.param(None, 80, 80, True, id="enough"),
        pytest.param(None, 80.5, 80, True, id="more-than-enough"),
        pytest.param(None, 79.999, 80, False, id="not-enough"),
        pytest.param(None, 0, 0, True, id="noughts-are-scores"),
        pytest.param(None, 80, None, None, id="no-requirement"),
        pytest.param(None, None, 80, None, id="no-score"),
        pytest.param(None, None, None, None, id="nothing"),
    ],
)
def test_a_completion_passed(
    passed: bool | None, score: float | None, required: float | None, verdict: bool | None
) -> None:
    raw = with_data("learning_path.completed.v1", passed=passed, score=score, required_score=required)

    completion: Completion = parsed(raw).data

    assert completion.verdict is verdict


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"email": "ada@example.org\0"}, id="nul"),
        pytest.param({"email": ["ada@example.org"]}, id="list"),
        pytest.param({"email": "ada@example.org" * 100}, id="too-long"),
        pytest.param({"scope": "ada@example.org"}, id="in-another-field"),
        pytest.param({"user_id": "ada@example.org" * 20}, id="as-an-id"),
    ],
)
def test_a_reason_never_repeats_an_address(fields: dict[str, Any]) -> None:
    assert "ada@example.org" not in reason(with_data("user.registered.v1", **fields))
