"""Plain events are read without a model, and as the models read them; no other is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import mix
from tests.unit.envelopes import LATEST, NOW, event_bytes, with_data
from tests.unit.mangling import mangled
from tests.unit.rules.story import tried
from worker.errors import InvalidEvent
from worker.events import UnknownEvent, parse_event
from worker.news import News, news_of
from worker.reading import read_plain

ACTIVITIES = [
    "learning_path.enrolled.v1",
    "learning_path.completed.v1",
    "post.created.v1",
    "connection.established.v1",
]


def as_models_read_it(raw: bytes) -> list[News]:
    try:
        event = parse_event(raw, NOW)
    except InvalidEvent:
        return []
    return [] if isinstance(event, UnknownEvent) else news_of(event)


def in_short(raw: bytes) -> list[News]:
    return list(read_plain(raw, LATEST))


@pytest.mark.parametrize("kind", ACTIVITIES)
def test_an_activity_that_is_told_plainly_is_read_in_short(kind: str) -> None:
    raw = event_bytes(kind)

    assert in_short(raw) == as_models_read_it(raw) != []


def test_nearly_all_of_the_measured_mix_is_read_in_short() -> None:
    bodies = mix.events(2000)

    assert sum(1 for body in bodies if in_short(body)) > 0.98 * len(bodies)


@tried
@given(mangled())
def test_what_is_read_in_short_is_read_the_same(raw: bytes) -> None:
    assert in_short(raw) in ([], as_models_read_it(raw))


@tried
@given(st.sampled_from(ACTIVITIES), st.data())
def test_bytes_that_are_changed_anywhere_are_read_the_same_or_not_at_all(
    kind: str, data: st.DataObject
) -> None:
    raw = bytearray(event_bytes(kind))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))

    assert in_short(bytes(raw)) in ([], as_models_read_it(bytes(raw)))


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(event_bytes(time="2026-03-01T10:15:00Z\n"), id="a-line-after-the-time"),
        pytest.param(event_bytes(time="2026-03-01T10:15:00,5Z"), id="a-comma-in-the-time"),
        pytest.param(event_bytes(time="20260301T101500Z"), id="another-form-of-time"),
        pytest.param(event_bytes(time="1969-12-31T23:59:59Z"), id="before-1970"),
        pytest.param(event_bytes(time="2026-06-01T12:05:01Z"), id="too-far-ahead"),
        pytest.param(event_bytes(id=7), id="a-number-as-id-of-the-event"),
        pytest.param(event_bytes(id="a\0"), id="nul"),
        pytest.param(event_bytes(specversion="0.3"), id="another-specversion"),
        pytest.param(event_bytes(more=[[[float("nan")]]]), id="not-a-number-where-nobody-looks"),
        pytest.param(event_bytes(type=["post.created.v1"]), id="a-list-as-type"),
        pytest.param(event_bytes(data=["user_id"]), id="a-list-as-data"),
        pytest.param(with_data("post.created.v1", user_id="u" * 256), id="an-id-too-long"),
        pytest.param(with_data("post.created.v1", user_id=""), id="an-empty-id"),
        pytest.param(with_data("post.created.v1", parent_post_id=True), id="a-flag-as-parent"),
        pytest.param(with_data("learning_path.completed.v1", passed=1), id="a-number-as-flag"),
        pytest.param(with_data("learning_path.completed.v1", score="1"), id="a-text-as-score"),
        pytest.param(with_data("connection.established.v1", user_ids=["u", "u"]), id="with-oneself"),
        pytest.param(with_data("connection.established.v1", user_ids=[*"uvw"]), id="three-people"),
        pytest.param(with_data("connection.established.v1", user_ids="uv"), id="a-text-as-pair"),
        pytest.param(with_data("connection.established.v1", user_ids={"u": 1, "v": 2}), id="an-object"),
    ],
)
def test_what_is_no_event_is_not_read_in_short(raw: bytes) -> None:
    assert as_models_read_it(raw) == []
    assert in_short(raw) == []


@pytest.mark.parametrize(
    "raw",
    [
        with_data("learning_path.completed.v1", passed=None, score=3, required_score=2),
        with_data("learning_path.completed.v1", passed=False, score=3.5, required_score=2),
        with_data("post.created.v1", user_id=7, post_id=-1),
        with_data("post.created.v1", parent_post_id=12),
        event_bytes("post.deleted.v1"),
        event_bytes("user.registered.v1"),
        event_bytes(more="x" * 600),
    ],
)
def test_what_is_told_in_another_way_is_for_the_models(raw: bytes) -> None:
    assert as_models_read_it(raw) != []
    assert in_short(raw) == []
