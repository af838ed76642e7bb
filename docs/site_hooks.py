"""Pages that stand outside of ``docs/`` and lists that keep themselves; read by mkdocs alone."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {  # page of the site → file of the project
    "index.md": "README.md",
    "contributing.md": "CONTRIBUTING.md",
    "changelog.md": "CHANGELOG.md",
    "security.md": "SECURITY.md",
    "license.md": "LICENSE",
}


def on_config(config: Any) -> Any:
    """Complete the table of contents: decisions, the newest first, and pages that stand nowhere yet."""
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"), reverse=True)
    config.nav.append({"Decisions": [f"decisions/{path.name}" for path in decisions]})
    known = set(re.findall(r"[\w./-]+\.md", str(config.nav)))
    if more := sorted(path.name for path in (ROOT / "docs").glob("*.md") if path.name not in known):
        config.nav.insert(-1, {"More": more})
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add what stands at the project's top, with its links as seen from ``docs/``."""
    names = {file: page for page, file in OUTSIDE.items()}
    for page, file in OUTSIDE.items():
        text = (ROOT / file).read_text(encoding="utf-8").replace("](docs/", "](")
        text = text if file.endswith(".md") else f"```text\n{text}```\n"
        for other, as_page in names.items():
            text = text.replace(f"]({other}", f"]({as_page}")
        files.append(File.generated(config, page, content=text))
    return files
