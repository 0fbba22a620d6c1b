"""Who is kept from earning, and where `earned_at` goes from inside a block (contract.md section 4)."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.rules.story import at, criterion, tried
from worker.activities import Kind
from worker.rules.criteria import Holds, NotYet, Reason
from worker.rules.evaluation import Bar, Earned, NotEarned, evaluate, is_blocked
from worker.rules.facts import Counted, Facts
from worker.users import Block

if TYPE_CHECKING:
    from collections.abc import Sequence

POST = Counted("p", at(50), "lms", "1")
REASON = Reason(Kind.POST, POST)
FACTS = Facts(at(1000), {Kind.POST: (POST,)})
ONE_POST, TWO_POSTS = (criterion("social_engagement", threshold=number) for number in (1, 2))


def blocks(*seconds: float) -> list[Block]:
    """Return blocks and unblocks; a negative number is an unblock."""
    return [Block(at(abs(each)), each >= 0) for each in seconds]


def test_what_holds_is_earned_because_of_what_counted() -> None:
    assert evaluate(ONE_POST, FACTS) == Earned(at(50), (REASON,))


def test_what_does_not_hold_is_not_earned_and_says_what_is_wanted() -> None:
    assert evaluate(TWO_POSTS, FACTS) == NotEarned(NotYet(wanted=2, present=1))


@pytest.mark.parametrize(
    ("facts", "bar"),
    [
        pytest.param(FACTS._replace(may_earn=False), Bar.ACCOUNT, id="deleted-or-anonymous"),
        pytest.param(FACTS._replace(blocks=blocks(5)), Bar.BLOCKED, id="blocked"),
        pytest.param(
            FACTS._replace(may_earn=False, blocks=blocks(5)), Bar.ACCOUNT, id="both-the-lasting-one"
        ),
    ],
)
def test_whoever_is_barred_earns_nothing_but_is_told_what_holds(facts: Facts, bar: Bar) -> None:
    assert evaluate(ONE_POST, facts) == NotEarned(Holds(at(50), (REASON,)), bar)
    assert evaluate(TWO_POSTS, facts) == NotEarned(NotYet(wanted=2, present=1), bar)


@pytest.mark.parametrize(
    ("seconds", "blocked"),
    [
        pytest.param([], False, id="never"),
        pytest.param([5], True, id="blocked"),
        pytest.param([-5], False, id="unblocked-only"),
        pytest.param([5, -9], False, id="unblocked-later"),
        pytest.param([5, -9, 12], True, id="blocked-again"),
        pytest.param([5, -5], True, id="a-tie-blocks"),
        pytest.param([5, 7, -9], False, id="one-unblock-ends-two-blocks"),
    ],
)
def test_the_latest_decides_whether_a_user_is_blocked(seconds: list[float], blocked: bool) -> None:
    assert {is_blocked(order) for order in permutations(blocks(*seconds))} == {blocked}


@pytest.mark.parametrize(
    ("seconds", "moment"),
    [
        pytest.param([], 50, id="never-blocked"),
        pytest.param([10, -20], 50, id="a-block-before"),
        pytest.param([60, -70], 50, id="a-block-after"),
        pytest.param([40, -70], 70, id="inside-a-block"),
        pytest.param([50, -70], 70, id="blocked-on-the-instant"),
        pytest.param([40, -50], 50, id="unblocked-on-the-instant"),
        pytest.param([40, -45, 48, -70], 70, id="inside-the-second-block"),
        pytest.param([40, 45, -70], 70, id="blocked-twice-in-a-row"),
        pytest.param([40, 60, -70], 70, id="blocked-again-while-blocked"),
        pytest.param([40, -70, -80], 70, id="the-first-unblock-ends-it"),
        pytest.param([40, -70, 70, -90], 90, id="a-tie-goes-on-blocking"),
        pytest.param([40, -70, 80, -90], 70, id="not-the-block-after"),
        pytest.param([-30], 50, id="an-unblock-without-a-block"),
    ],
)
def test_an_instant_inside_a_block_moves_to_its_end(seconds: list[float], moment: float) -> None:
    orders = permutations(blocks(*seconds))

    verdicts = [evaluate(ONE_POST, FACTS._replace(blocks=order)) for order in orders]

    assert all(verdict == Earned(at(moment), (REASON,)) for verdict in verdicts)


def second_by_second(seconds: Sequence[Block], moment: int) -> int | None:
    """Return the first second from `moment` on that is free of blocks, or None if none ever is."""
    end = 25  # all blocks lie before
    for second in range(moment, end):
        past = [block for block in seconds if block.at <= at(second)]
        latest = max((block.at for block in past), default=None)
        if not any(block.blocked for block in past if block.at == latest):
            return second
    return None


BLOCKS = st.lists(st.builds(Block, st.integers(0, 20).map(at), st.booleans()), max_size=8)


@tried
@given(BLOCKS, st.integers(0, 20))
def test_blocks_are_read_as_one_would_second_by_second(some: list[Block], moment: int) -> None:
    facts = Facts(at(30), {Kind.POST: (POST._replace(counted_at=at(moment)),)}, blocks=some)
    free = second_by_second(some, moment)
    blocked_at_last = second_by_second(some, 24) is None

    verdict = evaluate(ONE_POST, facts)

    if isinstance(verdict, Earned):
        assert free is not None
        assert verdict.at == at(free)
    else:
        assert blocked_at_last
        assert verdict.bar is Bar.BLOCKED
