"""Settings: every variable, where it is read from, what is said of a wrong one (contract.md section 2)."""

from __future__ import annotations

import fcntl
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from worker.errors import ConfigurationError
from worker.settings import OPIGNO_PATHS, PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config" / "example.env").read_text()

# Every variable of the contract but the issuers' credentials: its default, and a value that is right.
VARIABLES: dict[str, tuple[Any, str]] = {
    "DATABASE_URL": ("sqlite:///badge-worker.db", "postgresql+psycopg://user:hidden@host/name"),
    "EVENTS_URL": (None, "redis://:hidden@host/0?stream=badge-events"),
    "BROKER_URL": (None, "redis://:hidden@host/1"),
    "REDIS_URL": (None, "redis://:hidden@host/2"),
    "BADGES_FILE": (Path("config/badges.yaml"), "other.yaml"),
    "BATCH_SIZE": (500, "100"),
    "BATCH_WAIT": (0.05, "0.5"),
    "API_TOKENS": (None, "lms:publish:hidden"),
    "SECRET_KEY": (None, "hidden-hidden-hidden"),
    "API_JWKS_URL": (None, "https://login.example.org/.well-known/jwks.json"),
    "API_JWT_ISSUER": (None, "https://login.example.org/"),
    "API_JWT_AUDIENCE": (None, "badge-worker"),
    "WEB_HOST": ("127.0.0.1", "0.0.0.0"),  # noqa: S104 # a value; nobody listens
    "WEB_PORT": (8000, "8001"),
    "METRICS_PORT": (None, "9100"),
    "TIME_ZONE": ("UTC", "Europe/Vienna"),
    "OPIGNO_WEBHOOK_SECRET": (None, "hidden"),
    "OPIGNO_WEBHOOK_PATHS": (OPIGNO_PATHS, "trigger=event, user_id=user, learning_path_id=training"),
    "GRAPHQL_EXPLORER": (False, "true"),
    "LOG_FORMAT": (None, "json"),
    "LOG_LEVEL": ("info", "debug"),
}
SECRET = {"DATABASE_URL", "EVENTS_URL", "BROKER_URL", "REDIS_URL", "API_TOKENS", "SECRET_KEY"} | {
    "OPIGNO_WEBHOOK_SECRET"
}
CREDENTIALS = ("username", "password", "token", "refresh_token", "client_id", "client_secret")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, **variables: str) -> Settings:
    return load_settings({PREFIX + name: value for name, value in variables.items()}, folder)


def value_of(settings: Settings, name: str) -> Any:
    value = getattr(settings, name.lower())
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def refusal(folder: Path, **variables: str) -> str:
    """Return the one line that these variables are refused with."""
    with pytest.raises(ConfigurationError) as refused:
        read(folder, **variables)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@contextmanager
