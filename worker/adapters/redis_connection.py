"""How every part connects to Redis or Valkey: with time-outs, so that a frozen server is noticed."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


def connect(url: str) -> redis.Redis:
    """Return a client for `url`; nothing is connected yet.

    A command on a half-open connection would hang for ever without time-outs (facts/celery-ops.md, item 5).
    Commands are not repeated behind our back: a script that took a permit must not run twice.
    """
    return redis.Redis.from_url(
        url,
        socket_timeout=10,
        socket_connect_timeout=5,
        socket_keepalive=True,
        health_check_interval=10,
        retry=Retry(NoBackoff(), 0),
        # Not repeated either, but such a connection is not kept: after a failover it leads to a replica.
        retry_on_error=[redis.ReadOnlyError],
    )
