"""Messages of AMQP without what their publishers say about them: only their bodies are read.

A publisher may name any content type, encoding or compression, and put bytes into headers and routing keys
that py-amqp cannot decode. It would refuse such a message each time that it comes, for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from amqp.method_framing import frame_handler

if TYPE_CHECKING:
    from collections.abc import Callable

METHOD, HEADER = 1, 2
DELIVER = b"\x00\x3c\x00\x3c"
# Where a header's properties begin: after class, weight and size of the body.
PROPERTIES = 12
# Two empty words in a method; in a header, no properties.
NOTHING = b"\x00\x00"


def frames_without_words(connection: Any, callback: Any) -> Callable[[tuple[int, int, bytes]], bool]:
    """Return a handler of frames for py-amqp that is its own but for that."""
    handle: Callable[[tuple[int, int, bytes]], bool] = frame_handler(connection, callback)

    def on_frame(frame: tuple[int, int, bytes]) -> bool:
        kind, channel, payload = frame
        if kind == HEADER:
            return handle((kind, channel, bytes(payload[:PROPERTIES]) + NOTHING))
        if kind == METHOD and bytes(payload[:4]) == DELIVER:
            return handle((kind, channel, _without_route(payload)))
        return handle(frame)

    return on_frame


def _without_route(payload: bytes) -> bytes:
    """Take exchange and routing key off a delivery: our tag, its number and a flag stay."""
    end_of_tag = 5 + payload[4]
    return bytes(payload[: end_of_tag + 9]) + NOTHING
