"""What the documents say, held to the code: events that are events, settings and links that exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from pydantic import SecretStr

from examples.bodies import IDS
from worker.adapters.badges_file import load_definitions
from worker.cli.application import app
from worker.events import UnknownEvent, parse_event
from worker.settings import Settings
from worker.web.access import Access

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
]
EXAMPLES = sorted((ROOT / "examples" / "publishers").glob("with_*"))
NOW = datetime(2100, 1, 1, tzinfo=UTC)


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def block(language: str) -> str:
    """Return the first code block of a language in the document for publishers."""
    found = re.search(rf"```{language}\n(.*?)```", text("docs/publishing.md"), re.DOTALL)
    assert found is not None
    return found[1]


def test_the_event_shown_is_one() -> None:
    event = parse_event(block("json").encode(), NOW)

    assert not isinstance(event, UnknownEvent)
    assert event.type == "post.created.v1"


def test_the_table_lists_every_type() -> None:
    rows = [line for line in text("docs/publishing.md").splitlines() if line.startswith("| `")]

    listed = {kind for row in rows for kind in re.findall(r"`([a-z_.]+\.v1)`", row.split("|")[1])}

    assert listed == set(IDS)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_for_publishers_publish_types_of_ours(example: Path) -> None:
    kinds = re.findall(r"[a-z_]+\.[a-z_]+\.v\d", example.read_text("utf-8"))

    assert kinds
    assert set(kinds) <= set(IDS)


def anchors(document: Path) -> set[str]:
    """Return what links can lead to within a document: its headings, as the sites that show it name them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_within_the_project_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", document.read_text("utf-8"))

    broken = []
    for link, anchor in links:
        target = document.parent / link if link else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append((link, anchor))
    assert broken == []


def test_the_readme_is_short_and_begins_with_the_two_commands() -> None:
    lines = text("README.md").splitlines()

    first, second = [line.split() for line in lines if line.startswith("    ")][:2]
    assert len(lines) < 150
    assert (first[:2], second[:2]) == (["make", "demo"], ["make", "test"])
    assert lines[:3] == ["# badge-worker", "", lines[2]]
    assert lines[2].startswith("    make demo ")


def test_the_readmes_event_is_one_and_earns_the_first_badge_of_the_example() -> None:
    found = re.search(r"XADD badge-events '\*' event '(\{.*?\})'", text("README.md"), re.DOTALL)
    assert found is not None

    event = parse_event(found[1].encode(), NOW)

    criteria = yaml.safe_load(text("config/badges.yaml"))["badges"]["first-steps"]["criteria"]
    assert not isinstance(event, UnknownEvent)
    assert event.type == "learning_path.enrolled.v1"
    assert criteria == {"lp_enroll": {"learning_path_id": json.loads(found[1])["data"]["learning_path_id"]}}


def test_the_readmes_badges_file_is_right(tmp_path: Path) -> None:
    found = re.search(r"```yaml\n(.*?)```", text("README.md"), re.DOTALL)
    assert found is not None
    (tmp_path / "badges.yaml").write_text(found[1])

    definitions = load_definitions(tmp_path / "badges.yaml")

    assert (list(definitions.issuers), list(definitions.badges)) == (["academy"], ["networker"])


def test_each_picture_is_shown_in_a_document_and_says_what_it_shows() -> None:
    shown = {
        (document.parent / link).resolve(): says
        for document in DOCUMENTS
        for says, link in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", document.read_text("utf-8"))
    }

    assert {file for file in (ROOT / "docs" / "images").iterdir() if file not in shown} == set()
    assert all(shown.values())


def test_no_lock_file_names_a_registry() -> None:
    locks = [*(ROOT / "requirements").glob("*.txt"), ROOT / "tests" / "node" / "package-lock.json"]

    named = re.compile(r'"resolved"|index-url|://[^/]*registry')
    assert len(locks) == 3
    assert [lock.name for lock in locks if named.search(lock.read_text("utf-8"))] == []


