"""Publishes two events with badge-worker itself, to the queue that BADGE_WORKER_EVENTS_URL names."""

import uuid
from datetime import UTC, datetime
from typing import Any

import worker


def event(kind: str, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": uuid.uuid4(),  # the same one if it is published again
        "source": "https://lms.example.org",
        "type": kind,
        "time": datetime.now(UTC),  # when it happened
        "data": data,
    }


with worker.Publisher() as publisher:  # a service keeps one, for all its threads
    published = publisher.publish(
        [
            event("connection.established.v1", user_ids=["242", "243"]),
            event("post.created.v1", user_id="242", post_id="9001"),
        ]
    )
print(f"{published} events published")
