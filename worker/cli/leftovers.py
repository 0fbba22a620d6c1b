# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""Awards whose issuer or badge is there no more: what `doctor` says of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from worker.awards import AwardState
from worker.cli.finding import Finding
from worker.cli.output import count
from worker.errors import ConfigurationError

if TYPE_CHECKING:
    from worker.adapters.database.listings import Place
    from worker.bootstrap import Services
    from worker.rules.definitions import Definitions

# What somebody is still to do something with; `failed` ones wait for a person, who would put them back.
_UNSETTLED = {"waiting", "pending", "issuing", "failed", "revoking"}
_NOBODYS = AwardState.REVOKED


def leftovers(here: Services) -> Iterator[Finding]:
    """Look at awards whose issuer or badge is not in the database, or will not be after the next `apply`."""
    places = [place for place in here.database.places() if place.state != _NOBODYS]
    issuers, badges = here.issuers(), {row.badge_id for row in here.database.list_badges()}
    at_issuers, of_badges = _by(places, "issuer"), _by(places, "badge_id")
    for name, states in at_issuers.items():
        if name not in issuers:
            yield _issuer_gone(name, states)
    for name, states in of_badges.items():
        if name not in badges:
            yield _badge_gone(name, states)
    here_now = ({*at_issuers} & {*issuers}, {*of_badges} & badges)
    yield from _not_written(here, *here_now, at_issuers, of_badges)


def _by(places: list[Place], what: str) -> dict[str, Counter[str]]:
    """Return how many awards are in each state, by their issuer or badge."""
    found: dict[str, Counter[str]] = {}
    for place in places:
        name = getattr(place, what)
        if name is not None:
            found.setdefault(name, Counter())[place.state] += place.awards
    return found


def _issuer_gone(name: str, states: Mapping[str, int]) -> Finding:
    mend = "write it in the badges file again, and run `badge-worker badges apply`"
    if unsettled := sum(number for state, number in states.items() if state in _UNSETTLED):
        detail = f"not in force, and {count(unsettled, 'award')} cannot be issued or revoked without it"
        return Finding(f"awards of issuer {name}", ok=False, detail=detail, mend=mend)
    whole = count(sum(states.values()), "award")
    detail = f"not in force: {whole} of it can be neither revoked nor compared with the provider"
    return Finding(f"awards of issuer {name}", ok=True, detail=detail, mend=mend, warning=True)


def _badge_gone(name: str, states: Mapping[str, int]) -> Finding:
    detail = f"{count(sum(states.values()), 'award')} of a badge that is not in the database"
    mend = "write it in the badges file again (as `disabled`, perhaps), and run `badge-worker badges apply`"
    return Finding(f"awards of badge {name}", ok=False, detail=detail, mend=mend)


def _not_written(
    here: Services,
    issuers: set[str],
    badges: set[str],
    at_issuers: Mapping[str, Counter[str]],
    of_badges: Mapping[str, Counter[str]],
) -> Iterator[Finding]:
    """Say which of these the badges file, if it is here, does not have any more."""
    file = here.settings.badges_file
    if not file.exists():
        return
    try:
        written = _read(here)
    except ConfigurationError as error:
        mend = f"run `badge-worker badges check {file}`"
        yield Finding("badges file", ok=True, detail=str(error).splitlines()[0], mend=mend, warning=True)
        return
    for name in sorted(issuers - written.issuers.keys()):
        detail = f"{count(at_issuers[name].total(), 'award')}, and {file} does not have it any more"
        mend = "keep it there: without it they can be neither revoked nor compared with the provider"
        yield Finding(f"awards of issuer {name}", ok=True, detail=detail, mend=mend, warning=True)
    for name in sorted(badges - written.badges.keys()):
        detail = f"{count(of_badges[name].total(), 'award')}, and {file} does not have it any more"
        mend = "nothing, if that is meant: whoever has it keeps it; nobody earns it any more"
        yield Finding(f"awards of badge {name}", ok=True, detail=detail, mend=mend, warning=True)


def _read(here: Services) -> Definitions:
    from worker.adapters.badges_file import load_definitions

    return load_definitions(here.settings.badges_file)
