"""The OpenAPI document of the web application, from the models that read events; served as /openapi.json.

GraphQL has a schema of its own, and the admin page is for people: neither is in it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from worker import __version__
from worker.event_schema import event_schema
from worker.intake import MOST_AT_ONCE
from worker.opigno import EVENTS
from worker.web import webhooks
from worker.web.cloudevents import BATCH, PLAIN, STRUCTURED

PATH = "/openapi.json"
_SCHEMAS = "#/components/schemas/"
_TEXT = {"type": "string"}
_ABOUT_EVENTS = (
    "One event, or an array of up to 1,000: all or nothing. Structured and batch mode of the HTTP binding of "
    "CloudEvents are described here; in binary mode the attributes stand in headers (`ce-specversion`, "
    "`ce-id`, `ce-source`, `ce-type`, `ce-time`), the content type is `application/json`, and the body is "
    "`data`. A request of more than 16 MiB or an event of more than 64 KiB is answered 413."
)
_ABOUT_OPIGNO = (
    "An assumption: Opigno does not publish what its webhooks carry. Where things stand is a setting, "
    "BADGE_WORKER_OPIGNO_WEBHOOK_PATHS; this is its default. Without a secret in the settings there is no "
    "such page."
)


def routes() -> list[BaseRoute]:
    """Return the page of the document."""
    return [Route(PATH, _answer, methods=["GET"])]


async def _answer(_request: Request) -> Response:
    return JSONResponse(_made())


@cache
def _made() -> dict[str, Any]:
    return openapi_document()


def openapi_document() -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "badge-worker",
            "version": __version__,
            "description": "Event intake and health of badge-worker. GraphQL is at /graphql.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "paths": {
            "/events": {"post": _events()},
            webhooks.PATH: {"post": _opigno()},
            "/healthz": {"get": _get("alive", "Whether this process is alive", {"200": _alive()})},
            "/readyz": {"get": _get("ready", "Whether what it needs is there", _readiness())},
            "/metrics": {"get": _get("metrics", "Metrics for Prometheus", _metrics())},
            PATH: {
                "get": _get("openapi", "This document", {"200": _json({"type": "object"}, "This document.")})
            },
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token with the role publish.",
                },
                "opigno": {"type": "apiKey", "in": "header", "name": webhooks.HEADER},
            },
        },
    }


def _events() -> dict[str, Any]:
    one, several = {"$ref": f"{_SCHEMAS}Event"}, {"$ref": f"{_SCHEMAS}Batch"}
    contents = {STRUCTURED: one, BATCH: several, PLAIN: {"anyOf": [one, several]}}
    return {
        "operationId": "sendEvents",
        "summary": "Send events",
        "description": _ABOUT_EVENTS,
        "security": [{"token": []}],
        "requestBody": {
            "required": True,
            "content": {name: {"schema": schema} for name, schema in contents.items()},
        },
        "responses": {
            "202": _json({"$ref": f"{_SCHEMAS}Accepted"}, "They are on the queue."),
            "400": _refused("Not all of them are events: each bad one by its index and field."),
            "401": _refused("No token, or one that is not good."),
            "403": _refused("The token does not have the role publish."),
            **_usual_refusals(),
        },
    }


def _opigno() -> dict[str, Any]:
    return {
        "operationId": "opignoWebhook",
        "summary": "Take a call of Opigno's",
        "description": _ABOUT_OPIGNO,
        "security": [{"opigno": []}],
        "requestBody": {"required": True, "content": {PLAIN: {"schema": {"$ref": f"{_SCHEMAS}OpignoCall"}}}},
        "responses": {
            "200": _json({"$ref": f"{_SCHEMAS}Ignored"}, "A trigger that stands for no event."),
            "202": _json({"$ref": f"{_SCHEMAS}Accepted"}, "The event is on the queue."),
            "400": _refused("Something that is needed does not stand where it should."),
            "403": _refused(f"The header {webhooks.HEADER} does not hold the secret."),
            "404": _refused("The door is closed: no secret is set."),
            **_usual_refusals(),
        },
    }


def _later() -> dict[str, Any]:
    return {
        "Retry-After": {"description": "In how many seconds to try again.", "schema": {"type": "integer"}}
    }


def _usual_refusals() -> dict[str, Any]:
    return {
        "408": _refused("The request took too long to arrive."),
        "413": _refused("Too big, or too many."),
        "415": _refused("Another media type, another character set than UTF-8, or compressed."),
        "429": _refused("Too many requests.") | {"headers": _later()},
        "503": _refused(
            "The event queue cannot be reached, or too much is under way. Some may be there: send all again; "
            "events may come twice."
        )
        | {"headers": _later()},
    }


def _get(name: str, summary: str, responses: dict[str, Any]) -> dict[str, Any]:
    return {"operationId": name, "summary": summary, "security": [], "responses": responses}


def _json(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "content": {PLAIN: {"schema": schema}}}


def _refused(description: str) -> dict[str, Any]:
    return _json({"$ref": f"{_SCHEMAS}Errors"}, description)


def _alive() -> dict[str, Any]:
    return _json({"$ref": f"{_SCHEMAS}Alive"}, "It is.")


def _readiness() -> dict[str, Any]:
    found = {"$ref": f"{_SCHEMAS}Readiness"}
    return {"200": _json(found, "All of it is there."), "503": _json(found, "Something is not: see which.")}


def _metrics() -> dict[str, Any]:
    told = {
        "description": "The text format of Prometheus, or OpenMetrics if asked for.",
        "content": {"text/plain": {"schema": _TEXT}, "application/openmetrics-text": {"schema": _TEXT}},
    }
    return {"200": told, "503": _refused("Others ask for the same just now.") | {"headers": _later()}}


def _schemas() -> dict[str, Any]:
    events = event_schema(_SCHEMAS + "{model}")
    types = list(events["discriminator"]["mapping"])
    unknown = {"$ref": f"{_SCHEMAS}EventOfAnotherType"}
    for model in events["$defs"].values():
        if "time" in model.get("properties", {}):  # the format says as much, in fewer words
            model["properties"]["time"].pop("pattern")
    models: dict[str, Any] = events["$defs"]
    return models | {
        "Event": {"oneOf": [*events["oneOf"], unknown]},
        "EventOfAnotherType": {
            "description": "It is taken and passed over; the answer names its type.",
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"type": "string", "minLength": 1, "not": {"enum": types}}},
        },
        "Batch": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_AT_ONCE,
            "items": {"$ref": f"{_SCHEMAS}Event"},
        },
        "OpignoCall": _opigno_call(),
        **_answers(),
    }


def _opigno_call() -> dict[str, Any]:
    numbered = {
        "type": "object",
        "required": ["id"],
        "properties": {
            "id": {"anyOf": [{"type": "string", "minLength": 1, "maxLength": 255}, {"type": "integer"}]}
        },
    }
    known = {
        "type": "object",
        "required": ["triggerEvent", "user", "training"],
        "properties": {"triggerEvent": {"enum": list(EVENTS)}, "user": numbered, "training": numbered},
    }
    other = {
        "description": "Any other trigger: acknowledged, and counted.",
        "type": "object",
        "required": ["triggerEvent"],
        "properties": {"triggerEvent": {"type": "string", "not": {"enum": list(EVENTS)}}},
    }
    return {"oneOf": [known, other]}


def _answers() -> dict[str, Any]:
    return {
        "Accepted": _object(
            {"accepted": {"type": "integer"}, "unknown_types": {"type": "array", "items": _TEXT}}
        ),
        "Ignored": _object({"accepted": {"const": 0}}),
        "Alive": _object({"status": {"const": "alive"}}),
        "Readiness": _object(
            {
                "status": {"enum": ["ready", "not ready"]},
                "checks": {"type": "object", "additionalProperties": _TEXT},
            }
        ),
        "Errors": _object({"errors": {"type": "array", "minItems": 1, "items": _error()}}),
    }


def _error() -> dict[str, Any]:
    where = {"index": {"type": "integer"}, "field": _TEXT}
    schema = _object({"code": _TEXT, "message": _TEXT})
    return schema | {"properties": schema["properties"] | where}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}
