"""What `doctor` says of one thing that it looked at."""

from __future__ import annotations

from dataclasses import dataclass

from rich.text import Text


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `mend` says what to do where it is wrong.

    A `warning` is not wrong, but somebody should know of it.
    """

    what: str
    ok: bool
    detail: str
    mend: str | None = None
    warning: bool = False

    def cells(self) -> tuple[object, ...]:
        """Return it as a row of a table."""
        return self.what, self._mark(), self.detail, self.mend or ""

    def _mark(self) -> Text:
        if not self.ok:
            return Text("wrong", style="bold red")
        return Text("warning", style="yellow") if self.warning else Text("ok", style="green")
