"""Every command that the documents show is run by a test: here, or by the one that the table names.

Docker's are the exception; test_compose.py holds what they start.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import redis
import typer.main

from worker.adapters.permits import RateLimit, RedisPermits
from worker.cli.application import app
from worker.sandbox import SandboxOptions, SeedBadgeClass, SeedTemplate, running

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
CLI, E2E = "tests/integration/cli", "tests/e2e"
BADGR = f"{CLI}/test_badgr_commands.py"

# What is shown, and the test that runs it.
RUN_BY = {
    "badge-worker awards list": f"{CLI}/test_awards.py::test_awards_are_listed_by_what_is_asked_for",
    "badge-worker awards retry": f"{CLI}/test_awards.py::test_failed_awards_are_put_back",
    "badge-worker awards revoke": f"{CLI}/test_revoke.py::test_many_are_revoked_at_once",
    "badge-worker awards show": f"{CLI}/test_awards.py::test_an_award_is_shown_with_its_history",
    "badge-worker badges apply": f"{CLI}/test_badges.py::test_apply_makes_the_file_the_rules_in_force",
    "badge-worker badges check": f"{CLI}/test_badges.py::test_a_right_file_is_said_to_be_right",
    "badge-worker badges plan": (
        f"{CLI}/test_badges.py::test_plan_says_what_would_change_and_who_would_gain_it"
    ),
    "badge-worker badgr badgeclasses create": (
        f"{BADGR}::test_a_badge_class_is_made_from_a_picture_in_a_file_with_all_it_can_have"
    ),
    "badge-worker badgr badgeclasses list": f"{BADGR}::test_a_badge_class_is_copied_and_deleted",
    "badge-worker badgr issuers create": f"{BADGR}::test_an_issuer_is_made_shown_changed_and_deleted",
    "badge-worker badgr tokens create": (
        f"{BADGR}::test_tokens_are_listed_shown_made_for_an_issuer_and_revoked"
    ),
    "badge-worker consume": f"{CLI}/test_consume.py::test_until_idle_takes_in_all_that_is_there_and_ends",
    "badge-worker db upgrade": f"{CLI}/test_db.py::test_upgrade_prints_the_revision",
    "badge-worker dead-letters discard": (
        f"{CLI}/test_dead_letters.py::test_discarded_letters_are_gone_and_told"
    ),
    "badge-worker dead-letters list": f"{CLI}/test_dead_letters.py::test_every_dead_letter_is_listed_whole",
    "badge-worker dead-letters replay": f"{CLI}/test_dead_letters.py::test_all_of_them_can_be_replayed",
    "badge-worker demo": f"{E2E}/test_demo.py::test_the_demo_issues_exactly_what_was_earned",
    "badge-worker doctor": f"{CLI}/test_doctor.py::test_a_whole_deployment_is_all_right",
    "badge-worker events asyncapi": (
        "tests/unit/cli/test_event_schema.py::test_the_asyncapi_document_is_json_when_asked_for"
    ),
    "badge-worker events openapi": (
        "tests/contract/test_openapi.py::test_the_document_among_the_docs_is_the_one_that_is_served"
    ),
    "badge-worker events schema": (
        "tests/unit/cli/test_event_schema.py::test_the_schema_has_a_branch_for_every_type"
    ),
    "badge-worker explain": (
        "tests/integration/database/test_explaining.py::test_all_badges_of_a_user_with_their_progress"
    ),
    "badge-worker healthcheck": f"{E2E}/test_up.py::test_each_of_its_processes_says_that_it_goes_on",
    "badge-worker publish": f"{CLI}/test_publish.py::test_events_are_on_the_queue_in_the_order_of_the_file",
    "badge-worker reconcile": f"{CLI}/test_reconcile.py::test_everything_is_compared_again_if_that_is_wanted",
    "badge-worker reevaluate": f"{CLI}/test_reevaluate.py::test_everybody_gets_what_they_have_earned",
    "badge-worker sandbox": (
        f"{CLI}/test_sandbox_command.py::"
        "test_the_badge_classes_of_a_badges_file_are_there_and_stay_in_the_data_file"
    ),
    "badge-worker serve": (
        f"{E2E}/test_processes.py::test_no_process_ever_prints_an_address_a_name_or_a_secret"
    ),
    "badge-worker simulate": (
        "tests/unit/cli/test_simulate.py::test_a_change_of_definitions_shows_what_it_would_have_done"
    ),
    "badge-worker up": f"{E2E}/test_up.py::test_ctrl_c_does_not_wait_for_a_slow_provider",
    "badge-worker users forget": f"{CLI}/test_users.py::test_with_revoke_what_was_issued_is_to_be_revoked",
    "celery beat": f"{E2E}/test_processes.py::test_without_beat_nudges_move_the_work",
    "celery flower": f"{E2E}/test_processes.py::test_no_process_ever_prints_an_address_a_name_or_a_secret",
    "celery worker": (
        f"{E2E}/test_processes.py::test_without_a_task_worker_awards_stay_pending_and_go_out_when_one_starts"
    ),
    "config/make-secrets.sh": (
        "tests/unit/test_documents.py::test_the_secrets_that_are_made_are_those_that_are_used"
    ),
    "curl of the sandbox": "tests/unit/test_commands_shown.py::test_the_sandbox_answers_what_is_shown",
    "curl $URL/graphql": (
        "tests/integration/web/test_graphql_documents.py::test_the_command_of_the_page_runs"
    ),
    "make audit": ("tests/unit/test_audit.py::test_it_says_what_was_found_and_where_nobody_could_tell"),
    "make demo": f"{E2E}/test_demo.py::test_the_demo_issues_exactly_what_was_earned",
    "make docs": "tests/integration/test_site.py::test_no_page_loads_anything_from_elsewhere",
    "make drill-ingest": (
        f"{E2E}/test_drill_ingest.py::"
        "test_nothing_is_lost_or_counted_twice_although_everything_is_killed_now_and_then"
    ),
    "make drill-issuing": (
        f"{E2E}/test_drill_issuing.py::"
        "test_each_award_is_issued_once_although_the_provider_fails_and_workers_are_killed"
    ),
    "make mutants": "tests/unit/test_mutants.py::test_a_mutants_patch_fits_the_worker_as_it_is",
    "promtool": "tests/unit/test_monitoring_config.py::test_prometheus_itself_finds_nothing_wrong",
    "python examples/generate.py": (
        "tests/unit/test_examples.py::test_the_committed_sample_is_what_the_generator_writes"
    ),
    "redis-cli DEL": "tests/unit/test_commands_shown.py::test_the_key_that_is_deleted_ends_a_wait",
    "redis-cli XADD": (
        "tests/integration/test_publisher_examples.py::test_an_example_publishes_on_redis_streams"
    ),
}
# What every run of the tests goes through itself, or would take too long in them.
NOT_RUN = {
    "make bench": "measures for minutes; its parts are those of `python -m benchmarks`",
    "make check": "what .ci/run begins with",
    "make help": "lists the targets, and they are looked at here",
    "make install": "what every other target does first",
    "make test": "is what runs this",
}
# Blocks of shell of these are all run by tests of their own.
WHOLE = {"http.md": "tests/integration/web/test_http_page.py"}
# Pieces of what the shell itself does.
SHELL = {"cd", "chmod", "echo", "export", "openssl", "password", "printf", "token", "umask", "docker"}


def code(document: Path) -> list[str]:
    """Return the lines of shell of a document: from fenced blocks, indented ones, and between ticks."""
    text = document.read_text("utf-8")
    fenced = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    prose = fenced.sub("", text)
    blocks = [] if document.name in WHOLE else fenced.findall(text)
    lines = [block for language, block in blocks if language in {"sh", "console", "bash"}]
    lines += re.findall(r"^    (\S.*(?:\n {4,}.*)*)$", prose, re.MULTILINE)
    lines += [each for each in re.findall(r"`([^`\n]+)`", prose) if " " in each]
    joined = "\n".join(lines).replace("\\\n", " ")
    # A JSON document over several lines is one word.
    joined = re.sub(r"'\{[^']*\}'", lambda found: found[0].replace("\n", " "), joined)
    return [line.strip() for line in joined.splitlines()]


def words_of(line: str) -> list[str]:
    try:
        words = shlex.split(line, comments=True)
    except ValueError:
        return []
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    return words


OURS: Any = typer.main.get_command(app)


def our_path(words: list[str]) -> list[str]:
    command = OURS
    path: list[str] = []
    for word in words:
        if word not in getattr(command, "commands", {}):
            break
        command = command.commands[word]
        path.append(word)
    return path


def shape(words: list[str]) -> str | None:
    """Return which command it is; None if it is none at all."""
    program = words[0].removeprefix(".venv/bin/")
    if program == "badge-worker":
        path = our_path(words[1:])
        return " ".join([program, *path]) if path else None
    if program == "celery" and words[1:3] == ["-A", "worker.app"]:
        return f"celery {words[3]}"
    if program == "python" and words[1] == "-m":
        return " ".join([program, *words[1:3]])
    if program in {"make", "redis-cli", "python"}:
        return f"{program} {words[1]}"
    if program == "curl":
        (url,) = [word for word in words if re.match(r"https?:|\$URL", word)]
        return "curl of the sandbox" if url.startswith("http://127.0.0.1:8800/") else f"curl {url}"
    return program if program in {"promtool", "config/make-secrets.sh"} else None


def shown() -> dict[str, list[list[str]]]:
    """Return every command that is shown, with the words of each time."""
    found: dict[str, list[list[str]]] = {}
    for document in DOCUMENTS:
        for words in filter(None, map(words_of, code(document))):
            if (name := shape(words)) is not None:
                found.setdefault(name, []).append(words)
    return found


SHOWN = shown()


def is_module(name: str) -> bool:
    return name.startswith("python -m ")


def test_every_command_that_is_shown_is_run() -> None:
    ours = {name for name in SHOWN if not is_module(name) and not group(name)}

    assert ours - NOT_RUN.keys() == RUN_BY.keys() & ours
    assert RUN_BY.keys() - ours <= {"badge-worker demo"}
    assert NOT_RUN.keys() <= ours


def group(name: str) -> bool:
    """Return whether it is the name of several commands."""
    return any(other.startswith(f"{name} ") for other in RUN_BY)


@pytest.mark.parametrize("name", RUN_BY)
def test_what_runs_it_is_there_and_knows_the_options_that_are_shown(name: str) -> None:
    path, _, test = RUN_BY[name].partition("::")
    text = (ROOT / path).read_text("utf-8")
    options = {
        word
        for words in SHOWN.get(name, [])
        for word in words
        if name.startswith("badge-worker") and word.startswith("--")
    }
    everywhere = "\n".join(file.read_text("utf-8") for file in (ROOT / path).parent.glob("*.py"))

    assert f"def {test}(" in text
    assert {option for option in options if f'"{option}' not in everywhere} == set()


def test_shell_blocks_hold_nothing_else() -> None:
    strange = []
    for document in (each for each in DOCUMENTS if each.name not in WHOLE):
        for block in re.findall(r"^```sh\n(.*?)^```$", document.read_text("utf-8"), re.DOTALL | re.MULTILINE):
            if block.startswith("#!"):  # a whole script; test_publisher_examples.py runs it
                continue
            for line in block.replace("\\\n", " ").splitlines():
                words = words_of(line)
                first = re.split(r"[ =]", words[0])[0] if words else None
                if words and shape(words) is None and first not in SHELL:
                    strange.append((document.name, line))
    assert strange == []


@pytest.mark.parametrize("name", WHOLE)
def test_pages_with_tests_of_their_own_have_them(name: str) -> None:
    text = (ROOT / WHOLE[name]).read_text("utf-8")

    assert f'"{name}"' in text
    assert "def test_" in text


@pytest.mark.parametrize("name", [name for name in SHOWN if is_module(name)])
def test_modules_that_are_shown_are_there_and_have_the_options(name: str) -> None:
    module = name.removeprefix("python -m ")
    for words in SHOWN[name]:
        rest = words[3:]
        if module == "pytest":
            assert [word for word in rest if word.startswith("tests/") and not (ROOT / word).exists()] == []
            continue
        file = ROOT / Path(*module.split("."))
        source = (file / "__main__.py" if file.is_dir() else file.with_suffix(".py")).read_text("utf-8")
        assert [word for word in rest if word.startswith("--") and f'"{word}"' not in source] == []


def test_the_targets_that_are_shown_are_those_that_are_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))

    assert {name.removeprefix("make ") for name in SHOWN if name.startswith("make ")} <= targets


def test_containers_are_started_by_names_that_there_are() -> None:
    services = re.findall(r"^  ([a-z-]+):$", (ROOT / "docker-compose.yml").read_text("utf-8"), re.MULTILINE)
    text = (ROOT / "docs" / "operating.md").read_text("utf-8")
    named = re.findall(r"docker compose .*?(?:run --rm|--scale|logs --follow|exec(?: -T)?) ([a-z ]+)", text)

    words = {word for each in named for word in each.split() if word != "badge"}
    assert words
    assert words <= set(services)


# Run here


SEEDS = (SeedBadgeClass("ID", "First steps", "academy"),)
TEMPLATES = (SeedTemplate("template", "First steps", "ORG"),)
OPTIONS = SandboxOptions(badgeclasses=SEEDS, templates=TEMPLATES, tokens={"TOKEN": "academy"})


@pytest.mark.parametrize(
    "words", SHOWN["curl of the sandbox"], ids=lambda words: words[2].partition("8800")[2]
)
def test_the_sandbox_answers_what_is_shown(words: list[str]) -> None:
    with running(OPTIONS) as url:
        answer = as_curl(words, url)

    assert answer.status_code < 400, answer.text


def as_curl(words: list[str], url: str) -> httpx.Response:
    """Send what curl would send."""
    assert words[:2] == ["curl", "-s"]
    asked: dict[str, Any] = {"headers": {}}
    rest = iter(words[3:])
    for option in rest:
        value = next(rest)
        if option == "-d":
            name, _, text = value.partition("=")
            asked.setdefault("data", {})[name] = text
        elif option == "--json":
            asked["content"] = value
            asked["headers"] |= {"Content-Type": "application/json", "Accept": "application/json"}
        elif option == "-H":
            name, _, text = value.partition(": ")
            asked["headers"][name] = text
        elif option == "-u":
            user, _, password = value.partition(":")
            asked["auth"] = (user, password)
        else:
            raise AssertionError(option)
    target = urlsplit(words[2])
    path = f"{target.path}?{target.query}" if target.query else target.path
    method = "POST" if asked.keys() & {"data", "content"} else "GET"
    return httpx.request(method, f"{url}{path}", timeout=10, **asked)


def test_the_key_that_is_deleted_ends_a_wait(redis_client: redis.Redis) -> None:
    ((_, delete, key),) = SHOWN["redis-cli DEL"]
    permits = RedisPermits(redis_client, {"academy": RateLimit(100, 60, 30)}, called_before=lambda _: False)
    permits.pause("academy", 60)
    before = permits.room("academy", 2)

    deleted = redis_client.execute_command(delete, key)  # type: ignore[no-untyped-call] # redis-py

    assert (before, deleted) == (0, 1)
    assert permits.room("academy", 2) > 0
