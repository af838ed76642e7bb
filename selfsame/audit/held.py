"""Files known by name and digest, with the tables and documents among them, wherever their bytes are."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from selfsame.audit.lookup import Table

if TYPE_CHECKING:
    from selfsame.audit.snapshot import Snapshot


class Held:
    """What one execution read, or wrote, or what a project has at a moment.

    Args:
        digests: name in the project → digest, as ``Snapshot.place`` takes it.
    """

    def __init__(self, snapshot: "Snapshot", digests: Mapping[str, str]) -> None:
        self._snapshot, self._digests = snapshot, digests

    def named(self, stem: str, suffix: str) -> dict[str, str]:
        """Return the files of that stem, or below a folder of it (``data/splits/pool`` is ``pool``)."""
        return {
            name: digest
            for name, digest in sorted(self._digests.items())
            if name.endswith(suffix) and stem in (Path(name).stem, Path(name).parent.name)
        }

    def has(self, stem: str) -> bool:
        """Tell whether there is a table or a document of that stem."""
        return self.has_table(stem) or bool(self.named(stem, ".json"))

    def has_table(self, stem: str) -> bool:
        """Tell whether there is a table of that stem."""
        return bool(self.named(stem, ".parquet"))

    def parts(self, stem: str) -> list[Path] | None:
        """Return where the parts of a table are, in their order; None if there is no such table."""
        named = self.named(stem, ".parquet")
        return [self._snapshot.place(*file) for file in named.items()] or None

    def metadata(self, stem: str, key: bytes) -> dict[str, Any]:
        """Return what a table carries under a key of its metadata; empty if nothing."""
        import pyarrow.parquet as pq

        parts = self.parts(stem)
        metadata = (pq.read_schema(parts[0]).metadata or {}) if parts else {}
        return json.loads(metadata[key]) if key in metadata else {}

    def table(self, stem: str) -> Table | None:
        """Open the table of that stem; the same files are opened once."""
        key = tuple(self.named(stem, ".parquet").items())
        tables = self._snapshot.tables
        if key and key not in tables:
            tables[key] = Table([self._snapshot.place(*file) for file in key])
        return tables.get(key)

    def text(self, stem: str, suffix: str = ".csv") -> str | None:
        """Read the file of that stem; None if there is none."""
        place = next((self._snapshot.place(*file) for file in self.named(stem, suffix).items()), None)
        return place.read_text(encoding="utf-8") if place else None

    def document(self, stem: str) -> Any:
        """Read the JSON file of that stem; None if there is none."""
        text = self.text(stem, ".json")
        return None if text is None else json.loads(text)
