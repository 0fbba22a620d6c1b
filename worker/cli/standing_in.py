"""A sandbox in every provider's place: what `demo`, `up`, and `badges` beside a running `up` stand on."""

from __future__ import annotations

from pathlib import Path

from worker.cli.output import say
from worker.rules.definitions import Definitions
from worker.settings import Settings, sandbox


def at_the_sandbox(definitions: Definitions, url: str) -> Definitions:
    """Point every issuer at its provider's side of the sandbox."""
    urls = {"badgr": url, "credly": f"{url}/v1"}
    issuers = {
        name: issuer.model_copy(update={"url": urls[issuer.provider]})
        for name, issuer in definitions.issuers.items()
    }
    return Definitions(issuers, definitions.badges)


def as_used_here(definitions: Definitions, settings: Settings) -> Definitions:
    """Return what holds in this folder: where `up` runs, nobody but its sandbox hears of an award."""
    url = sandbox(Path.cwd(), settings)
    if url is None or not definitions.issuers:
        return definitions
    say(f"`up` runs in this folder: its sandbox stands in for {', '.join(definitions.issuers)}")
    return at_the_sandbox(definitions, url)
