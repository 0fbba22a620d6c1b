# ruff: noqa: PLC0415 # a process loads what it uses: commands start twice as fast
"""The one place that turns settings into real adapters. Nothing connects before it is first used."""

from __future__ import annotations

import os
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from worker.adapters.database.calls import ever_called
from worker.adapters.database.engine import make_engine, reading
from worker.adapters.database.store import Database
from worker.adapters.unconfigured import Unconfigured
from worker.errors import ConfigurationError
from worker.ports import EventQueue, Leeway, Permits, Provider
from worker.rules.definitions import Badge, Issuer
from worker.settings import Settings, load_settings

if TYPE_CHECKING:
    import redis
    from celery import Celery
    from sqlalchemy import Engine

    from worker.adapters.beat_tick import BeatTick
    from worker.adapters.celery_dispatch import CeleryDispatch
    from worker.adapters.credly import CredlyProvider, KnownTemplates
    from worker.adapters.database.badge_pages import BadgeShelf
    from worker.adapters.metrics import State
    from worker.adapters.queues.lag import Lag
    from worker.adapters.tokens import RedisTokens
    from worker.consuming import Consumer
    from worker.intake import Intake
    from worker.issuing import Issuing
    from worker.reconciling import Reconciling
    from worker.revoking import Revoking

_CREDENTIALS = ("username", "password", "token", "refresh_token", "client_id", "client_secret")


def utc_now() -> datetime:
    """Return now, in UTC: the process's clock, for what need not agree between machines."""
    return datetime.now(UTC)


