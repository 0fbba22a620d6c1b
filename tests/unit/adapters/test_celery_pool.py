"""The pool that is asked for by name is the one that runs."""

from __future__ import annotations

import pytest

from worker.adapters.celery_pool import asks_for_prefork

WORKER = ("celery", "-A", "worker.app", "worker")


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ([], False),
        (["-P", "prefork"], True),
        (["-Pprefork"], True),
        (["--pool", "prefork"], True),
        (["--pool=prefork", "-c", "2"], True),
        (["-P", "threads"], False),
        (["-P", "prefork", "--pool=solo"], False),
        (["-P"], False),
        (["-n", "prefork@%h"], False),
    ],
)
def test_a_pool_of_processes_is_asked_for_by_its_name(arguments: list[str], asked: bool) -> None:
    assert asks_for_prefork([*WORKER, *arguments]) is asked
