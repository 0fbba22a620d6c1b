"""The AsyncAPI document of the event queue and of the web's intake, from the models that read events."""

from __future__ import annotations

from typing import Any

from worker import __version__
from worker.event_schema import ABOUT, event_schema

_SCHEMAS = "#/components/schemas/"
_MESSAGES = "#/components/messages/"
_BINDING = "0.3.0"
_BATCH = "Batch"
_MOST_AT_ONCE = 1000  # events in one request (contract.md section 5)

# One for each model of `data`.
_EXAMPLES: dict[str, dict[str, Any]] = {
    "UserProfile": {"user_id": "242", "email": "ada@example.org", "first_name": "Ada", "last_name": "Alnes"},
    "OnlyUser": {"user_id": "242"},
    "Enrolment": {"user_id": "242", "learning_path_id": "40"},
    "Completion": {"user_id": "242", "learning_path_id": "40", "passed": True, "score": 92},
    "Post": {"user_id": "242", "post_id": "9001"},
    "Connection": {"user_ids": ["242", "243"]},
}


def asyncapi_document() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document, in which badge-worker is the one that receives."""
    schema = event_schema(_SCHEMAS + "{model}")
    models = schema["$defs"]
    types = {kind: place.removeprefix(_SCHEMAS) for kind, place in schema["discriminator"]["mapping"].items()}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "badge-worker: events",
            "version": __version__,
            "description": ABOUT,
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": _servers(),
        "channels": _channels(list(types.values())),
        "operations": _operations(),
        "components": {
            "messages": {name: _message(kind, name, models[name]) for kind, name in types.items()}
            | {_BATCH: _batch(schema["oneOf"])},
            "schemas": models,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token with the role publish."}
            },
        },
    }


def _servers() -> dict[str, Any]:
    return {
        "redis": {
            "host": "localhost:6379",
            "protocol": "redis",
            "description": "Redis from version 6.2 on, or Valkey, where the event queue is a stream.",
        },
        "rabbitmq": {
            "host": "localhost:5672",
            "protocol": "amqp",
            "protocolVersion": "0.9.1",
            "description": "RabbitMQ, where the event queue is a quorum queue.",
        },
        "web": {
            "host": "localhost:8000",
            "protocol": "http",
            "description": "`badge-worker serve`.",
            "security": [{"$ref": "#/components/securitySchemes/token"}],
        },
    }


def _channels(names: list[str]) -> dict[str, Any]:
    return {
        "stream": {
            "address": "badge-events",
            "title": "The event queue on Redis Streams",
            "description": "XADD badge-events * event '<json>': an entry has the one field `event`.",
            "servers": [{"$ref": "#/servers/redis"}],
            "messages": _references(names),
        },
        "queue": {
            "address": "badge-events",
            "title": "The event queue on RabbitMQ",
            "description": (
                "Publish through the default exchange, with the queue's name as routing key, and wait for "
                "the confirm. The queue is declared by whoever comes first: passively, and if it is not "
                "there, as a durable quorum queue."
            ),
            "servers": [{"$ref": "#/servers/rabbitmq"}],
            "messages": _references(names),
            "bindings": {"amqp": _queue_binding()},
        },
        "intake": {
            "address": "/events",
            "title": "The web's intake",
            "description": "One event, or an array of up to 1,000: all or nothing.",
            "servers": [{"$ref": "#/servers/web"}],
            "messages": _references([*names, _BATCH]),
        },
    }


def _references(names: list[str]) -> dict[str, Any]:
    return {name: {"$ref": _MESSAGES + name} for name in names}


def _queue_binding() -> dict[str, Any]:
    queue = {"name": "badge-events", "durable": True, "exclusive": False, "autoDelete": False}
    return {"is": "queue", "queue": queue, "bindingVersion": _BINDING}


def _operations() -> dict[str, Any]:
    amqp = {"mandatory": True, "deliveryMode": 2, "bindingVersion": _BINDING}
    return {
        "readStream": _receive("stream", "Read the stream"),
        "readQueue": _receive("queue", "Read the queue") | {"bindings": {"amqp": amqp}},
        "takeIn": _receive("intake", "Take events in over HTTP")
        | {"bindings": {"http": {"method": "POST", "bindingVersion": _BINDING}}},
    }


def _receive(channel: str, title: str) -> dict[str, Any]:
    return {"action": "receive", "channel": {"$ref": f"#/channels/{channel}"}, "title": title}


def _message(kind: str, name: str, model: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": kind,
        "title": kind,
        "summary": model["description"],
        "payload": {"$ref": _SCHEMAS + name},
        "examples": [{"payload": _example(kind, model)}],
    }


def _example(kind: str, model: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "2f6c1e9a-0b7e-4b0e-8f4e-5a1f2f3c9d11",
        "source": "https://lms.example.org",
        "type": kind,
        "time": "2026-03-01T10:15:00Z",
        "data": _EXAMPLES[model["properties"]["data"]["$ref"].removeprefix(_SCHEMAS)],
    }


def _batch(branches: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": "batch",
        "title": "Several events",
        "summary": "Events of any types, in one request.",
        "contentType": "application/cloudevents-batch+json",
        "payload": {
            "type": "array",
            "minItems": 1,
            "maxItems": _MOST_AT_ONCE,
            "items": {"oneOf": branches},
        },
    }
