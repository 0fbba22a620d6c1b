"""What can be asked how things stand: the database, the queue, Redis. Each source fails by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from worker.adapters.metrics.state import Source

if TYPE_CHECKING:
    from worker.adapters.beat_tick import BeatTick
    from worker.adapters.database.standing import Standing
    from worker.adapters.queues.lag import Lag
    from worker.ports import Evaluation, Leeway

_PREFIX = "badge_worker_"


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(_PREFIX + name, about, value)


def _gauges(
    name: str, about: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]
) -> Metric:
    family = GaugeMetricFamily(_PREFIX + name, about, labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def database_sources(standing: Standing, evaluations: Callable[[], list[Evaluation]]) -> list[Source]:
    """Return what the database knows. Apart, so that a slow one is asked less often than the others."""

    def awards() -> Iterator[Metric]:
        states = standing.awards_by_state().items()
        yield _gauges("awards", "Awards by state.", ("state",), (((state,), n) for state, n in states))

    def pending() -> Iterator[Metric]:
        about = "Seconds since the oldest award that waits to be issued was decided; 0 if none waits."
        yield _gauge("oldest_pending_award_seconds", about, standing.oldest_pending())

    def letters() -> Iterator[Metric]:
        yield _gauge("dead_letters", "Dead letters that nobody has put back.", standing.dead_letters())

    def rules() -> Iterator[Metric]:
        found = standing.rules()
        yield _gauge("rules_version", "The version of the rules in force.", found.version)
        about = "Up to when account ages are decided."
        yield _gauge("swept_to_timestamp_seconds", about, found.swept_to.timestamp())

    return [
        Source("awards", awards),
        Source("pending", pending),
        Source("dead_letters", letters),
        Source("rules", rules),
        Source("badges", lambda: _badges(standing)),
        Source("evaluations", lambda: _evaluations(evaluations())),
    ]


def _badges(standing: Standing) -> Iterator[Metric]:
    badges = standing.badges()
    created = [((each.badge_id,), each.created_at.timestamp()) for each in badges]
    earned = [((each.badge_id,), each.earned_at.timestamp()) for each in badges if each.earned_at]
    about = "When a published badge was first applied."
    yield _gauges("badge_created_timestamp_seconds", about, ("badge",), created)
    about = "When it was last decided that somebody earned the badge; none for one that nobody ever did."
    yield _gauges("badge_last_earned_timestamp_seconds", about, ("badge",), earned)


def _evaluations(waiting: list[Evaluation]) -> Iterator[Metric]:
    yield _gauge("evaluations", "Evaluations of everybody that are not over.", len(waiting))
    labels = ("badge", "reason")
    # One for an older version of the badge may not be over yet; Prometheus takes each sample once.
    newest = {(each.badge_id, each.reason.value): each for each in sorted(waiting, key=lambda it: it.version)}
    people = [(names, float(each.people)) for names, each in newest.items()]
    about = "People that an evaluation is about; 0 until it begins."
    yield _gauges("evaluation_people", about, labels, people)
    looked_at = [(names, float(each.looked_at)) for names, each in newest.items()]
    yield _gauges("evaluation_looked_at", "People that an evaluation looked at.", labels, looked_at)


def queue_source(lag: Callable[[], Lag]) -> Source:
    """Return what the event queue knows."""

    def read() -> Iterator[Metric]:
        behind = lag()
        about = "Events that are unread or unacknowledged."
        yield _gauge("queue_lag_messages", about, behind.messages())
        seconds = behind.seconds()
        if seconds is not None:
            yield _gauge("queue_lag_seconds", "Age of the oldest event that is not done.", seconds)

    return Source("queue", read)


def issuers_source(leeways: Callable[[], Mapping[str, Leeway]]) -> Source:
    """Return what the shared rate limits know."""

    def read() -> Iterator[Metric]:
        found = leeways().items()

        def each(name: str, about: str, value: Callable[[Leeway], float]) -> Metric:
            return _gauges(name, about, ("issuer",), (((issuer,), value(how)) for issuer, how in found))

        yield each("permits_left", "Calls that an issuer's rate limit has room for.", lambda how: how.permits)
        about = "Seconds for which an issuer is paused; 0 if it is not."
        yield each("issuer_paused_seconds", about, lambda how: how.paused)
        about = "Calls in a row that failed: after five an issuer is paused."
        yield each("issuer_failures_in_a_row", about, lambda how: how.failures)

    return Source("issuers", read)


def beat_source(tick: Callable[[], BeatTick]) -> Source:
    """Return what is known of beat."""

    def read() -> Iterator[Metric]:
        last = tick().last()
        if last is not None:
            yield _gauge("beat_last_tick_timestamp_seconds", "When beat ticked last.", last)

    return Source("beat", read)
