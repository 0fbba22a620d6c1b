"""The bodies of events (contract.md section 3): JSON or not, too big, unknown, mangled at random."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.bodies import NotAnEvent, read_event
from tests.unit.envelopes import AN_OBJECT, NOW, event_bytes, parsed, reason
from tests.unit.mangling import mangled
from tests.unit.rules.story import tried
from worker.errors import InvalidEvent
from worker.events import LARGEST_EVENT, PostCreated, UnknownEvent, parse_event


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut-off"),
        pytest.param(b"\xff\xfe{}", id="not-utf-8"),
        pytest.param(b"\xef\xbb\xbf" + event_bytes(), id="byte-order-mark"),
        pytest.param(event_bytes() + event_bytes(), id="two-documents"),
        pytest.param(event_bytes().replace(b"}}", b",}}"), id="trailing-comma"),
        pytest.param(event_bytes().replace(b'"p"', b"'p'"), id="single-quotes"),
        pytest.param(event_bytes().replace(b'"p"', b'"\\ud800"'), id="lone-surrogate-escaped"),
        pytest.param(event_bytes().replace(b'"p"', b'"\\udc00\\ud800"'), id="surrogates-reversed"),
        pytest.param(event_bytes().replace(b'"p"', b'"\xed\xa0\x80"'), id="lone-surrogate-as-bytes"),
        pytest.param(event_bytes().replace(b'"p"', b'"\0"'), id="bare-nul"),
        pytest.param(event_bytes().replace(b'"p"', b"9" * 5000), id="number-beyond-parsers"),
        pytest.param(b"[" * 60_000, id="deeply-nested"),
        pytest.param(b'{"data":' * 8_000, id="deeply-nested-objects"),
    ],
)
def test_what_is_not_json_is_refused_as_a_whole(raw: bytes) -> None:
    assert reason(raw).startswith("body: not JSON (")


@pytest.mark.parametrize("raw", [b"null", b"7", b'"event"', b"[]", b"[" + event_bytes() + b"]", b"true"])
def test_json_that_is_no_object_is_no_event(raw: bytes) -> None:
    assert reason(raw) == f"body: {AN_OBJECT}"


def test_a_pair_of_surrogates_is_one_character() -> None:
    raw = event_bytes().replace(b'"p"', b'"\\ud83d\\ude00"')

    assert parsed(raw).data.post_id == "😀"


def test_nothing_bigger_than_64_kib_is_read() -> None:
    padding = LARGEST_EVENT - len(event_bytes(padding=""))
    largest, larger = event_bytes(padding="x" * padding), event_bytes(padding="x" * (padding + 1))

    assert len(largest) == 65536
    assert parsed(largest) == parsed(event_bytes())
    assert reason(larger) == "body: 65537 bytes, but an event has at most 65536"


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("post.liked.v1", id="another-verb"),
        pytest.param("post.created.v2", id="another-version"),
        pytest.param("post.created", id="no-version"),
        pytest.param("POST.CREATED.V1", id="capital-letters"),
        pytest.param(" post.created.v1", id="blank-in-front"),
        pytest.param("😀", id="no-ascii"),
    ],
)
def test_a_type_that_is_not_ours_is_no_error_whatever_else_it_holds(kind: str) -> None:
    bare = json.dumps({"type": kind, "time": "long ago"}).encode()

    assert parse_event(event_bytes(kind), NOW) == parse_event(bare, NOW) == UnknownEvent(kind)


@tried
@given(st.binary(max_size=200))
def test_no_bytes_get_anything_but_an_event_or_a_reason(raw: bytes) -> None:
    try:
        parse_event(raw, NOW)
    except InvalidEvent as error:
        assert ": " in str(error)  # noqa: PT017 - most bytes are refused, a few may be of an unknown type


def as_the_oracle_reads_it(raw: bytes) -> object:
    try:
        found = read_event(raw, NOW)
    except NotAnEvent:
        return "refused"
    return (found.type, found.time) if found else "unknown"


def as_the_worker_reads_it(raw: bytes) -> object:
    try:
        found = parse_event(raw, NOW)
    except InvalidEvent:
        return "refused"
    return "unknown" if isinstance(found, UnknownEvent) else (found.type, found.time)


@tried
@given(mangled())
def test_the_worker_takes_the_same_bodies_for_events_as_the_oracle(raw: bytes) -> None:
    assert as_the_worker_reads_it(raw) == as_the_oracle_reads_it(raw)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "[1, NaN]"])
def test_what_json_has_no_number_for_is_no_json_even_where_nobody_looks(value: str) -> None:
    body = event_bytes("post.created.v1")[:-1] + f', "more": {value}}}'.encode()

    with pytest.raises(InvalidEvent, match=r"^body: not JSON"):
        parse_event(body, NOW)


@pytest.mark.parametrize("value", ["NaN", "To Infinity and beyond"])
def test_such_words_in_a_text_are_text(value: str) -> None:
    body = event_bytes("post.created.v1")[:-1] + f', "more": "{value}"}}'.encode()

    assert isinstance(parse_event(body, NOW), PostCreated)
