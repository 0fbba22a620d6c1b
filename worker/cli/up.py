"""`badge-worker up`: the embedded whole, until it is stopped; its data stays in the folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NoReturn

from pydantic import SecretStr
from rich.console import Console

from worker.cli.embedded import MEASURED, Whole
from worker.cli.output import say
from worker.logs import configure_logging
from worker.settings import HOME, PREFIX, Settings, load_settings

# What holds for the parts too. Where things are is the whole's own affair.
_PASSED_ON = (
    *("batch_size", "batch_wait", "time_zone", "log_format", "log_level", "secret_key", "graphql_explorer"),
    "metrics_port",
    *("api_tokens", "api_jwks_url", "api_jwt_issuer", "api_jwt_audience", "opigno_webhook_secret"),
)
_LOOK_AFTER = 0.2  # seconds between two looks at the parts


def up(badges: Path | None = None) -> NoReturn:
    """Run the embedded whole until a signal; `badges` is the badges file, else the one that is set."""
    settings = load_settings()
    configure_logging(settings.log_format, settings.log_level)
    given = [name for name in _PASSED_ON if name in settings.model_fields_set]
    passed_on = {"GRAPHQL_EXPLORER": "true"}
    passed_on |= {name.upper(): str(_text(getattr(settings, name))) for name in given}
    file, port = badges or settings.badges_file, settings.web_port
    with Whole(HOME, file, persistent=True, passed_on=passed_on, web_port=port) as whole:
        _say_where(whole)
        _say_what_wins(whole, load_settings())
        while True:
            whole.tend()
            time.sleep(_LOOK_AFTER)


def _say_where(whole: Whole) -> None:
    console = Console(highlight=False, soft_wrap=True)
    console.print("[bold]badge-worker is up.[/bold] Ctrl-C ends it; its data stays in .badge-worker/")
    console.print(f"  events     {whole.variables['EVENTS_URL']}")
    console.print(f"  web        {whole.web_url} (/graphql, /admin, /events)")
    console.print(f"  token      {whole.token}")
    console.print(f"  assertions {whole.sandbox_url}/sandbox/assertions")
    console.print(f"  calls      {whole.sandbox_url}/sandbox/calls")
    if first := whole.passed_on.get("METRICS_PORT"):
        ports = (f"{int(first) + number} {name}" for number, name in enumerate(MEASURED))
        console.print(f"  metrics    ports {', '.join(ports)}")
    console.print("  logs       .badge-worker/*.log")


def _say_what_wins(whole: Whole, seen: Settings) -> None:
    """Name the variables that keep other commands in this folder from using what runs here."""
    found = {name.upper(): getattr(seen, name) for name in Settings.model_fields}
    found |= {f"ISSUER_{name}": value for name, value in seen.issuer.items()}
    others = [PREFIX + name for name, value in whole.variables.items() if _text(found[name]) != value]
    if others:
        say(f"other commands in this folder do not use what runs here, because of {', '.join(others)}")


def _text(value: object) -> object:
    return value.get_secret_value() if isinstance(value, SecretStr) else value
