from __future__ import annotations

from worker.known import Known


def test_what_was_never_learned_is_unknown() -> None:
    known = Known()

    assert known.unknown(["ada", "ben"]) == ["ada", "ben"]
    assert not known.is_awarded("ada", "first")


def test_users_that_were_learned_are_known_and_the_others_keep_their_order() -> None:
    known = Known()

    known.learn(["ben"], [])

    assert known.unknown(["ada", "ben", "cleo"]) == ["ada", "cleo"]


def test_an_award_that_was_learned_is_that_users_and_that_badges_alone() -> None:
    known = Known()

    known.learn(["ada", "ben"], [("ada", "first"), ("ada", "second"), ("ben", "third")])

    had = {
        (user, badge) for user in ("ada", "ben", "cleo") for badge in ("first", "second", "third", "fourth")
    }
    assert {pair for pair in had if known.is_awarded(*pair)} == {
        ("ada", "first"),
        ("ada", "second"),
        ("ben", "third"),
    }


def test_learning_again_takes_nothing_back() -> None:
    known = Known()
    known.learn(["ada"], [("ada", "first")])

    known.learn(["ada"], [("ada", "second")])

    assert known.is_awarded("ada", "first")


def test_memory_is_bounded() -> None:
    known = Known(most=10)

    for number in range(100):
        known.learn([f"user-{number}"], [])

    assert len(known.unknown([f"user-{number}" for number in range(100)])) >= 89


def test_it_can_begin_anew() -> None:
    known = Known()
    known.learn(["ada"], [("ada", "first")])

    known.forget()

    assert known.unknown(["ada"]) == ["ada"]
    assert not known.is_awarded("ada", "first")
