"""The deployment files, held to the commands and variables that exist and to what an operator asks for."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ["migrate", "consumer", "worker", "beat", "flower"]
LASTING = [name for name in SERVICES if name != "migrate"]

# The commands that a deployment may use, and the variables that exist.
COMMANDS = {"consume", "publish", "badges apply", "doctor", "db upgrade"}
CELERY_COMMANDS = {"worker", "beat", "flower"}
VARIABLES = {name.upper() for name in Settings.model_fields if name != "issuer"}
CREDENTIALS = {"USERNAME", "PASSWORD", "TOKEN", "REFRESH_TOKEN", "CLIENT_ID", "CLIENT_SECRET"}
ISSUER = rf"ISSUER_[A-Z0-9_]+?_({'|'.join(sorted(CREDENTIALS))})"
EXAMPLES = {"database_url": "postgresql+psycopg://badge_worker:secret@postgres:5432/badge_worker"}


def environment_of(service: str, secrets: Path) -> dict[str, str]:
    """Return a service's environment with each secret in a file of its own below `secrets`."""
    environment = {}
    for name, value in SERVICES[service]["environment"].items():
        secret = Path(value).name
        if value.startswith("/run/secrets/"):
            (secrets / secret).write_text(f"{EXAMPLES.get(secret, secret)}\n")
        environment[name] = value.replace("/run/secrets", str(secrets))
    return environment


def shell_words(service: str) -> list[str]:
    """Return the words of a service's command, those of a shell's one line among them."""
    command: list[str] = SERVICES[service]["command"]
    if command[:2] == ["sh", "-c"]:
        return shlex.split(command[2].replace("$$", "$"))
    return command


def commands_of(service: str) -> set[str]:
    """Return which of our commands a service runs."""
    words = " ".join(shell_words(service))
    ours = {command for command in COMMANDS if re.search(rf"badge-worker {command}\b", words)}
    theirs = re.findall(r"celery -A worker\.app (\w+)", words)
    return ours | {f"celery {command}" for command in theirs}


@pytest.mark.parametrize(
    ("service", "commands"),
    [
        ("migrate", {"db upgrade", "badges apply"}),
        ("consumer", {"consume"}),
        ("worker", {"celery worker"}),
        ("beat", {"celery beat"}),
        ("flower", {"celery flower"}),
    ],
)
def test_each_service_runs_its_command(service: str, commands: set[str]) -> None:
    assert commands_of(service) == commands


def test_the_schema_comes_before_the_badges() -> None:
    words = " ".join(shell_words("migrate"))

    assert words.index("db upgrade") < words.index("badges apply --yes")
    assert "&&" in words


@pytest.mark.parametrize("service", OURS)
def test_every_variable_of_ours_is_a_setting(service: str, tmp_path: Path) -> None:
    ours = {name for name in environment_of(service, tmp_path) if name.startswith("BADGE_WORKER_")}
    plain = {re.sub(r"^BADGE_WORKER_|_FILE$", "", name) for name in ours}

    assert ours
    assert {name for name in plain - VARIABLES if not re.fullmatch(ISSUER, name)} == set()


@pytest.mark.parametrize("service", OURS)
def test_the_settings_of_a_service_can_be_read(service: str, tmp_path: Path) -> None:
    settings = load_settings(environment_of(service, tmp_path), tmp_path)

    assert settings.required("broker_url") == "redis://redis:6379/1"
    assert settings.required("events_url") == "redis://redis:6379/0?stream=badge-events"


def test_the_task_worker_alone_has_the_credentials(tmp_path: Path) -> None:
    settings = {name: load_settings(environment_of(name, tmp_path), tmp_path) for name in OURS}

    assert settings["worker"].credential("academy", "username") == "academy_username"
    assert settings["worker"].credential("academy", "password") == "academy_password"
    assert [name for name in OURS if settings[name].issuer] == ["worker"]


@pytest.mark.parametrize("service", ["migrate", "consumer", "worker", "beat"])
def test_what_needs_the_database_has_it(service: str, tmp_path: Path) -> None:
    settings = load_settings(environment_of(service, tmp_path), tmp_path)

    assert settings.database_url.get_secret_value() == EXAMPLES["database_url"]


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_come_from_files_alone(service: str) -> None:
    environment = SERVICES[service].get("environment", {})
    files = {Path(path).name for name, path in environment.items() if name.endswith("_FILE")}
    read = set(re.findall(r"/run/secrets/(\w+)", " ".join(SERVICES[service].get("command", []))))

    assert files | read == set(SERVICES[service].get("secrets", []))
    assert all(
        path == f"/run/secrets/{Path(path).name}"
        for name, path in environment.items()
        if name.endswith("_FILE")
    )
    assert not any(
        re.search(r"PASSWORD|SECRET|TOKEN", name) for name in environment if not name.endswith("_FILE")
    )
    assert not any("@" in str(value) for value in environment.values())


def test_every_secret_is_declared_and_kept_out_of_version_control_and_image() -> None:
    used = {secret for service in SERVICES.values() for secret in service.get("secrets", [])}
    ignored = (ROOT / "config" / "secrets" / ".gitignore").read_text("utf-8").splitlines()

    assert used == set(COMPOSE["secrets"])
    assert {Path(secret["file"]).parent for secret in COMPOSE["secrets"].values()} == {Path("config/secrets")}
    assert ignored[-2:] == ["*", "!.gitignore"]
    assert (ROOT / ".dockerignore").read_text("utf-8").splitlines()[1:3] == ["*", "!config/badges.yaml"]


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("service", ["postgres", "redis"])
def test_the_stores_are_reached_from_inside_alone(service: str) -> None:
    assert SERVICES[service]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert "ports" not in SERVICES[service]


