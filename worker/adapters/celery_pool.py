"""Which pool of task workers an operator asks for on the command line."""

from __future__ import annotations

from collections.abc import Sequence


def asks_for_prefork(arguments: Sequence[str]) -> bool:
    """Say whether the arguments of a `celery` command ask for its pool of processes by its name.

    Celery itself cannot tell: it takes that name for its own default, and lets our setting have its way.
    """
    asked = ""
    for number, each in enumerate(arguments):
        if each in {"-P", "--pool"}:
            asked = next(iter(arguments[number + 1 :]), "")
        elif each.startswith("--pool="):
            asked = each.removeprefix("--pool=")
        elif each.startswith("-P"):
            asked = each.removeprefix("-P").removeprefix("=")
    return asked == "prefork"
