"""Data looked at before a training: what they are taken for, what is wrong, which roles there will be.

It goes by the very analysis and the very draw of the stages download and split.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo, id_column
from selfsame.params.data import DATA, DataParams, OwnData, Table
from selfsame.params.reading import load_section
from selfsame.params.split import SplitParams
from selfsame.roles.decide import account, decide, said
from selfsame.roles.given import Given, Part, gather, halves
from selfsame.roles.repeats import Repeats, find_repeats
from selfsame.sources.analysis import Analysis, analyze_table
from selfsame.sources.faults import Fault, stop_if_any
from selfsame.sources.opened import open_source
from selfsame.sources.place import is_empty
from selfsame.sources.source import Batch, Source
from selfsame.sources.table import source_of

SAMPLE = 2000  # rows that are kept to be shown


@dataclass
class Survey:
    """What was found.

    Attributes:
        analysis: of a table.
        source: None where faults leave none.
        given: what the roles are drawn by; None likewise.
        accounted: what becomes of rows and labels with these parameters; None likewise.
        sample: inputs of the first rows, and their labels as a ``Batch`` has them.
    """

    place: Path
    analysis: Analysis | None = None
    source: Source | None = None
    given: Given | None = None
    repeats: Repeats | None = None
    accounted: dict[str, Any] | None = None
    sample: tuple[np.ndarray, np.ndarray] | None = None
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """Return how many rows each class has."""
        if self.source is None or self.given is None:
            return {}
        labels = self.given.labels
        return {name: int((labels == place).sum()) for place, name in enumerate(self.source.info.classes)}


def check_data() -> list[str]:
    """Look at one's own data, if there are any at ``data.path``; return what is worth knowing.

    Raises:
        SelfsameError: naming everything that is wrong with them.
    """
    data = load_section("data", DATA)
    if not isinstance(data, OwnData) or is_empty(Path(data.path)):
        return []
    found = survey(data, load_section("split", SplitParams), Path(data.path))
    stop_if_any(found.faults)
    return [*roles_line(found), *(f"note: {note}" for note in found.notes)]


def roles_line(found: Survey) -> list[str]:
    """Return the sentence on how many rows get which role, if they were drawn."""
    if found.accounted is None:
        return []
    roles = found.accounted["roles"]
    shown = [f"{name} {part['rows']:,}" for name, part in roles.items() if part["rows"] or name == "pool"]
    hidden = roles["pool"]["labels"]
    more = f"; of the pool {hidden:,} rows have a label that is hidden, to measure by" if hidden else ""
    return [f"roles: {', '.join(shown)}{more}"]


def survey(data: DataParams, split: SplitParams, place: Path) -> Survey:
    """Look at the data in ``place`` and draw the roles; what is wrong is gathered, not raised."""
    return draw(look(data, split, place), split)


def look(data: DataParams, split: SplitParams, place: Path, analysis: Analysis | None = None) -> Survey:
    """Look at the data in ``place``.

    Args:
        split: names the columns of groups and times, if any.
        analysis: of the table there, if it was made already.
    """
    found = Survey(place, analysis)
    try:
        if isinstance(data, Table):
            found.analysis = analysis or analyze_table(place, data)
            found.faults += found.analysis.faults
            found.notes += found.analysis.notes
            found.source = None if found.faults else source_of(found.analysis)
        else:
            found.source = open_source(data, place)
            found.notes += found.source.notes
        if found.source is not None:
            info = found.source.info
            found.given = gather(_parts(found, found.source.batches, info), info, split)
            found.repeats = find_repeats(found.given)
    except SelfsameError as error:
        found.faults.append(Fault.of(error))
    return found


def draw(found: Survey, split: SplitParams) -> Survey:
    """Draw the roles, if the data can be used; say what becomes of every row."""
    if found.source is not None and found.given is not None:
        try:
            decision = decide(found.given, found.source.info, split, str(found.place))
            found.accounted = account(decision, found.given)
            found.notes += said(found.accounted)
        except SelfsameError as error:
            found.faults.append(Fault.of(error))
    return found


def _parts(found: Survey, batches: Iterator[Batch], info: TableInfo) -> Iterator[Part]:
    inputs: list[np.ndarray] = []
    labels: list[np.ndarray] = []
    for batch in batches:
        given = info.labels.as_given(batch.labels)
        if sum(map(len, inputs)) < SAMPLE:
            inputs.append(batch.inputs)
            labels.append(given)
        own = np.zeros(len(given), np.int8) if batch.own is None else batch.own
        yield Part(halves(id_column(batch.inputs)), given, own, batch.kept, batch.inputs)
    found.sample = (np.concatenate(inputs)[:SAMPLE], np.concatenate(labels)[:SAMPLE])
