"""Every operation of seeds 001 and 003: what arrives at the service for each row, and what is read of it.

The rows are S1-01 to S1-21 and S3-05 to S3-45; they stand in `tests/support/`. The sandbox shares no code
with the client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support import badgr_seed_001, badgr_seed_003
from tests.support.badgr_world import (
    ANN,
    CID,
    World,
)
from tests.support.recording import Arrived, recording
from worker.adapters.badgr.models.assertions import AssertionIn, AssertionOut, RecipientIn
from worker.awards import NotMade, Refusal
from worker.sandbox import SandboxOptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.badgr_world import Row

ROWS = badgr_seed_001.ROWS + badgr_seed_003.ROWS


@pytest.fixture(scope="module")
def sandbox() -> Iterator[tuple[str, list[Arrived]]]:
    with recording(SandboxOptions(rate_limit=None, gap=0)) as running_one:
        yield running_one


@pytest.fixture
def world(sandbox: tuple[str, list[Arrived]]) -> World:
    return World(*sandbox)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_each_operation_arrives_as_it_should_and_its_answer_is_read(world: World, row: Row) -> None:
    row.play(world)

    call = world.arrived[-1]
    assert (call.method, call.path) == (row.method, world.filled(row.path))
    assert call.query == row.query
    assert call.body == world.filled(row.body)
    assert call.headers["accept"] == "application/json"


def test_no_row_is_missing() -> None:
    wanted = [f"S1-{number:02}" for number in range(1, 22)] + [f"S3-{number:02}" for number in range(5, 46)]

    assert [row.id for row in ROWS] == wanted


def test_vector_31_a_batch_with_one_bad_recipient_is_rejected_whole_and_the_good_ones_go_again(
    world: World,
) -> None:
    # What is no address at all is refused here; of what looks like one the service knows more.
    bad = f"{'x' * 65}@-.example.org"
    wanted = [AssertionIn(recipient=RecipientIn(identity=each)) for each in (ANN, bad, CID)]

    refused = world.client.assertions.issue_many(world.badgeclass, wanted)
    held = list(world.client.assertions.of_badgeclass(world.badgeclass))
    good = [each for each, outcome in zip(wanted, refused, strict=True) if isinstance(outcome, NotMade)]
    made = world.client.assertions.issue_many(world.badgeclass, good)

    assert [type(each) for each in refused] == [NotMade, Refusal, NotMade]
    assert isinstance(refused[1], Refusal)
    assert "valid email address" in refused[1].words
    assert held == []
    assert [each.recipient.address() for each in made if isinstance(each, AssertionOut)] == [ANN, CID]


def test_vector_32_a_bulk_revocation_tells_of_each_item_by_itself(world: World) -> None:
    made = world.award()

    done, unknown, again = world.client.assertions.revoke_many(
        [(made.entity_id, "mistake"), ("unknown", "mistake"), (made.entity_id, "mistake")]
    )

    assert (done.revoked, done.words) == (True, None)
    assert (unknown.revoked, unknown.words) == (False, "permission denied or object not found")
    assert (again.revoked, again.words) == (False, "Assertion is already revoked")
    assert world.client.assertions.get(made.entity_id).revoked
