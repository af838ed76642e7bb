"""The page on which a person labels a request by key press: one file, offline, nothing sent anywhere."""

from pathlib import Path
from typing import Any

from selfsame.core.digests import sha256_json
from selfsame.core.tables import TableInfo
from selfsame.pages.template import fill

KEYS = "1234567890abcdefghijklmnopqrstuvwxyz"


def render_page(info: TableInfo, rows: list[dict[str, Any]]) -> str:
    """Return the page.

    Args:
        rows: of each question its ``example_id``, and its ``image`` as a data URI or its ``features``.
    """
    # The model's guess is left out on purpose: who sees it agrees with it too often.
    request = {
        "name": sha256_json([row["example_id"] for row in rows])[:16],
        "classes": list(info.classes),
        "rows": [_shown(row) for row in rows],
    }
    keys = list(zip(info.classes, keys_for(info.classes), strict=True))
    return fill(Path(__file__).with_name("page.html.j2"), source=info.source, keys=keys, request=request)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    """Give features as a list of pairs, which keeps its order in a browser."""
    return row | {"features": list(row["features"].items())} if "features" in row else row


def keys_for(classes: tuple[str, ...]) -> list[str]:
    """Return every class's key: its own sign if all have one, else 1, 2, …; beyond the keys none."""
    if len(set(classes)) == len(classes) and all(len(name) == 1 and name.isalnum() for name in classes):
        return list(classes)
    return [KEYS[place] if place < len(KEYS) else "" for place in range(len(classes))]
