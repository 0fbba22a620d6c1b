"""Criteria as an operator writes them, checked with those inside of `all_of` and `any_of`."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from worker.rules.criteria import CRITERIA, GROUPS, MOST_DEEP, MOST_LEAVES
from worker.rules.problems import Path, Problem, problems_of

_ANY_CRITERION = ", ".join([*CRITERIA, *GROUPS])
_ANY_GROUP = " and ".join(GROUPS)


def criteria_problems(place: Path, criteria: dict[str, Any]) -> list[Problem]:
    """Return what is wrong with a badge's criteria, with those inside of them."""
    check = _Check()
    check.criterion(place, criteria, 0)
    if check.too_many:
        check.problems.append(
            Problem(place, f"too many criteria; at most {MOST_LEAVES} in one badge, please")
        )
    return check.problems


class _Check:
    """Goes through the criteria of one badge, and counts them: aliases in YAML write many with few words."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._leaves = 0
        self._seen = 0

    @property
    def too_many(self) -> bool:
        """Return whether there are more than there may be, or so many that it makes no sense to go on."""
        return self._leaves > MOST_LEAVES or self._seen > MOST_LEAVES * (MOST_DEEP + 1)

    def criterion(self, place: Path, written: object, depth: int) -> None:
        """Check one criterion inside of so many groups."""
        self._seen += 1
        if not isinstance(written, dict):
            self._say(place, "a mapping, please")
        elif len(written) != 1:
            self._say(place, f"exactly one criterion, please: one of {_ANY_CRITERION}")
        else:
            ((name, fields),) = written.items()
            self._named((*place, str(name)), name, fields, depth)

    def _named(self, place: Path, name: object, fields: object, depth: int) -> None:
        if name in GROUPS:
            self._group(place, fields, depth + 1)
        elif not isinstance(name, str) or name not in CRITERIA:
            self._say(place, f"unknown criterion; one of {_ANY_CRITERION}, please")
        else:
            self._leaves += 1
            try:
                CRITERIA[name].model_validate(fields)
            except ValidationError as error:
                self.problems.extend(problems_of(place, error))

    def _group(self, place: Path, fields: object, depth: int) -> None:
        if not isinstance(fields, list) or not fields:
            self._say(place, "a list of one criterion or more, please")
        elif depth > MOST_DEEP:
            self._say(place, f"nested too deep; at most {MOST_DEEP} of {_ANY_GROUP} in each other, please")
        else:
            for index, each in enumerate(fields):
                if not self.too_many:
                    self.criterion((*place, index), each, depth)

    def _say(self, place: Path, text: str) -> None:
        self.problems.append(Problem(place, text))
