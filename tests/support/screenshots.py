"""Takes the pictures of the docs: ``python -m tests.support.screenshots [FOLDER]`` (default: docs/images).

The admin page and the GraphQL explorer in Chromium, on made-up people; and what `badge-worker demo` prints.
Nothing but this machine is talked to.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text
from sqlalchemy import literal

from tests.support import services as servers
from tests.support.admin_site import READER, TOKEN, variables
from tests.support.bodies import enrolled, event, met, registered
from tests.support.browser import browser
from tests.support.graphql_site import listening, migrated
from tests.support.ground import ISSUER, PARTNER, Ground, badge, definitions, now, read
from tests.support.outbox import change
from tests.support.waiting import wait_until
from worker.adapters.database.engine import make_engine
from worker.adapters.database.schema import awards
from worker.applying import apply
from worker.bootstrap import Services
from worker.settings import load_settings
from worker.web.application import application

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.browser import Browser
    from worker.ports import Permits

_IMAGES = Path("docs/images")
_LARGEST = 250_000  # bytes of a picture
_COLUMNS = 132  # of the terminal that the demo prints to
_FIRST, _LAST = 16, 29  # lines of it that are shown
_DAY = timedelta(days=1)
_PEOPLE = ("ada", "bob", "cyn", "dan", "eve", "fay", "gus", "hal", "ida", "jon", "kim", "leo", "mia", "ned")
# How many people enrolled in each of the last twelve weeks.
_ENROLLED = (3, 5, 4, 9, 12, 8, 15, 11, 6, 14, 19, 7)
# rich's own would load a font from another host.
_SVG = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px "DejaVu Sans Mono", Menlo, monospace; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""


def main(folder: Path) -> None:
    """Take every picture."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        _demo(Path(place), folder / "demo.svg")
        with _site(Path(place)) as address, browser(Path(place) / "chromium", high=760) as window:
            _admin(window, f"{address}/admin", folder)
            _explorer(window, f"{address}/graphql", folder)
    for image in sorted(folder.iterdir()):
        size = image.stat().st_size
        print(f"{image}: {size:,} bytes")  # noqa: T201 # it is a command
        if size > _LARGEST:
            raise SystemExit(f"{image} is too large")


# What the pictures show


@contextmanager
def _site(place: Path) -> Iterator[str]:
    """Serve the whole application on made-up people, and give its address."""
    with ExitStack() as stack:
        valkey = stack.enter_context(servers.valkey(place / "valkey"))
        url = f"sqlite:///{place / 'pictures.db'}"
        migrated(url)
        engine = make_engine(url)
        stack.callback(engine.dispose)
        ground = Ground(engine)
        apply(ground.database, read(definitions(_badges(), academy=ISSUER, partner=PARTNER)))
        more = {"BADGE_WORKER_GRAPHQL_EXPLORER": "true"}
        services = Services(load_settings(variables(url, valkey, **more), place))
        stack.callback(services.close)
        _call(services.permits(services.issuers()))
        _fill(ground)
        yield stack.enter_context(listening(application(services)))


def _call(permits: Permits) -> None:
    """Use some of one issuer's permits, and let the other be left alone."""
    for _ in range(37):
        permits.acquire("academy", 0).answered()
    for _ in range(5):
        permits.failed("partner")
    permits.pause("partner", 45)


def _badges() -> dict[str, dict[str, Any]]:
    return {
        "first-steps": badge(_in("40"), issued=True, title="First steps"),
        "data-analyst": badge({"lp_passed": {"learning_path_id": "77"}}, issued=True, title="Data analyst"),
        "networker": badge(
            {"social_connection": {"threshold": 5, "period": 604800}}, issued=True, title="Networker"
        ),
        "all-rounder": badge(
            {"all_of": [_in("40"), {"social_engagement": {"threshold": 10}}]}, title="All-rounder"
        ),
        "veteran": badge({"registered_for": {"threshold": 31536000}}, title="One year with us"),
    }


def _fill(ground: Ground) -> None:
    ground.ingest(*_events())
    url = literal("https://api.badgr.io/public/assertions/") + awards.c.user_id
    change(ground, state="issued", attempts=1, assertion_url=url)
    for user, values in _UNUSUAL.items():
        change(ground, [user], **{"assertion_url": None, **values})


def _in(path: str) -> dict[str, Any]:
    return {"lp_enroll": {"learning_path_id": path}}


