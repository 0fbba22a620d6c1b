"""Evaluation: does a user earn a badge, and since when (contract.md section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from worker.rules.criteria import Criterion, Holds, NotYet, Reason
from worker.rules.facts import Facts
from worker.users import Block


class Bar(StrEnum):
    """What keeps a user from earning although the criterion may hold."""

    ACCOUNT = "account"  # deleted or anonymous
    BLOCKED = "blocked"  # evaluated at once when unblocked


class Earned(NamedTuple):
    """The user earns the badge: since `at`, because of these activities."""

    at: datetime
    because: tuple[Reason, ...]


class NotEarned(NamedTuple):
    """The user does not earn the badge: the criterion does not hold, or something bars the user."""

    judgement: Holds | NotYet
    bar: Bar | None = None


Verdict = Earned | NotEarned


def evaluate(criterion: Criterion, facts: Facts) -> Verdict:
    """Return whether the criterion holds for this user and nothing bars it.

    An instant inside a block moves to the block's end (contract.md: `earned_at`).
    """
    judgement = criterion.judge(facts)
    if not facts.may_earn:
        return NotEarned(judgement, Bar.ACCOUNT)
    if is_blocked(facts.blocks):
        return NotEarned(judgement, Bar.BLOCKED)
    if isinstance(judgement, NotYet):
        return NotEarned(judgement)
    at, because = judgement
    return Earned(_outside_blocks(at, facts.blocks) if facts.blocks else at, because)


def is_blocked(blocks: Sequence[Block]) -> bool:
    """Return whether the latest block or unblock blocks; a tie blocks (design.md section 1)."""
    if not blocks:  # nearly always
        return False
    return _states(blocks)[-1].blocked


def _outside_blocks(at: datetime, blocks: Sequence[Block]) -> datetime:
    """Return `at`, or the end of the block that it lies in; the last state is known to be unblocked."""
    inside = False
    for state in _states(blocks):
        if state.at <= at:
            inside = state.blocked
        elif inside and not state.blocked:
            return state.at
        elif not inside:
            break
    return at


def _states(blocks: Sequence[Block]) -> list[Block]:
    """Return one state an instant, in order; several at one instant block if any of them does."""
    in_order = sorted(blocks, key=lambda block: block.at)
    return [
        Block(at, any(block.blocked for block in same)) for at, same in groupby(in_order, key=lambda b: b.at)
    ]