def up_running(folder: Path, run_file: str) -> Iterator[None]:
    """Let it look as if `badge-worker up` ran in the folder, for as long as the block lasts."""
    home = folder / ".badge-worker"
    home.mkdir(exist_ok=True)
    (home / "run.json").write_text(run_file)
    with (home / "lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def described(**variables: str) -> str:
    return json.dumps({"variables": {PREFIX + name: value for name, value in variables.items()}})


class TestVariables:
    def test_there_are_no_others(self) -> None:
        assert {name.upper() for name in Settings.model_fields} == {*VARIABLES, "ISSUER"}

    @pytest.mark.parametrize("name", VARIABLES)
    def test_without_it_the_default_holds(self, folder: Path, name: str) -> None:
        assert value_of(read(folder), name) == VARIABLES[name][0]

    @pytest.mark.parametrize("name", VARIABLES)
    def test_it_is_read_from_the_environment(self, folder: Path, name: str) -> None:
        default, given = VARIABLES[name]

        value = value_of(read(folder, **{name: given}), name)

        assert str(value).lower() == given.lower()
        assert value != default

    @pytest.mark.parametrize("name", VARIABLES)
    def test_it_is_read_from_a_file_that_is_named(self, folder: Path, name: str) -> None:
        given = VARIABLES[name][1]
        (folder / "value").write_text(f"{given}\n")

        settings = read(folder, **{f"{name}_FILE": str(folder / "value")})

        assert str(value_of(settings, name)).lower() == given.lower()

    @pytest.mark.parametrize("name", VARIABLES)
    def test_an_empty_one_is_none(self, folder: Path, name: str) -> None:
        settings = read(folder, **{name: " ", f"{name}_FILE": ""})

        assert value_of(settings, name) == VARIABLES[name][0]

    def test_other_programs_variables_are_none_of_ours(self, folder: Path) -> None:
        assert load_settings({"DATABASE_URL": "mysql://", "BATCH_SIZE": "no"}, folder) == read(folder)

    def test_what_is_read_cannot_be_changed(self, folder: Path) -> None:
        with pytest.raises(ValueError, match="frozen"):
            read(folder).batch_size = 1  # type: ignore[misc] # that is what is tried

    def test_a_key_that_can_be_guessed_is_refused(self, folder: Path) -> None:
        said = refusal(folder, SECRET_KEY="hidden" + 9 * "x")

        assert said.startswith("BADGE_WORKER_SECRET_KEY: at least 16 characters, please")
        assert "hidden" not in said


class TestFiles:
    def test_a_value_given_twice_is_refused(self, folder: Path) -> None:
        said = refusal(folder, BROKER_URL="redis://:hidden@one", BROKER_URL_FILE="/run/secrets/broker")

        assert said == "BADGE_WORKER_BROKER_URL: set twice, by itself and by BADGE_WORKER_BROKER_URL_FILE"

    def test_an_empty_variable_beside_a_file_is_no_second_value(self, folder: Path) -> None:
        (folder / "url").write_text("redis://one")

        settings = read(folder, BROKER_URL="", BROKER_URL_FILE=str(folder / "url"))

        assert settings.required("broker_url") == "redis://one"

    def test_a_file_that_is_not_there_is_named(self, folder: Path) -> None:
        said = refusal(folder, SECRET_KEY_FILE=str(folder / "nowhere"))

        assert said.startswith(f"BADGE_WORKER_SECRET_KEY_FILE: cannot read {folder / 'nowhere'}: ")

    @pytest.mark.parametrize(
        ("contents", "said"),
        [
            pytest.param(b"\xff\xfe", "cannot read", id="not-text"),
            pytest.param(b" \n", "nothing", id="empty"),
        ],
    )
    def test_a_file_without_a_value_is_named(self, folder: Path, contents: bytes, said: str) -> None:
        (folder / "key").write_bytes(contents)

        refused = refusal(folder, SECRET_KEY_FILE=str(folder / "key"))

        assert refused.startswith(f"BADGE_WORKER_SECRET_KEY_FILE: {said}")

    def test_the_badges_file_is_a_file_itself(self, folder: Path) -> None:
        (folder / "where").write_text("elsewhere.yaml\n")

        assert read(folder, BADGES_FILE="here.yaml").badges_file == Path("here.yaml")
        named = read(folder, BADGES_FILE_FILE=str(folder / "where"))
        assert named.badges_file == Path("elsewhere.yaml")


class TestWrongValues:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("BATCH_SIZE", "0"),
            ("BATCH_SIZE", "10001"),
            ("BATCH_SIZE", "many"),
            ("BATCH_WAIT", "-1"),
            ("BATCH_WAIT", "nan"),
            ("WEB_PORT", "0"),
            ("WEB_PORT", "65536"),
            ("METRICS_PORT", "http"),
            ("TIME_ZONE", "Mars/Base"),
            ("TIME_ZONE", "../etc/passwd"),
            ("GRAPHQL_EXPLORER", "perhaps"),
            ("LOG_FORMAT", "xml"),
            ("LOG_LEVEL", "loud"),
        ],
    )
    def test_it_is_named_in_one_line(self, folder: Path, name: str, value: str) -> None:
        assert refusal(folder, **{name: value}).startswith(f"BADGE_WORKER_{name}: ")

    def test_what_is_missing_is_named_where_it_is_needed(self, folder: Path) -> None:
        with pytest.raises(ConfigurationError, match=r"^BADGE_WORKER_EVENTS_URL: missing; .*badge-worker up"):
            read(folder).required("events_url")


class TestSecrets:
    @pytest.mark.parametrize("name", sorted(SECRET))
    def test_it_is_never_shown(self, folder: Path, name: str) -> None:
        settings = read(folder, **{name: VARIABLES[name][1]})

        assert "hidden" not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"

    def test_neither_is_a_credential(self, folder: Path) -> None:
        settings = read(folder, ISSUER_ACADEMY_PASSWORD="hidden")

        assert "hidden" not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"

    def test_an_error_does_not_repeat_what_was_given(self, folder: Path) -> None:
        assert "hidden" not in refusal(folder, BATCH_SIZE="hidden")


