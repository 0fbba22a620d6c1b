"""`POST /webhooks/opigno`: Opigno's webhooks, as far as they stand for events (contract.md section 5)."""

from __future__ import annotations

import hashlib
import hmac
from http import HTTPStatus

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from worker import measuring
from worker.bootstrap import Services, utc_now
from worker.errors import InvalidEvent
from worker.intake import check
from worker.opigno import Paths, names_in
from worker.web.answers import refusal
from worker.web.cloudevents import PLAIN, BadRequest, check_media_type
from worker.web.intake import put_on_queue
from worker.web.rate import CallerRate, whole_seconds

log = structlog.get_logger(__name__)

PATH = "/webhooks/opigno"
HEADER = "X-Opigno-LIP-Signature"  # the secret itself, word for word: no signature in spite of its name
LARGEST_BODY = 64 * 1024  # bytes
AT_ONCE, WINDOW = 6000, 60.0


def routes(services: Services) -> list[BaseRoute]:
    """Return the door; raises ConfigurationError. Without a secret it is closed."""
    return [Route(PATH, _Door(services).answer, methods=["POST"])]


class _Door:
    def __init__(self, services: Services) -> None:
        secret = services.settings.opigno_webhook_secret
        self._secret = secret.get_secret_value() if secret else None
        self._paths = Paths.of(services.settings.opigno_webhook_paths)
        self._intake = services.intake
        self._rate = CallerRate(AT_ONCE, WINDOW)

    async def answer(self, request: Request) -> Response:
        if self._secret is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        if not _same(request.headers.get(HEADER, ""), self._secret):
            return refusal(HTTPStatus.FORBIDDEN, f"the header {HEADER} does not hold the shared secret")
        if wait := self._rate.take("opigno"):
            message = f"at most {AT_ONCE} requests in {WINDOW:.0f} s, please"
            return refusal(HTTPStatus.TOO_MANY_REQUESTS, message, {"Retry-After": whole_seconds(wait)})
        try:
            check_media_type(request.headers, (PLAIN, ""))
        except BadRequest as error:
            return refusal(error.status, str(error), field=error.field)
        return await self._take_in(await request.body())

    async def _take_in(self, body: bytes) -> Response:
        try:
            call = self._paths.read(body, utc_now())
        except InvalidEvent as error:
            return _not_understood(body, str(error))
        if call.event is None:
            measuring.webhook_ignored(call.trigger)
            return JSONResponse({"accepted": 0})
        checked = check([call.event], utc_now())
        if checked.wrong:
            return _not_understood(body, "; ".join(f"{each.field}: {each.message}" for each in checked.wrong))
        return await put_on_queue(self._intake, [call.event], checked.unknown)


def _not_understood(body: bytes, why: str) -> Response:
    """Refuse a call, and tell the operator what stands in it, without any value."""
    log.warning("webhook.not_understood", why=why, names=names_in(body))
    return refusal(HTTPStatus.BAD_REQUEST, why)


def _same(presented: str, secret: str) -> bool:
    """Compare in constant time, whatever the lengths."""
    ours, theirs = (hashlib.sha256(text.encode()).digest() for text in (secret, presented))
    return hmac.compare_digest(ours, theirs)
