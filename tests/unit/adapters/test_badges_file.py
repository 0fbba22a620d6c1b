"""The badges file as it is read: every problem with the line and the field where it stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from worker.adapters.badges_file import load_definitions
from worker.errors import InvalidDefinition
from worker.rules.criteria import AllOf, AnyOf, LpEnroll, SocialEngagement

if TYPE_CHECKING:
    from pathlib import Path

BADGE = """\
badges:
  one:
    title: One
    picture: https://example.org/one.png
    criteria:
"""


def write(folder: Path, criteria: str) -> Path:
    file = folder / "badges.yaml"
    file.write_text(BADGE + criteria)
    return file


def test_criteria_are_put_together_as_they_are_written(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "      all_of:\n"
        "        - lp_enroll: {learning_path_id: 40}\n"
        "        - any_of: [{social_engagement: {threshold: 3}}, {lp_enroll: {learning_path_id: '41'}}]\n",
    )

    criterion = load_definitions(file).badges["one"].criterion

    either = AnyOf((SocialEngagement(threshold=3), LpEnroll(learning_path_id="41")))
    assert criterion == AllOf((LpEnroll(learning_path_id="40"), either))


def test_a_problem_within_a_group_is_named_with_its_line_and_field(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "      all_of:\n"
        "        - lp_enroll: {learning_path_id: 40}\n"
        "        - any_of:\n"
        "            - social_engagement: {threshold: 3}\n"
        "            - social_engagement: {threshold: 0}\n"
        "            - all_of: []\n",
    )

    with pytest.raises(InvalidDefinition) as found:
        load_definitions(file)

    inside = "badges.one.criteria.all_of.1.any_of"
    assert found.value.problems == [
        f"{file}:10: {inside}.1.social_engagement.threshold: Input should be greater than 0",
        f"{file}:11: {inside}.2.all_of: a list of one criterion or more, please",
    ]


def test_one_alias_may_stand_for_a_criterion_in_several_places(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "      all_of:\n"
        "        - &path {lp_enroll: {learning_path_id: 40}}\n"
        "        - any_of: [*path, {social_engagement: {threshold: 0}}]\n",
    )

    with pytest.raises(InvalidDefinition) as found:
        load_definitions(file)

    field = "badges.one.criteria.all_of.1.any_of.1.social_engagement.threshold"
    assert found.value.problems == [f"{file}:8: {field}: Input should be greater than 0"]


def test_aliases_that_stand_for_millions_of_criteria_are_refused_at_once(tmp_path: Path) -> None:
    tens = "".join(
        f"        - &level{n} {{all_of: [{', '.join([f'*level{n - 1}'] * 10)}]}}\n" for n in range(1, 7)
    )
    file = write(
        tmp_path, f"      all_of:\n        - &level0 {{lp_enroll: {{learning_path_id: 40}}}}\n{tens}"
    )

    with pytest.raises(InvalidDefinition) as found:
        load_definitions(file)

    assert found.value.problems == [
        f"{file}:5: badges.one.criteria: too many criteria; at most 64 in one badge, please"
    ]


def test_a_criterion_that_stands_for_what_it_stands_in_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, "      &all\n      all_of: [*all]\n")

    with pytest.raises(InvalidDefinition, match="nested too deep; at most 8"):
        load_definitions(file)
