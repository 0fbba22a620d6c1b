"""The deployment files, held to the commands and variables that exist and to what an operator asks for."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ["migrate", "consumer", "worker", "beat", "flower"]
LASTING = [name for name in SERVICES if name != "migrate"]

# The commands and variables of the contract that a deployment may use.
COMMANDS = {"consume", "serve", "sandbox", "publish", "badges apply", "doctor", "healthcheck", "db upgrade"}
CELERY_COMMANDS = {"worker", "beat", "flower"}
VARIABLES = {
    "DATABASE_URL",
    "EVENTS_URL",
    "BROKER_URL",
    "REDIS_URL",
    "BADGES_FILE",
    "BATCH_SIZE",
    "BATCH_WAIT",
    "API_TOKENS",
    "SECRET_KEY",
    "API_JWKS_URL",
    "API_JWT_ISSUER",
    "API_JWT_AUDIENCE",
    "WEB_HOST",
    "WEB_PORT",
    "METRICS_PORT",
    "TIME_ZONE",
    "OPIGNO_WEBHOOK_SECRET",
    "GRAPHQL_EXPLORER",
    "LOG_FORMAT",
    "LOG_LEVEL",
}
CREDENTIALS = {"USERNAME", "PASSWORD", "TOKEN", "REFRESH_TOKEN", "CLIENT_ID", "CLIENT_SECRET"}


def is_setting(variable: str) -> bool:
    name = variable.removeprefix("BADGE_WORKER_").removesuffix("_FILE")
    credential = re.fullmatch(r"ISSUER_[A-Z0-9_]+?_(" + "|".join(CREDENTIALS) + ")", name)
    return variable.startswith("BADGE_WORKER_") and (
        name in VARIABLES or variable.removeprefix("BADGE_WORKER_") in VARIABLES or credential is not None
    )


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
def test_every_variable_of_ours_is_a_setting(service: str) -> None:
    ours = [name for name in SERVICES[service]["environment"] if name.startswith("BADGE_WORKER_")]

    assert ours
    assert [name for name in ours if not is_setting(name)] == []


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
    assert "config/secrets" in (ROOT / ".dockerignore").read_text("utf-8").splitlines()


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
