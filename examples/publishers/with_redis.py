"""Publishes two events over Redis Streams. Needs the package redis."""

import json
import os
import uuid
from datetime import UTC, datetime
from typing import Any

import redis


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": str(uuid.uuid4()),  # the same one if it is published again
        "source": "https://lms.example.org",
        "type": kind,
        "time": datetime.now(UTC).isoformat(),  # when it happened
        "data": data,
    }


def publish(client: redis.Redis, events: list[dict[str, Any]]) -> int:
    """Publish all events in one round trip. Where this raises, publish them again: twice does no harm."""
    with client.pipeline() as pipeline:
        for each in events:
            pipeline.xadd("badge-events", {"event": json.dumps(each)})
        return len(pipeline.execute())


with redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")) as connection:
    published = publish(
        connection,
        [
            event("connection.established.v1", user_ids=["242", "243"]),
            event("post.created.v1", user_id="242", post_id="9001"),
        ],
    )
print(f"{published} events published")