def make_secrets(folder: Path, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run the script that makes secrets, in a folder where none are, or those of an earlier run."""
    (folder / "config" / "secrets").mkdir(parents=True, exist_ok=True)
    script = shutil.copy(ROOT / "config" / "make-secrets.sh", folder / "config")
    return subprocess.run([script, *words], input=typed, capture_output=True, text=True, check=False)


def secrets_in(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text("utf-8").strip() for path in (folder / "config" / "secrets").iterdir()}


def test_the_secrets_that_are_made_are_those_that_are_used(tmp_path: Path) -> None:
    said = make_secrets(tmp_path, "me@example.org", typed="pass word\n")

    made, folder = secrets_in(tmp_path), tmp_path / "config" / "secrets"
    compose = yaml.safe_load(text("docker-compose.yml"))
    postgres = compose["services"]["postgres"]["environment"]
    token = said.stdout.split()[-1]
    caller = Access(Settings(api_tokens=SecretStr(made["api_tokens"]))).caller(f"Bearer {token}")
    assert set(made) == set(compose["secrets"])
    assert caller is not None
    assert caller.roles == {"admin", "read", "publish"}
    assert (made["academy_username"], made["academy_password"]) == ("me@example.org", "pass word")
    assert len(made["secret_key"]) >= 16
    assert made["database_url"] == (
        f"postgresql+psycopg://{postgres['POSTGRES_USER']}:{made['postgres_password']}"
        f"@postgres:5432/{postgres['POSTGRES_DB']}"
    )
    assert made["rabbitmq_user"].split()[-1] in made["rabbitmq_events_url"]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644}


def test_secrets_that_are_there_are_kept(tmp_path: Path) -> None:
    without_a_password = make_secrets(tmp_path, "me@example.org")
    make_secrets(tmp_path, "me@example.org", typed="secret")
    before = secrets_in(tmp_path)
    (tmp_path / "config" / "secrets" / "grafana_password").unlink()

    again = make_secrets(tmp_path)

    after = secrets_in(tmp_path)
    assert without_a_password.returncode == 2
    assert (again.returncode, again.stdout) == (0, "")
    assert {name for name in before if before[name] != after[name]} == {"grafana_password"}


def commands() -> dict[str, set[str]]:
    """Return every command, as it is typed, with its options."""
    found: dict[str, set[str]] = {}

    def walk(command: Any, path: str) -> None:
        found[path] = {name for each in command.params for name in each.opts}
        for name, inner in getattr(command, "commands", {}).items():
            walk(inner, f"{path} {name}".strip())

    walk(typer.main.get_command(app), "")
    return found


COMMANDS = commands()
MENTIONING = [*DOCUMENTS, ROOT / "docker-compose.yml"]
MENTIONING += [ROOT / "config" / name for name in ("badges.yaml", "example.env")]


def mentions(document: Path) -> list[list[str]]:
    """Return what follows `badge-worker` in code, word by word; prose that begins with the name is none."""
    found = re.findall(r"(`?)badge-worker ([a-z-]+[^`#|&\n]*)", document.read_text("utf-8"))
    first_words = {name.split()[0] for name in COMMANDS if name}
    return [line.split() for tick, line in found if tick or line.split()[0] in first_words]


@pytest.mark.parametrize("document", MENTIONING, ids=lambda path: path.name)
def test_commands_that_are_mentioned_exist(document: Path) -> None:
    for words in mentions(document):
        name = max((name for name in COMMANDS if words[: len(name.split())] == name.split()), key=len)
        group = any(other.startswith(f"{name} ") for other in COMMANDS)
        options = {word for word in words if word.startswith("--")}
        assert name, words
        assert not group or words == name.split(), words
        assert options <= COMMANDS[name], words


def test_the_documents_mention_the_commands_that_operators_need() -> None:
    mentioned = {" ".join(words[:2]) for document in MENTIONING for words in mentions(document)}

    assert {"db upgrade", "badges apply", "awards list", "dead-letters list"} <= mentioned
