"""Write the sample stream `events.jsonl` and, by brute force, what is expected of it: `expected.json`.

Run it as ``python examples/generate.py``; it always writes the same two files. Fifty people of a learning
platform live through the spring of 2025. The stream is as untidy as a real one: one line in ten comes twice,
lines come late, some are no events at all. Whoever loses something (a connection, a post, the account) loses
it so that neither the clock nor the batches in which the stream is read decide who earns what.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))  # run as a script, it finds its neighbours all the same

from examples.replay import Reading, replay  # noqa: E402 - needs the path above
from examples.stories import sample_lines  # noqa: E402 - likewise

# Any moment from 2025-06 to 2033-12 gives the same result; tests/unit/test_examples.py tries several.
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def definitions() -> dict[str, Any]:
    """Return the shipped issuers and badges, parsed."""
    parsed: dict[str, Any] = yaml.safe_load((HERE.parent / "config" / "badges.yaml").read_text("utf-8"))
    return parsed


def expected(lines: list[str], now: datetime = NOW) -> dict[str, Any]:
    """Return what the sample stream must lead to, however it is cut into batches.

    Raises ValueError if it does depend on the batches: if judging after each event and judging once at the
    end disagree about who earned what, and when.
    """
    one_by_one = replay(definitions(), lines, now, in_order=True)
    at_once = replay(definitions(), lines, now)
    if one_by_one.awards != at_once.awards:
        raise ValueError(f"depends on batches: {one_by_one.awards.items() ^ at_once.awards.items()}")
    reasons = Counter(reason for reason, _ in at_once.dead_letters)
    return {
        "issued": _awards(at_once, "issued"),
        "waiting": _awards(at_once, "waiting"),
        "dead_letters": len({body for _, body in at_once.dead_letters}),
        "dead_letter_deliveries": len(at_once.dead_letters),
        "dead_letter_reasons": dict(sorted(reasons.items())),
        "ignored": at_once.ignored,
    }


def _awards(reading: Reading, state: str) -> list[dict[str, Any]]:
    awards = sorted(reading.awards.values(), key=lambda award: (award.badge_id, award.user_id))
    return [
        {
            "badge": award.badge_id,
            "user": award.user_id,
            "recipient": award.recipient,
            "earned_at": award.earned_at.isoformat().replace("+00:00", "Z"),
        }
        for award in awards
        if award.state == state
    ]


def _award_by_award(document: dict[str, Any]) -> str:
    """Return the document as JSON with a line for each award."""
    parts = []
    for name, value in document.items():
        rows = ",\n".join(f"  {json.dumps(row)}" for row in value) if isinstance(value, list) else None
        parts.append(f" {json.dumps(name)}: " + (f"[\n{rows}\n ]" if rows else json.dumps(value)))
    return "{\n" + ",\n".join(parts) + "\n}\n"


def files() -> dict[str, str]:
    """Return the name and the text of each file."""
    lines = sample_lines()
    return {
        "events.jsonl": "".join(f"{line}\n" for line in lines),
        "expected.json": _award_by_award(expected(lines)),
    }


if __name__ == "__main__":
    for name, text in files().items():
        (HERE / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"{name}: {len(text.splitlines())} lines")
