"""Files known by name and digest, wherever their bytes are; tables of many millions of rows among them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from selfsame.core.layout import ID, INFO_KEY

if TYPE_CHECKING:
    from selfsame.audit.snapshot import Snapshot

GROUPS = 64  # of rows, read at a time


class Table:
    """A table in parts."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._parts = list(parts)
        # Without pre-buffering, which would hold a whole column of every part that was opened.
        self._files = [pq.ParquetFile(part, pre_buffer=False) for part in self._parts]
        self._counts = [file.metadata.num_rows for file in self._files]
        self.rows = sum(self._counts)
        self._found: dict[str, int | None] = {}

    @property
    def columns(self) -> list[str]:
        """The columns that are no input: an auditor wants decisions, not pixels."""
        schema = self._files[0].schema_arrow
        if INFO_KEY not in (schema.metadata or {}):
            return schema.names
        first, *later = schema.names
        return [first, *later[later.index("label") :]]  # id, inputs, label and what follows

    def find(self, example_id: str, hint: int | None = None) -> int | None:
        """Return the position of an example, or None.

        Args:
            hint: where it stands if this table has the order of another one.
        """
        if example_id not in self._found:
            fits = hint is not None and hint < self.rows and self.row(hint, [ID])[ID] == example_id
            self._found[example_id] = hint if fits else self._search(example_id)
        return self._found[example_id]

    def _search(self, example_id: str) -> int | None:
        start = 0
        for part, file in zip(self._parts, self._files, strict=True):
            with part.open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as content:
                for group in range(file.metadata.num_row_groups):
                    described = file.metadata.row_group(group)
                    if _may_hold(described.column(0), content, example_id.encode()):
                        ids = file.read_row_group(group, columns=[ID]).column(0).to_pylist()
                        if example_id in ids:
                            return start + ids.index(example_id)
                    start += described.num_rows
        return None

    def chunks(self, *columns: str) -> Iterator[pa.Table]:
        """Yield some columns in the order of the rows, up to half a million rows at a time.

        By this thread alone, which takes half of the processors' time that several take.
        """
        for file in self._files:
            groups = range(file.metadata.num_row_groups)
            for start in groups[::GROUPS]:
                some = groups[start : start + GROUPS]
                yield file.read_row_groups([*some], columns=[*columns], use_threads=False)

    def read(self, *columns: str) -> pa.Table:
        """Read some columns whole."""
        empty = self._files[0].schema_arrow.empty_table().select(columns)
        return pa.concat_tables([empty, *self.chunks(*columns)])

    def row(self, position: int, columns: Sequence[str] = ()) -> dict[str, Any]:
        """Read one row, without its input; of each part only the group of rows that has it is read.

        Args:
            columns: these alone.
        """
        for file, count in zip(self._files, self._counts, strict=True):
            if position >= count:
                position -= count
                continue
            for group in range(file.metadata.num_row_groups):
                held = file.metadata.row_group(group).num_rows
                if position < held:
                    rows = file.read_row_group(group, columns=[*(columns or self.columns)])
                    return rows.slice(position, 1).to_pylist()[0]
                position -= held
        raise IndexError(position)

    def count(self, column: str, values: Sequence[Any]) -> int:
        """Count the rows whose ``column`` is one of ``values``.

        A group of rows that all have the same value, as its footer tells, is not read.
        """
        total = 0
        for file in self._files:
            index, left = file.schema_arrow.get_field_index(column), []
            for group in range(file.metadata.num_row_groups):
                metadata = file.metadata.row_group(group)
                statistics = metadata.column(index).statistics
                if statistics is not None and statistics.has_min_max and statistics.min == statistics.max:
                    total += metadata.num_rows if statistics.min in values else 0
                else:
                    left.append(group)
            if left:
                import pyarrow.compute as pc  # late: loading it takes as long as a look-up

                read = file.read_row_groups(left, columns=[column], use_threads=False).column(0)
                total += pc.sum(pc.is_in(read, pa.array(values))).as_py() or 0
        return total

    def where(self, column: str, value: Any) -> list[dict[str, Any]]:
        """Return all rows, without their inputs, that have ``value`` in ``column``."""
        wanted = [(column, "==", value)]
        found = (pq.read_table(part, columns=self.columns, filters=wanted) for part in self._parts)
        return [row for table in found for row in table.to_pylist()]


def _may_hold(column: Any, content: mmap, word: bytes) -> bool:
    """Tell whether a value of a column's chunk may be ``word``: its bytes are searched as they lie there."""
    if column.path_in_schema != ID or column.compression != "UNCOMPRESSED" or column.has_dictionary_page:
        return True
    first = column.data_page_offset
    return content.find(word, first, first + column.total_compressed_size) >= 0


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
