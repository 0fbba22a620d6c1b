"""The mutants stay in step with what they mutate; `make mutants` shows that their tests notice them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.mutants.patches import REPOSITORY, Mutant, read_mutants

MUTANTS = [pytest.param(mutant, id=mutant.name) for mutant in read_mutants()]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutants_patch_fits_the_worker_as_it_is(mutant: Mutant) -> None:
    mutant.apply(REPOSITORY, check_only=True)

    touched = [line for line in mutant.file.read_text().splitlines() if line.startswith("+++ ")]
    assert touched
    assert all(line.startswith("+++ b/worker/") for line in touched)


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_mutant_names_a_test_that_there_is(mutant: Mutant) -> None:
    path, name = mutant.test.split("::")

    tree = ast.parse((REPOSITORY / path).read_text())

    assert name.split("[")[0] in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_a_patch_that_does_not_fit_is_told(tmp_path: Path) -> None:
    mutant = read_mutants()[0]

    with pytest.raises(ValueError, match=mutant.file.name):
        mutant.apply(tmp_path, check_only=True)


def test_a_patch_without_its_test_is_told(tmp_path: Path) -> None:
    (tmp_path / "nameless.patch").write_text("# Design 1: why.\n--- a/worker/x.py\n")

    with pytest.raises(ValueError, match=r"nameless\.patch"):
        read_mutants(tmp_path)
