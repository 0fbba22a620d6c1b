"""What a module promises by its place: contents pages list, pure modules read no clock."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

WORKER = Path(__file__).parents[2] / "worker"
MODULES = sorted(path.relative_to(WORKER).as_posix() for path in WORKER.rglob("*.py"))
CONTENTS = [module for module in MODULES if module.endswith("__init__.py")]
PURE = [module for module in MODULES if module.startswith("rules/")] + [
    "activities.py",
    "awards.py",
    "deciding.py",
    "events.py",
    "news.py",
    "users.py",
]


def tree(module: str) -> ast.Module:
    return ast.parse((WORKER / module).read_text("utf-8"))


def is_contents(statement: ast.stmt) -> bool:
    """Say whether a statement is a docstring, an import, ``__all__`` or ``__version__``."""
    match statement:
        case ast.Expr(value=ast.Constant(value=str())) | ast.Import() | ast.ImportFrom():
            return True
        case ast.Assign(targets=[ast.Name(id="__all__" | "__version__")]):
            return True
    return False


def test_there_are_pages_and_modules_to_look_at() -> None:
    assert {"__init__.py", "rules/__init__.py"} <= set(CONTENTS)
    assert set(PURE) <= set(MODULES)


@pytest.mark.parametrize("module", CONTENTS)
def test_every_init_is_a_contents_page_or_empty(module: str) -> None:
    page = tree(module)

    assert [ast.unparse(statement) for statement in page.body if not is_contents(statement)] == []


@pytest.mark.parametrize("module", CONTENTS)
def test_a_contents_page_lists_just_what_it_imports(module: str) -> None:
    page = tree(module)
    imported = {
        alias.asname or alias.name
        for statement in page.body
        if isinstance(statement, ast.ImportFrom) and statement.module != "__future__"
        for alias in statement.names
    }
    listed = [
        ast.literal_eval(statement.value)
        for statement in page.body
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"
    ]

    assert set(*listed) == imported


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_what_it_is(module: str) -> None:
    assert ast.get_docstring(tree(module))


def reads_a_clock(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="datetime" | "date"), attr="now" | "utcnow" | "today"):
            return True
        case ast.Import(names=names):
            return any(alias.name == "time" for alias in names)
        case ast.ImportFrom(module="time"):
            return True
    return False


def test_a_clock_is_recognised() -> None:
    readers = ["datetime.now(UTC)", "import time", "from time import monotonic", "now = date.today"]
    others = ["event.time", "now + timedelta(minutes=5)", "import timeit", "self.clock()"]

    found = [any(reads_a_clock(node) for node in ast.walk(ast.parse(code))) for code in readers + others]

    assert found == [True] * len(readers) + [False] * len(others)


@pytest.mark.parametrize("module", PURE)
def test_what_is_pure_reads_no_clock(module: str) -> None:
    assert not any(reads_a_clock(node) for node in ast.walk(tree(module)))