# Where some people's awards stand.
_UNUSUAL: dict[str, dict[str, Any]] = {
    "ada-1": {"state": "failed", "last_error": "400: badgeclass: K829IK8RS6 does not exist", "attempts": 1},
    "cyn-2": {"state": "failed", "last_error": "400: recipient: not a valid email address", "attempts": 1},
    "dan-4": {"state": "failed", "last_error": "403: no permission to award this badge class", "attempts": 2},
    "eve-3": {"state": "pending", "attempts": 2},
    "fay-5": {"state": "issuing", "attempts": 1},
    "gus-4": {"state": "waiting", "attempts": 0},
    "hal-4": {"state": "revoked", "revoke_reason": "Enrolled by mistake"},
}


def _events() -> list[bytes]:
    found: list[bytes] = []
    for week, people in enumerate(_ENROLLED):
        start = now() - (len(_ENROLLED) - week) * 7 * _DAY
        for number in range(people):
            user = f"{_PEOPLE[number % len(_PEOPLE)]}-{week}{'' if number < len(_PEOPLE) else 'b'}"
            when = start + number * _DAY / 3
            found += [
                registered(when, user, uuid=f"uuid-of-{user}", email=f"{user}@example.org"),
                enrolled(when, user, "40"),
            ]
    last = now() - 3 * _DAY
    for number in range(4):
        found.append(met(last + number * _DAY / 2, "ada-1", f"{_PEOPLE[number + 3]}-4"))
    found += [event("post.created", last, user_id="ada-1", post_id=f"post-{number}") for number in range(6)]
    return [
        *found,
        b'{"specversion": "1.0", "type": "learning_path.completed.v1", "id": "7f1c", "source": "https://lms"}',
        event("post.created", now() + 400 * _DAY, user_id="bob", post_id="p-77"),
        event("learning_path.enrolled.v1.old", last, user="cyn").replace(b"}}", b"}"),
        b"<html><body>502 Bad Gateway</body></html>",
    ]


# Taking them


def _admin(window: Browser, address: str, folder: Path) -> None:
    window.open(address)
    window.fill("input[name=token]", TOKEN)
    window.click("#sign-in")
    pages = {
        "overview": "",
        "awards": "awards?badge=first-steps",
        "award": "award?user=dan-4&badge=first-steps",
        "letters": "letters",
        "badge": "badge?badge=first-steps",
        "progress": "progress?user=ada-1",
        "explained": "progress?user=ada-1&badge=networker",
        "issuers": "issuers",
    }
    for name, path in pages.items():
        window.open(f"{address}/{path}")
        _take(window, folder / f"admin-{name}.png")


def _take(window: Browser, file: Path) -> None:
    """Take what there is of a page, up to a screen and a half."""
    high = window.driver.execute_script("return document.body.scrollHeight")
    window.driver.set_window_size(1280, min(max(high, 400), 1000) + 140)
    window.driver.save_screenshot(str(file))


def _explorer(window: Browser, address: str, folder: Path) -> None:
    """Ask as somebody would: with a token and a user's context, and see the answer."""
    window.open(address)
    window.one(".graphiql-execute-button")
    headers = {"Authorization": f"Bearer {READER}", "Opigno-Client-UUID": "uuid-of-ada-1"}
    window.driver.execute_script(
        "document.querySelectorAll('.graphiql-editor-tool .CodeMirror').forEach("
        "each => each.CodeMirror.setValue(arguments[0]))",
        json.dumps(headers, indent=2),
    )
    window.driver.set_window_size(1560, 960)
    window.one(".graphiql-execute-button").click()
    wait_until(lambda: "totalItems" in window.texts(".result-window")[0], what="the answer")
    window.driver.save_screenshot(str(folder / "graphql-explorer.png"))


_STYLES = {
    r"^\$.*": "bold",
    "━+": "green",
    r"https?://\S+": "cyan",
    "^Exactly.*": "bold green",
    r"^  \.venv/.*": "bold",
}


def _demo(place: Path, file: Path) -> None:
    """Let the demo run and keep the beginning and the end of what it prints, as a drawing."""
    environment = {**os.environ, "COLUMNS": str(_COLUMNS), "TMPDIR": str(place)}
    command = [sys.executable, "-m", "worker", "demo"]
    # Where `make demo` runs it: it ends with commands as they are typed there.
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    left_out = len(lines) - _FIRST - _LAST
    shown = ["$ make demo", *lines[:_FIRST], f"  … {left_out} more lines …", *lines[-_LAST:]]
    text = Text("\n".join(shown))
    for pattern, style in _STYLES.items():
        text.highlight_regex(f"(?m){pattern}", style)
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=_COLUMNS, file=nowhere)
        console.print(text)
        file.write_text(console.export_svg(title="make demo", code_format=_SVG, unique_id="demo"))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else _IMAGES)
