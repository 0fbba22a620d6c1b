"""What processes share through Redis: its errors in the worker's words."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import redis

from worker.errors import LimiterUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def shared_state() -> Iterator[None]:
    """Turn redis-py's errors into LimiterUnavailable: without what is shared, no call may be made."""
    try:
        yield
    except redis.RedisError as error:
        failure = LimiterUnavailable(f"shared rate limits and tokens cannot be read: {type(error).__name__}")
        raise failure from error
