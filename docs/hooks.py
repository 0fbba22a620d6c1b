"""What mkdocs does besides: files outside docs/ are part of the site, and its scripts name no other host.

On the pages they are linked as they lie in the repository, and so the same link works in both places.
"""  # noqa: INP001 # mkdocs loads it by its path

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "config/badges.yaml", "config/example.env")
FOLDER = "project"  # where they are in the site
_LOADED_ELSEWHERE = "https://unpkg.com/"  # for old browsers, and for diagrams that are written as text


def on_files(files: Files, config: Any) -> Files:
    """Add what lies outside."""
    root = Path(config["config_file_path"]).parent
    for name in OUTSIDE:
        content = (root / name).read_text("utf-8")
        files.append(File.generated(config, f"{FOLDER}/{name}", content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links lead to where the files are in the site."""
    if page.file.src_uri.startswith(f"{FOLDER}/"):
        return markdown.replace("](docs/", "](../")
    return re.sub(r"\]\(\.\./(?=(?:" + "|".join(map(re.escape, OUTSIDE)) + r")\))", f"]({FOLDER}/", markdown)


def on_post_build(config: Any) -> None:
    """Leave no address of another host in the theme's scripts: they would load what we do without."""
    for script in Path(config["site_dir"], "assets", "javascripts").rglob("*.js*"):
        text = script.read_text("utf-8")
        if _LOADED_ELSEWHERE in text:
            script.write_text(text.replace(_LOADED_ELSEWHERE, ""), "utf-8")
