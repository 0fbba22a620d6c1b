"""A process that awards, one call each, and signs in whenever its token is not accepted any more.

Run as ``python -m tests.unit.adapters.awarder REDIS_URL SANDBOX_URL REFRESH_TOKEN BADGECLASS NAME CALLS``.
Prints how many were made; whatever a person would have to mend ends it.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from worker.adapters.badgr.provider import BadgrProvider
from worker.adapters.badgr.sign_in import Credentials
from worker.adapters.permits import RateLimit, RedisPermits
from worker.adapters.redis_connection import connect
from worker.adapters.tokens import RedisTokens
from worker.awards import Assertion, Grant
from worker.errors import TransientError


def main(redis_url: str, sandbox: str, refresh_token: str, badgeclass: str, name: str, calls: str) -> None:
    client = connect(redis_url)
    permits = RedisPermits(client, {"academy": RateLimit(100_000, 60, deadline=30)})
    credentials = Credentials(refresh_token=refresh_token)
    provider = BadgrProvider("academy", sandbox, credentials, permits, RedisTokens(client), 30)
    made = 0
    while made < int(calls):
        grant = Grant(f"{name}-{made}@example.org", datetime(2026, 1, 31, tzinfo=UTC))
        try:
            (outcome,) = provider.issue(badgeclass, [grant], lambda: None)
        except TransientError:
            continue
        made += isinstance(outcome, Assertion)
    print(made)  # noqa: T201 - what it is there for


if __name__ == "__main__":
    main(*sys.argv[1:])
