"""From a dead letter to an award: what was refused, and why, and that it counts once that is mended."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.support import bodies, commands
from tests.support.ground import Ground, badge, now
from worker.awarding import Awarding

if TYPE_CHECKING:
    from worker.adapters.queues import RedisStreamQueue


def test_what_was_refused_counts_after_a_mend_and_a_replay(ground: Ground, queue: RedisStreamQueue) -> None:
    ground.apply(one=badge({"lp_enroll": {"learning_path_id": "40"}}))
    a_clock_that_is_slow = Awarding(ground.database, lambda: now() - timedelta(hours=1))
    a_clock_that_is_slow.ingest([bodies.enrolled(now(), "ada"), b"junk"])
    reasons = sorted(letter.reason for letter in ground.database.list_dead_letters())

    replayed = commands.run("dead-letters", "replay", "--all")
    commands.run("consume", "--until-idle", "0.1")

    assert [reason.partition(":")[0] for reason in reasons] == ["body", "time"]
    assert replayed.code == 0
    assert ground.states() == {"ada": "earned"}
    times = {letter.reason.partition(":")[0]: letter.times for letter in ground.database.list_dead_letters()}
    assert times == {"body": 2, "time": 1}
    assert queue.backlog() == 0