@pytest.mark.parametrize("service", SERVICES)
def test_every_container_is_without_privileges(service: str) -> None:
    container = SERVICES[service]

    assert container["user"] not in {"root", "0", "0:0"}
    assert container["read_only"] is True
    assert container["cap_drop"] == ["ALL"]
    assert container["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in container


@pytest.mark.parametrize("service", LASTING)
def test_what_lasts_is_restarted_and_has_time_to_stop(service: str) -> None:
    assert SERVICES[service]["restart"] == "unless-stopped"
    assert re.fullmatch(r"\d+s", SERVICES[service]["stop_grace_period"])


def test_the_migration_runs_once() -> None:
    assert SERVICES["migrate"]["restart"] == "no"


@pytest.mark.parametrize("service", ["consumer", "worker", "beat"])
def test_nothing_of_ours_starts_before_the_migration_is_done(service: str) -> None:
    conditions = {name: after["condition"] for name, after in SERVICES[service]["depends_on"].items()}

    assert conditions == {
        "postgres": "service_healthy",
        "redis": "service_healthy",
        "migrate": "service_completed_successfully",
    }


def test_whoever_is_waited_for_says_when_it_is_healthy() -> None:
    waited_for = {
        name
        for service in SERVICES.values()
        for name, after in service.get("depends_on", {}).items()
        if after["condition"] == "service_healthy"
    }

    assert waited_for == {"postgres", "redis"}
    assert all("test" in SERVICES[name]["healthcheck"] for name in waited_for)


def test_redis_writes_to_disk_and_evicts_nothing() -> None:
    command = SERVICES["redis"]["command"]

    assert command[command.index("--appendonly") + 1] == "yes"
    assert command[command.index("--maxmemory-policy") + 1] == "noeviction"
    assert SERVICES["redis"]["volumes"] == ["redis:/data"]


def test_events_tasks_and_limits_have_a_redis_database_each() -> None:
    environment = SERVICES["worker"]["environment"]
    urls = [environment[f"BADGE_WORKER_{name}_URL"] for name in ("EVENTS", "BROKER", "REDIS")]

    numbers = [url.split("?")[0].rsplit("/", 1)[1] for url in urls]

    assert len(set(numbers)) == 3


def test_postgresql_is_recent_enough() -> None:
    version = re.match(r"postgres:(\d+)", SERVICES["postgres"]["image"])

    assert version is not None
    assert int(version[1]) >= 16


def test_a_stopping_task_worker_hands_its_work_back() -> None:
    assert SERVICES["worker"]["environment"]["REMAP_SIGTERM"] == "SIGQUIT"


def test_flower_asks_for_a_password() -> None:
    assert "FLOWER_BASIC_AUTH" in " ".join(SERVICES["flower"]["command"])
    assert SERVICES["flower"]["secrets"] == ["flower_basic_auth"]


def test_the_services_share_one_image() -> None:
    assert {SERVICES[name]["image"] for name in OURS} == {"badge-worker"}
    assert {SERVICES[name]["user"] for name in OURS} == {"10001:10001"}


def example_variables() -> list[str]:
    text = (ROOT / "config" / "example.env").read_text("utf-8")
    return re.findall(r"^#?(BADGE_WORKER_\w+)=", text, re.MULTILINE)


def test_the_example_lists_every_setting_once() -> None:
    names = [name.removeprefix("BADGE_WORKER_") for name in example_variables()]

    plain = [name for name in names if not name.startswith("ISSUER_")]

    assert sorted(plain) == sorted(VARIABLES)
    assert {name.removeprefix("ISSUER_ACADEMY_") for name in names if name not in VARIABLES} == CREDENTIALS


def test_the_example_can_be_used_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text((ROOT / "config" / "example.env").read_text("utf-8"))

    settings = load_settings({}, tmp_path)

    assert settings.required("events_url") == "redis://127.0.0.1:6379/0?stream=badge-events"
    assert settings.credential("academy", "username") == "badges@example.org"


def test_the_example_shows_the_defaults(tmp_path: Path) -> None:
    text = (ROOT / "config" / "example.env").read_text("utf-8")
    (tmp_path / ".env").write_text(re.sub(r"^#(BADGE_WORKER_)", r"\1", text, flags=re.MULTILINE))
    defaults = Settings().model_dump(exclude={"issuer"}, exclude_none=True)

    shown = load_settings({}, tmp_path).model_dump(include=set(defaults))

    assert shown == defaults


def dockerfile() -> list[str]:
    return (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ").splitlines()


def test_the_image_holds_what_the_lock_file_pins() -> None:
    installs = [line for line in dockerfile() if "pip install" in line]

    assert "--require-hashes --requirement requirements/runtime.txt" in installs[0]
    assert all("--require-hashes" in line or "--no-deps" in line for line in installs)


def test_the_image_is_built_in_two_stages_and_runs_as_nobody_special() -> None:
    stages = [line for line in dockerfile() if line.startswith("FROM")]
    users = [line for line in dockerfile() if line.startswith("USER")]

    assert stages == ["FROM python:3.12-slim AS build", "FROM python:3.12-slim"]
    assert users == ["USER 10001:10001"]


def test_what_the_image_copies_exists_and_is_sent_to_the_builder() -> None:
    copied = [
        source
        for line in dockerfile()
        if line.startswith("COPY") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    sent = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line.startswith("!")
    }

    assert set(copied) == sent
    assert [source for source in copied if not (ROOT / source).exists()] == []
