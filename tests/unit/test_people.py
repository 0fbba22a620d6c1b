"""Traces of a person are found where they are meant, and nobody else's are taken for theirs."""

from __future__ import annotations

import pytest

from worker.people import Person, Pseudonyms, Traces, ids_in, pseudonym

ADA = Traces(Person("7", frozenset({"ada@example.org"}), "8C1D-2e9a"), "forgotten-x")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("is that of user 7, who has it", "is that of user forgotten-x, who has it"),
        ("badge b of user 7 already", "badge b of user forgotten-x already"),
        ("asked for by user 7.", "asked for by user forgotten-x."),
        ("Ada@Example.ORG: bounced", "forgotten-x: bounced"),
        ("of <ada@example.org>.", "of <forgotten-x>."),
        ("uuid=8c1d-2E9A", "uuid=forgotten-x"),
        *[(text, text) for text in ("user 71", "user 7-b", "user 7@lms", "after 7 s", "HTTP 7")],
        *[(text, text) for text in ("cada@example.org", "ada@example.org.au", "b.ada@example.org")],
    ],
)
def test_the_pseudonym_stands_where_the_person_stood(text: str, clean: str) -> None:
    assert ADA.out_of(text) == clean
    assert ADA.out_of_all({"words": [text], "n": 7}) == {"words": [clean], "n": 7}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b'{"data": {"user_id": 7}}', True),
        (b'{"data": {"user_ids": ["8", "7"]}}', True),
        (b'["7"]', True),
        (b'{"data": {"email": "ada\\u0040example.org"}}', True),
        (b'{"data": {"user_id": "8", "learning_path_id": 7, "score": 7}}', False),
        (b'{"id": "7", "data": {"user_id": 70}}', False),
        (b'{"data": {"user_id": 7.0}}', False),
        (b'{"data": {"user_id": "7"', True),
        (b"broken, to ADA@example.org", True),
        (b"7", True),
        (b"7 of them", False),
        (b"\xff\xfe", False),
        (b"[" * 100_000, False),
        (b"9" * 10_000, False),
    ],
)
def test_a_message_names_the_person_or_not(body: bytes, found: bool) -> None:
    assert ADA.are_in(body) == found


def test_every_value_of_a_message_may_be_a_user_id() -> None:
    body = b'{"id": "e", "data": {"user_id": 7, "user_ids": ["a", ""], "flag": true, "n": null, "f": 1.5}}'

    assert ids_in(body) == {"7", "a"}
    assert ids_in(b"no JSON") == set()


def test_a_hash_is_that_of_its_key_alone() -> None:
    one, other = Pseudonyms("one key of sixteen"), Pseudonyms("another of sixteen")

    assert one.hash_of("ada") == Pseudonyms("one key of sixteen").hash_of("ada")
    assert len({one.hash_of("ada"), one.hash_of("Ada"), other.hash_of("ada"), one.fingerprint}) == 4
    assert "ada" not in pseudonym(one.hash_of("ada")).removeprefix("forgotten-")
