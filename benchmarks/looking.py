"""How long the admin page's questions take with a million awards: ``python -m benchmarks.looking``.

On PostgreSQL; half of the awards are of one badge, the rest of 199 others, one in a thousand failed. The best
of three, since whoever looks looks again.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from tests.support import services
from tests.support.ground import Ground, definitions, read
from tests.support.outbox import enrol_badge
from worker.adapters.database.engine import make_engine
from worker.adapters.database.looking import Looking, Sought
from worker.adapters.database.migrations import upgrade
from worker.applying import apply

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

_AWARDS = """
    INSERT INTO awards
        (user_id, badge_id, state, issuer, definition_version, earned_at, decided_at, because, due_at)
    SELECT 'u' || lpad((i / 2)::text, 7, '0'),
        CASE WHEN i % 2 = 0 THEN 'b000' ELSE 'b' || lpad((1 + (i * 7919 / 2) % 199)::text, 3, '0') END,
        CASE WHEN i % 1000 = 1 THEN 'failed' ELSE 'issued' END, 'academy', 1,
        now() - random() * interval '700 days', now() - random() * interval '700 days', '[]', now()
    FROM generate_series(0::bigint, 999999) AS i
"""
_LETTERS = """
    INSERT INTO dead_letters (id, body, reason, received_at, last_at, times)
    SELECT encode(sha256(i::text::bytea), 'hex'), 'x', 'a reason', now() - i * interval '1 s', now(), 1
    FROM generate_series(1, 100000) AS i
"""


def main() -> None:
    with services.postgres() as server, server.database() as url:
        engine = make_engine(url)
        _fill(engine)
        for what, ask in _questions(Looking(engine)).items():
            print(f"{what:45} {min(_seconds(ask) for _ in range(3)) * 1000:8.1f} ms")
        engine.dispose()


def _fill(engine: Engine) -> None:
    upgrade(engine)
    badges = {f"b{number:03}": enrol_badge(str(number)) for number in range(200)}
    apply(Ground(engine).database, read(definitions(badges)))
    with engine.begin() as connection:
        connection.execute(text(_AWARDS))
        connection.execute(text(_LETTERS))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE"))


def _questions(look: Looking) -> dict[str, Callable[[], Any]]:
    return {
        "awards, first page": lambda: look.awards(Sought(), None, 51),
        "awards, from the middle": lambda: look.awards(Sought(), ("u0250000", "b000"), 51),
        "issued awards": lambda: look.awards(Sought(state="issued"), None, 51),
        "failed awards": lambda: look.awards(Sought(state="failed"), None, 51),
        "failed awards, last page": lambda: look.awards(Sought(state="failed"), ("u0499000", "b000"), 51),
        "awards in a state that none is in": lambda: look.awards(Sought(state="revoking"), None, 51),
        "awards of the large badge": lambda: look.awards(Sought(badge_id="b000"), None, 51),
        "failed ones of the large badge (none)": lambda: look.awards(Sought("failed", "b000"), None, 51),
        "failed ones of a small badge": lambda: look.awards(Sought("failed", "b100"), None, 51),
        "awards of one user": lambda: look.awards(Sought(user_id="u0250000"), None, 51),
        "number of failed awards": lambda: look.count(Sought("failed")),
        "number of issued awards": lambda: look.count(Sought("issued")),
        "dead letters": lambda: look.letters(None, 51),
        "number of dead letters": look.count_letters,
        "an issuer's traffic": lambda: look.traffic("academy"),
        "fifty badges": lambda: look.badges("", 51),
        "chart of the large badge": lambda: look.earned_by_day("b000"),
        "chart of a small badge": lambda: look.earned_by_day("b100"),
    }


def _seconds(ask: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    ask()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
