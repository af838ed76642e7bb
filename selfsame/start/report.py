"""What a survey found, as lines for a terminal."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from selfsame.core.tables import TableInfo
from selfsame.sources.faults import LONGEST, counted, shortened
from selfsame.start.guess import LARGEST_PHOTO
from selfsame.start.survey import Survey, roles_line

SHOWN_COLUMNS = 60
SHOWN_CLASSES = 20
START_SECONDS = 8.0
# Measured with the preset own-table, all six stages: 35 s for 30 labeled rows and 198 of a pool, 45 s for 200
# and 2,578, 53 s for 337 and 3,921, 63 s for 169 and 10,000; 264 s for 12,384 and none
TABLE_SECONDS, ROW_SECONDS, POOL_ROW_SECONDS = 28.0, 0.03, 0.002


@dataclass(frozen=True)
class Pace:
    """How long photos take with a preset, in seconds of one core.

    Attributes:
        step: what a step takes whatever it holds.
        image: what an image of ``side`` pixels takes in it.
    """

    baseline_epochs: int
    student_epochs: int
    batch_rows: int
    pool_batch_rows: int
    step: float
    image: float
    side: int


# Measured on a busy machine: 106 s for a whole run of 30 labeled photos of 16 pixels, 80 in the pool; stages
# of fewer epochs with 16, 32 and 64 pixels, 30 and 120 labeled photos.
SCRATCH = Pace(60, 100, 64, 192, 0.55, 0.015, 64)
# Measured: 311 s of one core for 25 labeled photos of 128 pixels, 50 for validation and 314 in the pool.
TRAINED = Pace(40, 40, 64, 64, 0.1, 0.04, 128)


def report_lines(found: Survey) -> Iterator[str]:
    """Yield what was found, what becomes of it, what is worth knowing and what must be mended."""
    yield from _what(found)
    yield from _columns(found)
    yield from _labels(found)
    yield from _groups(found)
    yield from roles_line(found)
    yield from _time(found)
    for note in found.notes:
        yield f"note: {note}"
    for fault in found.faults:
        yield f"to mend: {fault.what}"
        yield f"    fix: {fault.fix}"


def _groups(found: Survey) -> Iterator[str]:
    if found.given is not None and found.given.group is not None:
        rows = np.unique(found.given.group, return_counts=True)[1]
        largest = counted(int(rows.max()), "row")
        yield f"groups: {len(rows):,}, the largest of {largest}; none will be in two roles"


def _time(found: Survey) -> Iterator[str]:
    """Yield about how long a run takes with the model that ``init`` writes."""
    if found.accounted is None or found.source is None:
        return
    rows = {name: part["rows"] for name, part in found.accounted["roles"].items()}
    seconds, error = START_SECONDS, "half as much and twice as much are possible"
    if shape := found.source.info.image_shape:
        error = "a third and three times as much are possible, and a GPU takes far less"
        pace = TRAINED if shape[1] > LARGEST_PHOTO else SCRATCH
        steps = math.ceil(rows["labeled"] / pace.batch_rows)
        image = pace.image * shape[1] * shape[2] / pace.side**2
        labeled, pool = min(pace.batch_rows, rows["labeled"]), min(pace.pool_batch_rows, rows["pool"])
        seconds += pace.baseline_epochs * steps * (pace.step + image * labeled)
        seconds += pace.student_epochs * steps * (pace.step + image * (labeled + pool))
    else:
        seconds = TABLE_SECONDS + ROW_SECONDS * rows["labeled"] + POOL_ROW_SECONDS * rows["pool"]
    yield (
        f"time: about {_lasting(seconds)} of one processor core, an estimate for the model that "
        f"'selfsame init' writes; {error}"
    )


def _lasting(seconds: float) -> str:
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds > 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"


def _what(found: Survey) -> Iterator[str]:
    if found.analysis is not None:
        table = found.analysis
        rows, files = sum(table.rows), len(table.files)
        yield f"{found.place}: a table of {counted(rows, 'row')} in {counted(files, 'file')}"
        for file, count, labels in zip(table.files, table.rows, table.labeled, strict=True):
            if files > 1:
                yield f"  {table.place.name(file.path)}: {counted(count, 'row')}, {labels:,} with a label"
    elif found.source is not None and found.given is not None:
        yield f"{found.place}: {counted(len(found.given.labels), 'row')}, {_shape(found.source.info)}"


def _shape(info: TableInfo) -> str:
    if not info.image_shape:
        return f"{counted(len(info.features), 'feature')}"
    channels, height, width = info.image_shape
    return f"images of {width}×{height} pixels, {'grey' if channels == 1 else f'{channels} colors'}"


def _columns(found: Survey) -> Iterator[str]:
    if found.analysis is None:
        return
    rows = sum(found.analysis.rows)
    lines = [("column", "taken for", "missing", "why")]
    for name, verdict in found.analysis.verdicts.items():
        seen = found.analysis.seen[name]
        missing = rows - seen.known
        mark = "! " if verdict.fault else "? " if verdict.note else ""
        lines.append(
            (mark + (_class(name) or "''"), verdict.kind, f"{missing:,}" if missing else "", verdict.why)
        )
    yield from _aligned(lines[: SHOWN_COLUMNS + 1])
    if len(lines) > SHOWN_COLUMNS + 1:
        yield f"  and {len(lines) - SHOWN_COLUMNS - 1} more columns"
    if found.analysis.ignored:
        yield f"left out: {', '.join(found.analysis.ignored)}"


def _aligned(lines: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  " + "  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip()


def _labels(found: Survey) -> Iterator[str]:
    if found.source is None or found.given is None:
        return
    counts = found.counts
    if counts:
        shown = [f"{_class(name)} {rows:,}" for name, rows in list(counts.items())[:SHOWN_CLASSES]]
        more = f" and {len(counts) - SHOWN_CLASSES} more" if len(counts) > SHOWN_CLASSES else ""
        yield f"{len(counts)} classes, with their labeled rows: {', '.join(shown)}{more}"
    else:
        known = found.given.labels[found.given.labels == found.given.labels]
        yield f"values to predict: {len(known):,}, from {known.min():.6g} to {known.max():.6g}"
    if found.repeats is not None and found.repeats.dropped.any():
        dropped, known = found.repeats.dropped, ~np.isnan(found.given.labels)
        labeled, against = int((dropped & known).sum()), int(found.repeats.contradicting.sum())
        yield (
            f"repeats: {counted(int(dropped.sum()), 'row')} with the inputs of another, {labeled:,} of them "
            f"with a label; {counted(against, 'row')} with contradicting labels"
        )
    marks = {
        word: count for word, count in dict(found.source.facts.get("unlabeled_words", {})).items() if count
    }
    if marks:
        words = ", ".join(
            f"{count:,} {f'marked {word!r}' if word else 'left empty'}" for word, count in marks.items()
        )
        yield f"rows without a label: {words}"


def _class(name: str) -> str:
    """Return a class's name for a terminal: a long one cut, one with signs that don't print in quotes."""
    return name if name.isprintable() and len(name) <= LONGEST else shortened(name)
