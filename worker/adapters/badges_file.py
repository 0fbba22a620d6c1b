"""The badges file: YAML or JSON, read with the line of every field, so that problems name it."""

from __future__ import annotations

from pathlib import Path as File
from typing import Any

import yaml

from worker.errors import ConfigurationError, InvalidDefinition
from worker.rules.definitions import Definitions, read_definitions
from worker.rules.problems import Path, Problem


def load_definitions(file: File) -> Definitions:
    """Read issuers and badges.

    Raises ConfigurationError if there is no such file, InvalidDefinition with every problem in it: each with
    file, line, field and what would be right.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: {error}") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise InvalidDefinition([_yaml_problem(file, error)]) from None
    lines: dict[Path, int] = {}
    repeated = _walk(node, (), lines, set())
    definitions, problems = read_definitions(document)
    if found := [*repeated, *problems]:
        ordered = sorted(found, key=lambda problem: _line(problem.path, lines))
        raise InvalidDefinition([_say(file, problem, lines) for problem in ordered])
    return definitions


def _walk(node: yaml.Node | None, path: Path, lines: dict[Path, int], seen: set[yaml.Node]) -> list[Problem]:
    """Note the line of every field, and return the fields that stand twice: YAML would drop the first.

    What an alias stands for was gone through where it was written: a few of them may stand for millions of
    fields, or for what they stand in.
    """
    if node is None or node in seen:
        return []
    seen.add(node)
    lines.setdefault(path, node.start_mark.line + 1)
    repeated: list[Problem] = []
    if isinstance(node, yaml.MappingNode):
        keys: set[Any] = set()
        for key, value in node.value:
            below = (*path, _key(key))
            if below in keys:
                repeated.append(Problem(below, f"stands twice; also on line {lines[below]}"))
            keys.add(below)
            lines[below] = key.start_mark.line + 1
            repeated += _walk(value, below, lines, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            repeated += _walk(value, (*path, index), lines, seen)
    return repeated


def _key(node: yaml.Node) -> str:
    """Return a key as problems name it: always text, though `40` is a number in the document."""
    if isinstance(node, yaml.ScalarNode) and node.tag.endswith(":int"):
        return str(yaml.safe_load(node.value))
    return str(node.value)


def _line(path: Path, lines: dict[Path, int]) -> int:
    """Return the line of a field, or of what it would stand in."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _say(file: File, problem: Problem, lines: dict[Path, int]) -> str:
    field = ".".join(str(step) for step in problem.path) or "document"
    return f"{file}:{_line(problem.path, lines)}: {field}: {problem.text}"


def _yaml_problem(file: File, error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark else 1
    return f"{file}:{line}: not YAML: {getattr(error, 'problem', None) or error}"
