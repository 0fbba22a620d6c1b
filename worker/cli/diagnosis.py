# ruff: noqa: PLC0415 # commands load what they need when they run, so that --help is quick
"""`badge-worker doctor`: what is wrong, and how to mend it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import typer

from worker.cli.finding import Finding
from worker.cli.leftovers import leftovers
from worker.cli.opening import check_broker_url, open_services
from worker.cli.options import AsJson
from worker.cli.output import count, print_json, print_table, printable
from worker.errors import BadgeWorkerError, ConfigurationError, NoPermit, SignInRefused

if TYPE_CHECKING:
    from worker.bootstrap import Services
    from worker.ports import Provider

T = TypeVar("T")

_BROKER_TIMEOUT = 5  # seconds
_LONGEST_WAIT = 70.0  # seconds for the rate limit to have room: a window and a little


def doctor(as_json: AsJson = False) -> None:
    """Check settings, database, event queue, task broker, Redis, each issuer's sign-in and each badge class.

    Says what is wrong and how to mend it; exit code 1 if anything is. Warns of awards whose issuer or badge
    is there no more. Its calls to a provider count for the
    issuer's rate limit.
    """
    findings = list(_examine())
    ok = all(finding.ok for finding in findings)
    if as_json:
        print_json({"ok": ok, "checks": findings})
    else:
        rows = [finding.cells() for finding in findings]
        print_table("badge-worker doctor", ("what", "", "found", "how to mend it"), rows)
    raise typer.Exit(0 if ok else 1)


def _examine() -> Iterator[Finding]:
    try:
        here = open_services()
    except ConfigurationError as error:
        yield Finding("configuration", ok=False, detail=str(error), mend="see config/example.env")
        return
    yield Finding("configuration", ok=True, detail="every variable can be read")
    database = _look("database", lambda: _database(here), "start it, or mend BADGE_WORKER_DATABASE_URL")
    yield database
    yield _look("event queue", lambda: _queue(here), "start it, or mend BADGE_WORKER_EVENTS_URL")
    yield _look("task broker", lambda: _broker(here), "start it, or mend BADGE_WORKER_BROKER_URL")
    redis = _look("Redis", lambda: _redis(here), "start it, or mend BADGE_WORKER_REDIS_URL")
    yield redis
    if database.ok:
        yield from _forgotten(here)
        yield from leftovers(here)
    if database.ok and redis.ok:
        yield from _issuers(here)


def _look(what: str, look: Callable[[], str], mend: str) -> Finding:
    """Return what was found, or what stood in the way; a wrong setting says itself how to mend it."""
    try:
        return Finding(what, ok=True, detail=look())
    except ConfigurationError as error:
        detail, _, says = printable(str(error)).partition("; ")
        return Finding(what, ok=False, detail=detail, mend=says or mend)
    except BadgeWorkerError as error:
        return Finding(what, ok=False, detail=printable(str(error)), mend=mend)


def _database(here: Services) -> str:
    from worker.adapters.database.readiness import schema_problem

    problem = schema_problem(here.database.engine)
    if problem is not None:
        raise ConfigurationError(problem)
    return f"{here.database.engine.dialect.name}, its schema is the newest"


def _queue(here: Services) -> str:
    return f"{count(here.queue.backlog(), 'event')} unread or unacknowledged"


def _broker(here: Services) -> str:
    from kombu.exceptions import KombuError

    check_broker_url(here)
    with here.celery.connection_for_write() as connection:
        try:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=_BROKER_TIMEOUT)
        except (KombuError, OSError) as error:
            raise BadgeWorkerError(str(error)) from error
    return "reachable"


def _redis(here: Services) -> str:
    import redis

    from worker.adapters.redis_connection import connect

    url = here.settings.required("redis_url")
    try:
        with connect(url) as client:
            client.ping()
    except redis.RedisError as error:
        raise BadgeWorkerError(str(error)) from error
    except ValueError:  # its words may hold parts of a password
        raise ConfigurationError("BADGE_WORKER_REDIS_URL: not an address; use redis://host:6379/2") from None
    return "reachable"


def _forgotten(here: Services) -> Iterator[Finding]:
    """Look whether consumers would recognise people who were forgotten; nothing if nobody was."""
    from worker.forgotten import check_key

    found = _look(
        "forgotten people",
        lambda: str(check_key(here.database, here.settings.key)),
        "set BADGE_WORKER_SECRET_KEY to what it was then",
    )
    if found.detail != "0":
        yield found


def _issuers(here: Services) -> Iterator[Finding]:
    """Look at each issuer that is in force, and at the badge classes of its published badges."""
    issuers = here.issuers()
    if not issuers:
        yield Finding("issuers", ok=True, detail="none is in force; `badge-worker badges apply` brings them")
    places = _places(here)
    permits = here.permits(issuers)
    for issuer_id, issuer in issuers.items():
        try:
            provider = here.provider(issuer_id, issuer, permits)
            _patiently(provider.check)
        except BadgeWorkerError as error:
            mend = _mend_sign_in(error, issuer_id, issuer.url)
            yield Finding(f"issuer {issuer_id}", ok=False, detail=printable(str(error)), mend=mend)
            continue
        yield Finding(f"issuer {issuer_id}", ok=True, detail=f"signed in at {issuer.url}")
        for badge_id, field, target in places[issuer_id]:
            yield _look_up(provider, badge_id, field, target)


def _places(here: Services) -> dict[str, list[tuple[str, str, str]]]:
    """Return (badge, `badgeclass` or `template`, its id) of every published badge, by issuer."""
    from worker.rules.definitions import Badge

    found: dict[str, list[tuple[str, str, str]]] = defaultdict(list)
    with here.database.change() as stored:  # only looked at
        badges = {each.badge_id: Badge.model_validate(each.definition) for each in stored.badges()}
    for badge_id, badge in badges.items():
        if badge.published and badge.issue is not None:
            found[badge.issue.issuer].append((badge_id, badge.issue.field, badge.issue.target))
    return found


def _look_up(provider: Provider, badge_id: str, field: str, target: str) -> Finding:
    what, thing = f"badge {badge_id}", "badge class" if field == "badgeclass" else field
    try:
        known = _patiently(lambda: provider.badgeclass_exists(target))
    except ConfigurationError as error:  # it is there, but cannot be awarded
        detail, _, says = printable(str(error)).partition("; ")
        return Finding(what, ok=False, detail=detail, mend=says)
    except BadgeWorkerError as error:
        return Finding(what, ok=False, detail=printable(str(error)), mend="run `badge-worker doctor` again")
    if known:
        return Finding(what, ok=True, detail=f"{thing} {target} exists")
    mend = f"make it at the provider, give our account a role in it, or mend `{field}` in the badges file"
    return Finding(what, ok=False, detail=f"{thing} {target} is not there, or not ours to see", mend=mend)


def _patiently(call: Callable[[], T]) -> T:
    """Make a call as soon as the rate limit has room; raises NoPermit where that takes too long."""
    ends = time.monotonic() + _LONGEST_WAIT
    while True:
        try:
            return call()
        except NoPermit as error:
            if time.monotonic() + error.wait > ends:
                raise
            time.sleep(error.wait)


def _mend_sign_in(error: BadgeWorkerError, issuer_id: str, url: str) -> str:
    variable = f"BADGE_WORKER_ISSUER_{issuer_id.upper().replace('-', '_')}_..."
    if isinstance(error, SignInRefused | ConfigurationError):
        return f"mend {variable}"
    if isinstance(error, NoPermit):
        return "the rate limit is used up, or the issuer is paused after failures: try again in a minute"
    return f"is {url} the provider's address, and is it up? Else mend {variable}"
