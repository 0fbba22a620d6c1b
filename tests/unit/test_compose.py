"""The deployment files, held to the commands and variables that exist and to what an operator asks for."""

from __future__ import annotations

import re
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer.main
import yaml
from celery.bin.celery import celery
from flower.urls import handlers  # type: ignore[import-untyped] # Flower has no types
from tornado.options import options as flower_options
from tornado.routing import URLSpec

from worker.adapters.queues import open_queue
from worker.cli.application import app
from worker.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_FILE.read_text("utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ["migrate", "consumer", "consumer-rabbitmq", "worker", "beat", "web", "flower"]
PROGRESSING = [name for name in OURS if name not in {"migrate", "flower"}]
LASTING = [name for name in SERVICES if name != "migrate"]
METRICS_PORT = "9100"

VARIABLES = {name.upper() for name in Settings.model_fields if name != "issuer"}
CREDENTIALS = {"USERNAME", "PASSWORD", "TOKEN", "REFRESH_TOKEN", "CLIENT_ID", "CLIENT_SECRET"}
ISSUER = rf"ISSUER_[A-Z0-9_]+?_({'|'.join(sorted(CREDENTIALS))})"
EXAMPLES = {
    "database_url": "postgresql+psycopg://badge_worker:secret@postgres:5432/badge_worker",
    "secret_key": "0123456789abcdef",
    "api_tokens": f"lms:publish:{'0' * 64}",
    "rabbitmq_events_url": "amqp://badge_worker:secret@rabbitmq:5672/%2F?queue=badge-events",
}


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


def typed(service: str) -> list[list[str]]:
    """Return the words behind each `badge-worker` and each `celery -A worker.app` of a service."""
    words = " ".join(shell_words(service))
    return [
        [program, *rest.split()]
        for program, rest in re.findall(r"(badge-worker|celery -A worker\.app) ([^&|;]+)", words)
    ]


def commands_of(service: str) -> set[str]:
    """Return which commands of ours and of Celery's a service runs; fails where one does not exist."""
    return {
        our_command(rest) if program == "badge-worker" else celery_command(rest)
        for program, *rest in typed(service)
    }


def our_command(words: list[str]) -> str:
    """Find a command by its words, with its options."""
    command: Any = typer.main.get_command(app)
    path: list[str] = []
    while hasattr(command, "commands"):
        path.append(words[len(path)])
        command = command.commands[path[-1]]
    options = {name for each in command.params for name in each.opts}
    assert {word for word in words if word.startswith("--")} <= options
    return " ".join(path)


def celery_command(words: list[str]) -> str:
    """Find a command of Celery's, with its options; Flower's are Tornado's."""
    command = celery.commands[words[0]]
    options = {name for each in command.params for name in each.opts}
    options |= {f"--{name}" for name in flower_options.as_dict()} if words[0] == "flower" else set()
    assert {word.split("=")[0] for word in words if word.startswith("--")} <= options
    return f"celery {words[0]}"


@pytest.mark.parametrize(
    ("service", "commands"),
    [
        ("migrate", {"db upgrade", "badges apply"}),
        ("consumer", {"consume"}),
        ("consumer-rabbitmq", {"consume"}),
        ("worker", {"celery worker"}),
        ("beat", {"celery beat"}),
        ("web", {"serve"}),
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

    events = settings.required("events_url")
    assert settings.required("broker_url") == "redis://redis:6379/1"
    assert events == (
        EXAMPLES["rabbitmq_events_url"]
        if service == "consumer-rabbitmq"
        else "redis://redis:6379/0?stream=badge-events"
    )
    open_queue(events)


def test_the_task_worker_alone_has_the_credentials(tmp_path: Path) -> None:
    settings = {name: load_settings(environment_of(name, tmp_path), tmp_path) for name in OURS}

    assert settings["worker"].credential("academy", "username") == "academy_username"
    assert settings["worker"].credential("academy", "password") == "academy_password"
    assert [name for name in OURS if settings[name].issuer] == ["worker"]


@pytest.mark.parametrize("service", ["migrate", *PROGRESSING])
def test_what_needs_the_database_has_it(service: str, tmp_path: Path) -> None:
    settings = load_settings(environment_of(service, tmp_path), tmp_path)

    assert settings.database_url.get_secret_value() == EXAMPLES["database_url"]


@pytest.mark.parametrize("service", SERVICES)
def test_secrets_come_from_files_alone(service: str) -> None:
    environment = SERVICES[service].get("environment", {})
    files = {Path(path).name for name, path in environment.items() if name.endswith("_FILE")}
    read = set(re.findall(r"/run/secrets/(\w+)", " ".join(SERVICES[service].get("command", []))))
    given = SERVICES[service].get("secrets", [])

    # One that is mounted elsewhere is a file that the container's program reads by itself.
    assert files | read == {name for name in given if isinstance(name, str)}
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
    used = {
        secret if isinstance(secret, str) else secret["source"]
        for service in SERVICES.values()
        for secret in service.get("secrets", [])
    }
    ignored = (ROOT / "config" / "secrets" / ".gitignore").read_text("utf-8").splitlines()

    assert used == set(COMPOSE["secrets"])
    assert {Path(secret["file"]).parent for secret in COMPOSE["secrets"].values()} == {Path("config/secrets")}
    assert ignored[-2:] == ["*", "!.gitignore"]
    assert (ROOT / ".dockerignore").read_text("utf-8").splitlines()[1:3] == ["*", "!config/badges.yaml"]


def test_nothing_is_published_beyond_this_machine() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("service", ["postgres", "redis", "rabbitmq"])
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


@pytest.mark.parametrize("service", PROGRESSING)
def test_nothing_of_ours_starts_before_the_migration_is_done(service: str) -> None:
    conditions = {name: after["condition"] for name, after in SERVICES[service]["depends_on"].items()}

    assert conditions.pop("rabbitmq", "service_healthy") == "service_healthy"
    assert conditions == {
        "postgres": "service_healthy",
        "redis": "service_healthy",
        "migrate": "service_completed_successfully",
    }


@pytest.mark.parametrize("service", LASTING)
def test_whatever_lasts_says_whether_it_is_healthy(service: str) -> None:
    check = SERVICES[service]["healthcheck"]

    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert all(re.fullmatch(r"\d+s", check[name]) for name in ("interval", "timeout", "start_period"))
    assert check["retries"] >= 3


@pytest.mark.parametrize("service", PROGRESSING)
def test_the_health_of_ours_is_that_they_make_progress(service: str) -> None:
    program, *words = SERVICES[service]["healthcheck"]["test"][1:]

    assert program == "badge-worker"
    assert our_command(words) == "healthcheck"


def test_flowers_health_check_is_python_that_asks_flower() -> None:
    *_, program, option, code = SERVICES["flower"]["healthcheck"]["test"]
    (url,) = re.findall(r"http://[^']+", code)
    doors = [re.compile(each.matcher.regex.pattern) for each in flower_doors()]

    compile(code, "the health check", "exec")
    assert [program, option] == ["python", "-c"]
    assert urlsplit(url).port == published("flower")
    assert any(door.fullmatch(urlsplit(url).path) for door in doors)


def flower_doors() -> list[Any]:
    return [URLSpec(*each) if isinstance(each, tuple) else each for each in handlers]


def published(service: str) -> int:
    """Return the one port that a service publishes; it is the same on both sides."""
    (port,) = SERVICES[service]["ports"]
    address, outside, inside = port.split(":")
    assert (address, outside) == ("127.0.0.1", inside)
    return int(inside)


def test_the_ports_are_those_that_the_processes_listen_on(tmp_path: Path) -> None:
    settings = load_settings(environment_of("web", tmp_path), tmp_path)
    checks = {name: " ".join(SERVICES[name]["healthcheck"]["test"]) for name in ("prometheus", "grafana")}

    assert published("web") == settings.web_port == Settings().web_port
    assert settings.web_host == "0.0.0.0"  # noqa: S104 # a container's
    assert f"--port={published('flower')}" in shell_words("flower")
    assert published("prometheus") == 9090
    assert published("grafana") == 3000
    assert all(f"127.0.0.1:{published(name)}/" in check for name, check in checks.items())


@pytest.mark.parametrize("service", PROGRESSING)
def test_every_process_serves_its_metrics(service: str) -> None:
    assert SERVICES[service]["environment"]["BADGE_WORKER_METRICS_PORT"] == METRICS_PORT


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_mounted_is_there_and_anybody_can_read_it(service: str) -> None:
    volumes = [volume.split(":") for volume in SERVICES[service].get("volumes", [])]
    named = {source for source, *_ in volumes if not source.startswith("./")}
    mounted = {source: options for source, _, *options in volumes if source.startswith("./")}

    assert named <= set(COMPOSE["volumes"])
    assert all(options == ["ro"] for options in mounted.values())
    for source in mounted:
        path = ROOT / source
        for each in (path, *path.rglob("*")):
            assert each.stat().st_mode & stat.S_IROTH, each
            assert not each.is_dir() or each.stat().st_mode & stat.S_IXOTH, each


@pytest.mark.parametrize("service", ["migrate", "worker"])
def test_what_reads_the_badges_file_reads_the_one_that_is_edited(service: str, tmp_path: Path) -> None:
    settings = load_settings(environment_of(service, tmp_path), tmp_path)
    (folder,) = [line.split()[1] for line in dockerfile() if line.startswith("WORKDIR /app")]

    assert f"./config/badges.yaml:{folder}/{settings.badges_file}:ro" in SERVICES[service]["volumes"]


def test_every_volume_is_used() -> None:
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}

    assert set(COMPOSE["volumes"]) <= used


def test_prometheus_reads_what_is_mounted_for_it() -> None:
    mounted = {volume.split(":")[1] for volume in SERVICES["prometheus"]["volumes"]}
    (file,) = re.findall(r"--config\.file=(\S+)", " ".join(SERVICES["prometheus"]["command"]))
    rules = yaml.safe_load((ROOT / "config" / Path(file).name).read_text("utf-8"))["rule_files"]

    assert file in mounted
    assert {str(Path(file).parent / rule) for rule in rules} <= mounted


def test_prometheus_asks_every_process_that_serves_metrics() -> None:
    configuration = yaml.safe_load((ROOT / "config" / "prometheus.yml").read_text("utf-8"))
    asked = [
        (name, str(each["port"]))
        for job in configuration["scrape_configs"]
        for each in job["dns_sd_configs"]
        for name in each["names"]
    ]

    found_as_consumer = SERVICES["consumer-rabbitmq"]["networks"]["inside"]["aliases"]

    assert found_as_consumer == ["consumer"]
    assert sorted([*asked, ("consumer-rabbitmq", METRICS_PORT)]) == sorted(
        (name, METRICS_PORT) for name in PROGRESSING
    )


def test_rabbitmq_is_there_for_who_asks_for_it() -> None:
    asked = {name for name, service in SERVICES.items() if service.get("profiles")}
    needed = {name for name, service in SERVICES.items() if "rabbitmq" in service.get("depends_on", {})}

    assert asked == {"rabbitmq", "consumer-rabbitmq"}
    assert needed == {"consumer-rabbitmq"}


def test_images_of_others_are_pinned_to_a_release() -> None:
    images = {name: SERVICES[name]["image"] for name in SERVICES if name not in OURS}
    release = re.compile(
        r"(postgres:\d+\.\d+|[a-z/]+:v?\d+\.\d+\.\d+)(-bookworm)?"
    )  # PostgreSQL's have two parts

    assert [image for image in images.values() if not release.fullmatch(image)] == []


def test_the_file_is_as_the_compose_specification_says() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE_FILE],
        capture_output=True,
        text=True,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout


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


@pytest.mark.parametrize(
    ("secret", "asked_for"),
    [
        pytest.param("operator:secret\n", "operator:secret", id="there"),
        pytest.param("", None, id="empty"),
        pytest.param(None, None, id="missing"),
    ],
)
def test_flower_asks_for_a_password_or_does_not_start(
    tmp_path: Path, secret: str | None, asked_for: str | None
) -> None:
    """Flower itself lets everybody in where the variable is empty."""
    if secret is not None:
        (tmp_path / "flower_basic_auth").write_text(secret)
    (tmp_path / "celery").write_text('#!/bin/sh\nprintf "started %s" "$FLOWER_BASIC_AUTH"\n')
    (tmp_path / "celery").chmod(0o755)
    line = SERVICES["flower"]["command"][2].replace("$$", "$").replace("/run/secrets", str(tmp_path))

    done = subprocess.run(
        ["sh", "-c", line],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert SERVICES["flower"]["secrets"] == ["flower_basic_auth"]
    assert done.stdout == ("" if asked_for is None else f"started {asked_for}")
    assert (done.returncode == 0) == (asked_for is not None)


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

    first, second = stages
    assert first == f"{second} AS build"
    assert re.fullmatch(r"FROM python:3\.\d+\.\d+-slim-\w+", second)
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
