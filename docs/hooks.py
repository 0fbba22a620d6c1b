"""What mkdocs does besides: files of the project outside docs/ are part of the site, and links lead to them.

On the pages they are linked as they lie in the repository, and so the same link works in both places.
"""  # noqa: INP001 # mkdocs loads it by its path

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

OUTSIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "config/badges.yaml", "config/example.env")
FOLDER = "project"  # where they are in the site


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
