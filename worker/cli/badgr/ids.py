"""Commands that take the service's ids, of which one in sixty begins with a dash."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperCommand

_ID = re.compile(r"-[A-Za-z0-9_-]{21}")  # facts/badgr-api.md section 5
_GUARD = "id:"


class IdCommand(TyperCommand):
    """Takes an id that begins with a dash for what it is: no option has its length and is unknown."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        options = {name for parameter in self.params for name in parameter.opts}
        guarded = [_GUARD + word if _ID.fullmatch(word) and word not in options else word for word in args]
        rest = super().parse_args(ctx, guarded)
        ctx.params = {name: _bare(value) for name, value in ctx.params.items()}
        return rest


def _bare(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return type(value)(map(_bare, value))
    if isinstance(value, str) and _ID.fullmatch(value.removeprefix(_GUARD)):
        return value.removeprefix(_GUARD)
    return value