class Services:
    """Everything that a process needs, made from its settings when first asked for."""

    def __init__(self, settings: Settings, celery: Celery | None = None) -> None:
        self.settings = settings
        self._celery = celery
        self._opened = ExitStack()

    def close(self) -> None:
        """Close all that was opened. Closing twice does no harm."""
        self._opened.close()

    @cached_property
    def database(self) -> Database:
        """Return the database."""
        return Database(self._engine())

    def _engine(self, *, intake: bool = False) -> Engine:
        engine = make_engine(self.settings.database_url.get_secret_value(), intake=intake)
        self._opened.callback(engine.dispose)
        return engine

    @cached_property
    def badge_shelf(self) -> BadgeShelf:
        """Return where pages of badges are read."""
        from worker.adapters.database.badge_pages import BadgeShelf

        shelf = BadgeShelf(self.settings.database_url.get_secret_value())
        self._opened.callback(shelf.engine.dispose)
        return shelf

    @cached_property
    def queue(self) -> EventQueue:
        """Return the event queue; it is one consumer's and belongs to one thread at a time."""
        from worker.adapters.queues import open_queue

        queue = open_queue(self.settings.required("events_url"))
        self._opened.callback(queue.close)
        return queue

    @cached_property
    def intake(self) -> Intake:
        """Return what puts events on the queue for many callers; the connection is its own."""
        from worker.adapters.queues import open_queue
        from worker.intake import Intake

        intake = Intake(open_queue(self.settings.required("events_url")))
        self._opened.callback(intake.close)
        return intake

    @cached_property
    def celery(self) -> Celery:
        """Return the Celery application to send tasks with."""
        from worker.adapters.celery_app import make_celery

        if self._celery is None:
            self._celery = make_celery(lambda: self.settings.required("broker_url"))
            self._opened.callback(self._celery.close)
        return self._celery

    @cached_property
    def dispatch(self) -> CeleryDispatch:
        """Return how work is handed to the task workers."""
        from worker.adapters.celery_dispatch import CeleryDispatch

        return CeleryDispatch(self.celery)

    @cached_property
    def consumer(self) -> Consumer:
        """Return this process's consumer."""
        from worker.awarding import Awarding
        from worker.consuming import Consumer, Pace

        pace = Pace(self.settings.batch_size, self.settings.batch_wait)
        awarding = Awarding(Database(self._engine(intake=True)), utc_now, self.settings.key)
        return Consumer(self.queue, awarding, self.dispatch, pace)

    @cached_property
    def _redis(self) -> redis.Redis:
        from worker.adapters.redis_connection import connect

        client = connect(self.settings.required("redis_url"))
        self._opened.callback(client.close)
        return client

    @cached_property
    def _tokens(self) -> RedisTokens:
        from worker.adapters.tokens import RedisTokens

        return RedisTokens(self._redis)

    def issuers(self) -> dict[str, Issuer]:
        """Return the issuers in force."""
        stored = self.database.issuers()
        return {name: Issuer.model_validate(definition) for name, definition in stored.items()}

    def permits(self, issuers: dict[str, Issuer]) -> Permits:
        """Return the rate limits of these issuers."""
        from worker.adapters.permits import RateLimit, RedisPermits

        limits = {
            name: RateLimit(issuer.rate_limit.calls, issuer.rate_limit.window, issuer.timeout)
            for name, issuer in issuers.items()
        }
        return RedisPermits(self._redis, limits, called_before=self._called_before)

    def _called_before(self, issuer_id: str) -> bool:
        with reading(self.database.engine) as connection:
            return ever_called(connection, issuer_id)

    def provider(self, issuer_id: str, issuer: Issuer, permits: Permits) -> Provider:
        """Return an issuer's connection to its provider; raises ConfigurationError without credentials."""
        from worker.adapters.badgr.provider import BadgrProvider
        from worker.adapters.badgr.sign_in import Credentials

        if issuer.provider == "credly":
            return self._credly(issuer_id, issuer, permits)
        found = {name: self.settings.credential(issuer_id, name) for name in _CREDENTIALS}
        if not any(found.values()):
            variable = issuer_id.upper().replace("-", "_")
            raise ConfigurationError(
                f"issuer {issuer_id}: no credentials; set BADGE_WORKER_ISSUER_{variable}_USERNAME and "
                "…_PASSWORD, or …_TOKEN, or …_REFRESH_TOKEN"
            )
        return BadgrProvider(
            issuer_id, issuer.url, Credentials(**found), permits, self._tokens, issuer.timeout
        )

    @staticmethod
    def load_providers() -> None:
        """Load the code of every provider: what is there before a fork need not be loaded after it."""
        import worker.adapters.badgr.provider
        import worker.adapters.credly  # noqa: F401 # loading it is all that is wanted

    def _provider_or_why(self, issuer_id: str, issuer: Issuer, permits: Permits) -> Provider:
        """Return the connection, or what tells each award why there is none."""
        try:
            return self.provider(issuer_id, issuer, permits)
        except ConfigurationError as error:
            return Unconfigured(error)

    def _credly(self, issuer_id: str, issuer: Issuer, permits: Permits) -> CredlyProvider:
        from worker.adapters.credly import CredlyProvider

        token = self.settings.credential(issuer_id, "token")
        if not token or issuer.organization is None:
            variable = issuer_id.upper().replace("-", "_")
            raise ConfigurationError(
                f"issuer {issuer_id}: no credentials; set BADGE_WORKER_ISSUER_{variable}_TOKEN to your "
                "organization's authorization token"
            )
        return CredlyProvider(
            issuer_id, issuer.url, issuer.organization, token, permits, issuer.timeout, self._templates
        )

    @cached_property
    def _templates(self) -> KnownTemplates:
        from worker.adapters.credly import KnownTemplates

        return KnownTemplates()

    def issuing(self, issuer_id: str) -> Issuing:
        """Return what makes this issuer's calls."""
        from worker.issuing import IssuerConnection, Issuing

        issuer, permits = self._issuer(issuer_id)
        provider = self._provider_or_why(issuer_id, issuer, permits)
        connection = IssuerConnection(issuer_id, issuer, provider, self._badge, utc_now)
        return Issuing(self.database, permits, connection)

    def revoking(self, issuer_id: str) -> Revoking:
        """Return what makes this issuer's revocations."""
        from worker.revoking import Revoking

        issuer, permits = self._issuer(issuer_id)
        provider = self._provider_or_why(issuer_id, issuer, permits)
        return Revoking(self.database, permits, issuer_id, provider, issuer.timeout)

    def reconciling(self, issuer_id: str, *, fix: bool) -> Reconciling:
        """Return what compares this issuer's awards with what its provider holds."""
        from worker.adapters.database.reconciling import Books
        from worker.adapters.permits import PatientPermits
        from worker.reconciling import Reconciling

        issuer, permits = self._issuer(issuer_id)
        provider = self.provider(issuer_id, issuer, PatientPermits(permits))
        return Reconciling(Books(self.database.engine), provider, issuer_id, fix=fix)

    @cached_property
    def beat_tick(self) -> BeatTick:
        """Return where beat notes that it ticks."""
        from worker.adapters.beat_tick import BeatTick

        return BeatTick(self._redis)

    @cached_property
    def state(self) -> State:
        """Return how things stand, for monitoring; every source is opened when it is first asked."""
        from worker.adapters.database.standing import Standing
        from worker.adapters.metrics import State, sources

        standing = Standing(self.database.engine)
        return State(
            [
                *sources.database_sources(standing, self.database.evaluations),
                sources.queue_source(lambda: self._lag),
                sources.issuers_source(self._leeways),
                sources.beat_source(lambda: self.beat_tick),
            ]
        )

    @cached_property
    def _lag(self) -> Lag:
        from worker.adapters.queues.lag import Lag

        lag = Lag(self.settings.required("events_url"))
        self._opened.callback(lag.close)
        return lag

    def _leeways(self) -> dict[str, Leeway]:
        issuers = self.issuers()
        permits = self.permits(issuers)
        return {name: permits.leeway(name) for name in issuers}

    def _issuer(self, issuer_id: str) -> tuple[Issuer, Permits]:
        issuers = self.issuers()
        if issuer_id not in issuers:
            raise ConfigurationError(f"issuer {issuer_id}: not among those applied")
        return issuers[issuer_id], self.permits(issuers)

    def _badge(self, badge_id: str) -> Badge:
        return Badge.model_validate(self.database.badge(badge_id))


_lock = threading.Lock()
_made: dict[int, Services] = {}


def services() -> Services:
    """Return this process's services: connections must not be shared across a fork."""
    with _lock:
        if os.getpid() not in _made:
            _made.clear()
            _made[os.getpid()] = Services(load_settings())
        return _made[os.getpid()]
