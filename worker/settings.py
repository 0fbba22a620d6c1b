"""Settings: one frozen object, read once at the start (contract.md section 2).

Sources, the first that has a value wins: the environment (`NAME`, or the file that `NAME_FILE` names), a
`.env` file, and what a running `badge-worker up` in this folder wrote.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from worker.errors import ConfigurationError

PREFIX = "BADGE_WORKER_"
HOME = Path(".badge-worker")  # where `up` keeps its data, in the folder where it runs
# Where things stand in Opigno's webhook calls: an assumption, since it is not published.
OPIGNO_PATHS = (
    "trigger=triggerEvent|trigger, id=id, time=timestamp, user_id=user.id, learning_path_id=training.id,"
    " passed=passed, score=score, required_score=requiredScore"
)
_ISSUER = "ISSUER_"
_SHORTEST_KEY = 16  # characters of SECRET_KEY


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("a time zone's name, please, such as Europe/Vienna") from None
    return name


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < _SHORTEST_KEY:
        raise ValueError(f"at least {_SHORTEST_KEY} characters, please; make one with: openssl rand -hex 32")
    return secret


class Settings(BaseModel):
    """Everything that an operator sets. Names are the variables' in lower case, without the prefix."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    database_url: SecretStr = SecretStr("sqlite:///badge-worker.db")
    events_url: SecretStr | None = None
    broker_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    badges_file: Path = Path("config/badges.yaml")
    batch_size: Annotated[int, Field(ge=1, le=10_000)] = 500
    batch_wait: Annotated[float, Field(ge=0, le=10)] = 0.05
    api_tokens: SecretStr | None = None
    secret_key: Annotated[SecretStr, AfterValidator(_long_enough)] | None = None
    api_jwks_url: str | None = None
    api_jwt_issuer: str | None = None
    api_jwt_audience: str | None = None
    web_host: str = "127.0.0.1"
    web_port: Annotated[int, Field(ge=1, le=65535)] = 8000
    metrics_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    time_zone: Annotated[str, AfterValidator(_time_zone)] = "UTC"
    opigno_webhook_secret: SecretStr | None = None
    opigno_webhook_paths: str = OPIGNO_PATHS
    graphql_explorer: bool = False
    log_format: Literal["console", "json"] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    issuer: dict[str, SecretStr] = Field(default_factory=dict)

    def required(self, name: str) -> str:
        """Return a URL that may be missing; raises ConfigurationError naming the variable."""
        value: SecretStr | None = getattr(self, name)
        if value is None:
            raise ConfigurationError(
                f"{PREFIX}{name.upper()}: missing; set it, or run `badge-worker up` in this folder"
            )
        return value.get_secret_value()

    @property
    def key(self) -> str | None:
        """Return SECRET_KEY, or None."""
        return self.secret_key.get_secret_value() if self.secret_key else None

    def credential(self, issuer_id: str, name: str) -> str | None:
        """Return one credential of an issuer, such as `password`, or None."""
        secret = self.issuer.get(f"{issuer_id.upper().replace('-', '_')}_{name.upper()}")
        return secret.get_secret_value() if secret else None


def load_settings(environment: Mapping[str, str] | None = None, folder: Path | None = None) -> Settings:
    """Read the settings; raises ConfigurationError with one line naming the variable that is wrong."""
    here = folder or Path.cwd()
    found: dict[str, str] = {}
    for source in (running(here), _dotenv(here / ".env"), os.environ if environment is None else environment):
        found |= _ours(source)
    values: dict[str, Any] = {"issuer": {}}
    for name, value in found.items():
        if name.startswith(_ISSUER):
            values["issuer"][name.removeprefix(_ISSUER)] = value
        elif name.lower() in Settings.model_fields and name != "ISSUER":
            values[name.lower()] = value
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise ConfigurationError(_sentence(error)) from None


def running(folder: Path) -> dict[str, str]:
    """Return the variables of the `badge-worker up` that runs in this folder; empty if none does."""
    return _run_file(folder, "variables")


def sandbox(folder: Path, settings: Settings) -> str | None:
    """Return the sandbox of the `up` that runs in this folder, if its database is the one in use."""
    theirs = running(folder).get(f"{PREFIX}DATABASE_URL")
    if theirs is None or settings.database_url.get_secret_value() != theirs:
        return None
    return _run_file(folder, "urls").get("sandbox")


def _run_file(folder: Path, part: str) -> dict[str, str]:
    """Return a part of what `up` wrote of itself; empty unless it runs."""
    home = folder / HOME
    if not is_locked(home / "lock"):
        return {}
    try:
        told = json.loads((home / "run.json").read_text())[part].items()
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # it is just starting, or ending
        return {}
    return {str(name): str(value) for name, value in told}


def is_locked(path: Path) -> bool:
    """Return whether a living process holds the lock file."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or it is none of ours
        return False
    return False


def _dotenv(path: Path) -> dict[str, str]:
    try:
        return {name: value or "" for name, value in dotenv_values(path).items()}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path.name}: cannot be read: {error}") from None


def _ours(source: Mapping[str, str]) -> dict[str, str]:
    """Return our variables without the prefix, with the contents of the files that `…_FILE` ones name.

    An empty one is as good as none: composed deployments pass on what is not set so.
    """
    named = {
        name.removeprefix(PREFIX): value.strip()
        for name, value in source.items()
        if name.startswith(PREFIX) and value.strip()
    }
    found = {name: value for name, value in named.items() if not _names_file(name)}
    for name in named.keys() - found.keys():
        target = name.removesuffix("_FILE")
        if target in found:
            raise ConfigurationError(f"{PREFIX}{target}: set twice, by itself and by {PREFIX}{name}")
        try:
            found[target] = Path(named[name]).read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{PREFIX}{name}: cannot read {named[name]}: {error}") from None
        if not found[target]:
            raise ConfigurationError(f"{PREFIX}{name}: nothing stands in {named[name]}")
    return found


def _names_file(name: str) -> bool:
    # BADGES_FILE is a setting of its own; a file that holds its value would be BADGES_FILE_FILE.
    return name.endswith("_FILE") and name != "BADGES_FILE"


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    name = "_".join(str(step) for step in first["loc"]).upper()
    return f"{PREFIX}{name}: {first['msg'].removeprefix('Value error, ')}"
