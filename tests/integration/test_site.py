"""The documents as a site: whole, with every page in its place, and with nothing loaded from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ELSEWHERE = re.compile(r"\s*(https?:)?//", re.IGNORECASE)
# What a browser loads by itself; a link that somebody may follow is none.
LOADED = {
    "script": ("src",),
    "link": ("href",),
    "img": ("src", "srcset"),
    "source": ("src", "srcset"),
    "iframe": ("src",),
    "object": ("data",),
    "embed": ("src",),
    "video": ("src", "poster"),
    "audio": ("src",),
    "use": ("href", "xlink:href"),
    "image": ("href", "xlink:href"),
    "form": ("action",),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


class Loads(HTMLParser):
    """Notes what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.classes |= set(given.get("class", "").split())
        if tag == "link" and given.get("rel") == "canonical":  # only says where the page is
            return
        self.found += [given[name] for name in LOADED.get(tag, ()) if name in given]
        self.found += re.findall(r"url\(([^)]*)\)", given.get("style", ""))


def pages(site: Path) -> Iterator[tuple[Path, Loads]]:
    for page in site.rglob("*.html"):
        loads = Loads()
        loads.feed(page.read_text("utf-8"))
        yield page, loads


def test_no_page_loads_anything_from_elsewhere(site: Path) -> None:
    loaded = {page.name: loads.found for page, loads in pages(site)}

    assert {"index.html", "architecture.html", "CHANGELOG.html"} <= set(loaded)
    assert any(loaded.values())
    assert [url for found in loaded.values() for url in found if ELSEWHERE.match(url)] == []


def test_no_page_lets_the_themes_scripts_load_anything(site: Path) -> None:
    # Diagrams in text make it load their renderer, and a repository's address what it says of itself.
    classes = {name for _, loads in pages(site) for name in loads.classes}

    assert classes & {"mermaid", "md-source"} == set()


@pytest.mark.parametrize("kind", ["*.css", "*.svg"])
def test_neither_do_styles_and_pictures(site: Path, kind: str) -> None:
    files = list(site.rglob(kind))
    texts = [file.read_text("utf-8") for file in files]

    loaded = [
        url
        for text in texts
        for url in re.findall(r"(?:url\(|@import\s|href=)[\"']?([^\"')]+)", text)
        if ELSEWHERE.match(url)
    ]

    assert files
    assert loaded == []


def test_nothing_names_a_host_that_gives_scripts_and_styles_away(site: Path) -> None:
    hosts = re.compile(
        r"https?://[^/\"'`\s]*(?:unpkg|jsdelivr|cdn|googleapis|gstatic|skypack|esm\.sh)",
        re.IGNORECASE,
    )
    files = [file for kind in ("html", "js", "css", "svg", "map") for file in site.rglob(f"*.{kind}")]

    named = {file.name: hosts.findall(file.read_text("utf-8")) for file in files}

    assert len(files) > 20
    assert {name: found for name, found in named.items() if found} == {}


def test_there_are_no_fonts(site: Path) -> None:
    assert [file for kind in ("woff", "woff2", "ttf") for file in site.rglob(f"*.{kind}")] == []


def test_what_lies_outside_the_documents_is_there_too(site: Path) -> None:
    index = (site / "index.html").read_text("utf-8")

    linked = re.findall(r'href="(project/[^"]+)"', index)

    assert {"project/config/badges.yaml", "project/CHANGELOG.html"} <= set(linked)
    assert [name for name in linked if not (site / name).exists()] == []
