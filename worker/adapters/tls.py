"""TLS to brokers, as their addresses ask for it: certificates are verified, and so are the names in them."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

# Parameters of amqps:// and what py-amqp calls them.
AMQP_FILES = {"ssl_ca_certs": "ca_certs", "ssl_certfile": "certfile", "ssl_keyfile": "keyfile"}
# What redis-py does with rediss:// by itself, and kombu does not: it would verify nothing.
_VERIFIED = {"ssl_cert_reqs": "required", "ssl_check_hostname": "true"}


def amqp_tls(files: Mapping[str, str]) -> dict[str, Any]:
    """Return what kombu wants to know for ``amqps://``; `files` by py-amqp's names."""
    # None: the name in the address.
    return {"cert_reqs": ssl.CERT_REQUIRED, "server_hostname": None, **files}


def for_celery(broker_url: str) -> tuple[str, dict[str, Any] | bool]:
    """Return the address of Celery's broker as kombu reads it, and its setting `broker_use_ssl`.

    What an address of Redis says about TLS itself has the last word.
    """
    parts = urlsplit(broker_url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.scheme == "rediss":
        return parts._replace(query=urlencode(_VERIFIED | query)).geturl(), False
    if parts.scheme == "amqps":
        files = {AMQP_FILES[name]: query.pop(name) for name in list(query) if name in AMQP_FILES}
        return parts._replace(query=urlencode(query)).geturl(), amqp_tls(files)
    return broker_url, False
