"""The worker on real databases, held to a second reading of the rules by brute force."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from examples import generate
from examples.replay import Reading, replay
from tests.support.bodies import at
from tests.support.ground import Ground, badge, definitions, now, read
from tests.support.lives import CRITERIA, Lives
from tests.support.population import population, untidied
from worker.adapters.database.listings import AwardFilter
from worker.applying import apply

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

BADGES = {badge_id: badge(criteria, issued=True) for badge_id, criteria in CRITERIA.items()}
SAMPLE = Path(generate.__file__).parent
LIVES = 15  # in one test
CLOCKS = [3, 8, 3600]  # one below the age that a badge asks for, one above, one far above


def deliver(ground: Ground, bodies: list[bytes], sizes: Iterable[int]) -> None:
    awarding, rest = ground.awarding(), iter(bodies)
    for size in sizes:
        if batch := list(itertools.islice(rest, size)):
            awarding.ingest(batch)
    if left := list(rest):
        awarding.ingest(left)


def stored(ground: Ground) -> dict[tuple[str, str], str]:
    """Return each award that is there, and whether it waits for an address."""
    rows = ground.database.list_awards(AwardFilter())
    return {(row.user_id, row.badge_id): row.state for row in rows}


def due(reading: Reading) -> dict[tuple[str, str], str]:
    return {key: {"issued": "pending"}.get(award.state, award.state) for key, award in reading.awards.items()}


def instants(reading: Reading) -> dict[tuple[str, str], datetime]:
    return {key: award.earned_at for key, award in reading.awards.items()}


@pytest.mark.parametrize("block", range(len(CLOCKS)))
def test_random_lives_end_as_brute_force_says(ground: Ground, block: int) -> None:
    clock = CLOCKS[block]
    ground.apply(**BADGES)
    ground.swept_to(at(clock))

    for seed in range(block * LIVES, (block + 1) * LIVES):
        lives = Lives(seed)
        sizes = lives.batches()
        ground.clear()
        deliver(ground, lives.bodies, sizes)
        reading = replay(definitions(BADGES), lives.bodies, at(clock), in_order=True)
        assert (seed, stored(ground)) == (seed, due(reading))
        assert (seed, ground.counts()) == (seed, reading.counts)
        if set(sizes) == {1}:
            assert (seed, ground.earned()) == (seed, instants(reading))


def test_the_random_lives_try_what_they_are_there_for() -> None:
    readings = [
        replay(definitions(BADGES), Lives(seed).bodies, at(3600), in_order=True)
        for seed in range(len(CLOCKS) * LIVES)
    ]

    earned = {badge_id for reading in readings for _, badge_id in reading.awards}
    states = {award.state for reading in readings for award in reading.awards.values()}

    assert earned == set(BADGES) - {"for-ever"}
    assert states == {"issued", "waiting"}
    assert sum(Lives(seed).shuffled for seed in range(len(CLOCKS) * LIVES)) in range(LIVES, 2 * LIVES)


def expected() -> dict[str, Any]:
    document: dict[str, Any] = json.loads((SAMPLE / "expected.json").read_text("utf-8"))
    return document


@pytest.mark.parametrize("size", [10, 500, 1000])
def test_the_sample_leads_to_what_is_expected_however_it_is_cut(ground: Ground, size: int) -> None:
    apply(ground.database, read(generate.definitions()))

    ground.ingest(*(SAMPLE / "events.jsonl").read_bytes().splitlines(), size=size)

    awards = [
        {
            "badge": row.badge_id,
            "user": row.user_id,
            "earned_at": row.earned_at.isoformat().replace("+00:00", "Z"),
            "state": {"pending": "issued"}.get(row.state, row.state),
        }
        for row in ground.database.list_awards(AwardFilter())
    ]
    wanted = [
        {"badge": each["badge"], "user": each["user"], "earned_at": each["earned_at"], "state": state}
        for state in ("issued", "waiting")
        for each in expected()[state]
    ]
    letters = ground.database.list_dead_letters()
    assert sorted(awards, key=repr) == sorted(wanted, key=repr)
    assert len(letters) == expected()["dead_letters"]
    assert sum(letter.times for letter in letters) == expected()["dead_letter_deliveries"]


def test_a_population_in_any_order_earns_what_brute_force_says(ground: Ground) -> None:
    made = population(100, 2000, seed=11)
    apply(ground.database, read(made.definitions))
    bodies = untidied(made.bodies, seed=12)

    ground.ingest(*bodies, size=97)

    reading = replay(made.definitions, bodies, now())
    assert stored(ground) == due(reading)
    assert ground.counts() == reading.counts