class TestCredentials:
    @pytest.mark.parametrize("name", CREDENTIALS)
    def test_each_is_read_by_the_issuers_id(self, folder: Path, name: str) -> None:
        settings = read(folder, **{f"ISSUER_MY_ACADEMY_{name.upper()}": "mine"})

        assert settings.credential("my-academy", name) == "mine"
        assert settings.credential("academy", name) is None

    def test_issuers_do_not_mix(self, folder: Path) -> None:
        settings = read(folder, ISSUER_ONE_TOKEN="first", ISSUER_TWO_TOKEN="second", ISSUER_TWO_USERNAME="")

        assert settings.credential("one", "token") == "first"
        assert settings.credential("two", "token") == "second"
        assert settings.credential("two", "username") is None

    def test_one_may_stand_in_a_file(self, folder: Path) -> None:
        (folder / "password").write_text("from the file\n")

        settings = read(folder, ISSUER_ACADEMY_PASSWORD_FILE=str(folder / "password"))

        assert settings.credential("academy", "password") == "from the file"


class TestDotEnv:
    def test_it_is_read(self, folder: Path) -> None:
        (folder / ".env").write_text("# a comment\nBADGE_WORKER_BATCH_SIZE=7\nOTHER=1\nBADGE_WORKER_ALONE\n")

        assert read(folder).batch_size == 7

    def test_the_environment_wins(self, folder: Path) -> None:
        (folder / ".env").write_text("BADGE_WORKER_BATCH_SIZE=7\nBADGE_WORKER_BATCH_WAIT=1\n")

        settings = read(folder, BATCH_SIZE="8")

        assert (settings.batch_size, settings.batch_wait) == (8, 1.0)

    def test_an_empty_variable_does_not_win(self, folder: Path) -> None:
        (folder / ".env").write_text("BADGE_WORKER_BATCH_SIZE=7\n")

        assert read(folder, BATCH_SIZE="").batch_size == 7

    def test_one_that_is_not_text_is_named(self, folder: Path) -> None:
        (folder / ".env").write_bytes(b"BADGE_WORKER_BATCH_SIZE=\xff\n")

        assert refusal(folder).startswith(".env: cannot be read")


class TestRunningUp:
    def test_what_runs_here_is_used(self, folder: Path) -> None:
        with up_running(folder, described(EVENTS_URL="redis://here", ISSUER_ACADEMY_PASSWORD="theirs")):
            settings = read(folder)

        assert settings.required("events_url") == "redis://here"
        assert settings.credential("academy", "password") == "theirs"

    def test_what_the_operator_sets_wins(self, folder: Path) -> None:
        (folder / ".env").write_text("BADGE_WORKER_REDIS_URL=redis://dotenv\n")
        with up_running(folder, described(EVENTS_URL="redis://here", REDIS_URL="redis://here")):
            settings = read(folder, EVENTS_URL="redis://elsewhere")

        assert settings.required("events_url") == "redis://elsewhere"
        assert settings.required("redis_url") == "redis://dotenv"

    def test_what_ran_here_once_is_not_used(self, folder: Path) -> None:
        with up_running(folder, described(EVENTS_URL="redis://gone")):
            pass

        assert read(folder).events_url is None

    @pytest.mark.parametrize("run_file", ["", "{", "[]", "{}", "null", '{"variables": 3}'])
    def test_what_is_just_starting_is_not_used(self, folder: Path, run_file: str) -> None:
        with up_running(folder, run_file):
            assert read(folder).events_url is None

    def test_another_folders_is_not_used(self, folder: Path) -> None:
        (folder / "other").mkdir()
        with up_running(folder, described(EVENTS_URL="redis://here")):
            assert read(folder / "other").events_url is None

    def test_a_lock_that_cannot_be_looked_at_is_nobodys(self, folder: Path) -> None:
        (folder / ".badge-worker").write_text("a file where there should be a folder")

        assert read(folder).events_url is None


# What config/example.env says of each variable, commented out or not.
LISTED: dict[str, str] = dict(re.findall(rf"^#?{PREFIX}([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
WITH_DEFAULT = [name for name, (default, _) in VARIABLES.items() if default is not None]


class TestTheExample:
    """config/example.env lists every variable, with the default that holds."""

    def test_every_variable_is_in_it(self) -> None:
        credentials = {f"ISSUER_ACADEMY_{name.upper()}" for name in CREDENTIALS}

        assert {*VARIABLES, *credentials} <= set(LISTED)

    def test_nothing_else_is_in_it(self) -> None:
        issuers = re.compile(rf"ISSUER_[A-Z_]+?_({'|'.join(CREDENTIALS).upper()})")

        others = {name for name in LISTED if not issuers.fullmatch(name)}

        assert others == set(VARIABLES)

    @pytest.mark.parametrize("name", WITH_DEFAULT)
    def test_it_shows_the_default(self, name: str) -> None:
        assert LISTED[name].lower() == str(VARIABLES[name][0]).lower()

    def test_as_it_stands_it_can_be_used(self, folder: Path) -> None:
        (folder / ".env").write_text(EXAMPLE)

        settings = read(folder)

        assert settings.required("events_url").endswith("?stream=badge-events")
        assert settings.credential("academy", "username")
