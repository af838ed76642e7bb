"""A table of one's own: CSV, TSV or Parquet, one file or several, with the labels in one column."""

import csv
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from selfsame.core.digests import sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.tables import BATCH_ROWS, Column, TableInfo
from selfsame.sources.columns import class_names, describe_columns, encode, feature_names, label_values
from selfsame.sources.place import files_at, parts
from selfsame.sources.source import TRAIN, Batch, Source

MISSING = [
    "",
    "NA",
    "N/A",
    "NaN",
    "nan",
    "null",
    "NULL",
    "None",
]  # how a CSV file says that a value is missing
SEPARATORS = ",;\t|"
SNIFFED_BYTES = 64 * 1024
CSV_ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
PARQUET_ENDINGS = (".parquet",)


def table(
    place: Path,
    target: str,
    kind: Literal["classification", "regression"],
    ignore: list[str],
    separator: str | None,
) -> Source:
    """Return the rows of all files at ``place`` as one table; a row without a label is unlabeled.

    Args:
        target: the column to be learned; a file without it holds unlabeled rows only.
        ignore: columns that are no input.
        separator: what stands between two values of a CSV file; None finds out.

    Raises:
        SelfsameError: naming the file, the column or the value that can't be used.
    """
    files = files_at(place)
    tops = [file.name if file == place else file.relative_to(place).parts[0] for file in files]
    own = None if place.is_file() else parts(sorted(set(tops)), place)
    tables = read_files(files, target, ignore, separator)
    whole = join(tables, target)
    inputs = whole.drop_columns([target])
    classes = class_names(whole[target], target) if kind == "classification" else ()
    labels = label_values(whole[target], target, classes)
    aside = np.repeat(
        np.array([(own or {}).get(top, TRAIN) for top in tops], np.int8), [len(each) for each in tables]
    )
    columns = describe_columns(inputs)
    names = [file.name if file == place else file.relative_to(place).as_posix() for file in files]
    return Source(
        TableInfo("table", kind, classes, features=feature_names(columns), columns=columns),
        origin=f"own table: {', '.join(names)}; target {target}",
        licence="not stated",
        content=dict(zip(names, map(sha256_file, files), strict=True)),
        batches=_batches(inputs, columns, labels, None if own is None else aside),
    )


def read_files(files: list[Path], target: str, ignore: list[str], separator: str | None) -> list[pa.Table]:
    """Read files that have the same columns but for the target, which may be missing in some."""
    if not files:
        raise SelfsameError("data.path: no file is there", "put a CSV, TSV or Parquet file there")
    tables = [_read_file(file, separator) for file in files]
    columns = {*tables[0].column_names} - {target}
    for key, names in {"data.ignore_columns": ignore, "data.target_column": [target]}.items():
        for name in names:
            if not any(name in each.column_names for each in tables):
                raise _no_column(key, name, files[0], tables[0])
    for file, each in zip(files[1:], tables[1:], strict=True):
        if different := sorted(({*each.column_names} - {target}) ^ columns):
            raise SelfsameError(
                f"{file}: its columns are not those of {files[0]}; they differ in {', '.join(different)}",
                "give all files the same columns, or point data.path at one file",
            )
    return [each.drop_columns(ignore) for each in tables]


def join(tables: list[pa.Table], target: str) -> pa.Table:
    """Return the rows of all tables; the target is null in those that don't have it."""
    columns = [name for name in tables[0].column_names if name != target]
    try:
        whole = pa.concat_tables(
            [each.select([*columns, *({target} & {*each.column_names})]) for each in tables],
            promote_options="permissive",
        )
    except pa.ArrowException as error:
        raise SelfsameError(
            f"data.path: a column is a number in one file and text in another: {error}",
            "mend the column, or name it in data.ignore_columns",
        ) from None
    return whole.combine_chunks()


def _read_file(file: Path, separator: str | None) -> pa.Table:
    name = file.name.lower()
    try:
        if name.endswith(PARQUET_ENDINGS):
            found = pq.read_table(file)
        elif name.endswith(CSV_ENDINGS):
            found = _read_csv(file, separator)
        else:
            raise SelfsameError(
                f"{file}: neither of {', '.join((*CSV_ENDINGS, *PARQUET_ENDINGS))}",
                "point data.path at the table itself, or remove the file",
            )
    except (pa.ArrowException, OSError, UnicodeDecodeError, csv.Error) as error:
        raise SelfsameError(f"{file}: can't be read: {error}", "mend the file; text must be UTF-8") from None
    repeated = [each for each in found.column_names if found.column_names.count(each) > 1]
    if repeated:
        raise SelfsameError(f"{file}: two columns are called {repeated[0]!r}", "rename one of them")
    for field in found.schema:
        if pa.types.is_binary(field.type):  # what Arrow makes of text that is no UTF-8
            raise SelfsameError(f"{file}: column {field.name!r} is not UTF-8 text", "save the file as UTF-8")
    if not len(found):
        raise SelfsameError(f"{file}: no rows", "give it some, or remove it")
    return found


def _read_csv(file: Path, separator: str | None) -> pa.Table:
    return pa_csv.read_csv(
        file,
        parse_options=pa_csv.ParseOptions(delimiter=separator or _sniff(file), newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(null_values=MISSING, strings_can_be_null=True),
    )


def _sniff(file: Path) -> str:
    """Return the separator that cuts the first lines into the most values, the same number in each."""
    with pa.input_stream(str(file), compression="detect") as stream:
        start = stream.read(SNIFFED_BYTES)
    text = start[: start.rfind(b"\n") + 1 or None].decode("utf-8-sig")
    lines = text.splitlines()[:20]
    best, most = "", 1
    for candidate in SEPARATORS:
        widths = {len(row) for row in csv.reader(lines, delimiter=candidate) if row}
        if len(widths) == 1 and max(widths) > most:
            best, most = candidate, max(widths)
    if not best:
        raise SelfsameError(
            f"{file}: no separator of {', '.join(map(repr, SEPARATORS))} cuts its first lines alike",
            "set data.separator, or mend the lines: each must have as many values as the header",
        )
    return best


def _no_column(key: str, name: str, file: Path, found: pa.Table) -> SelfsameError:
    near = get_close_matches(name, found.column_names, n=1)
    fix = f"did you mean {near[0]!r}?" if near else f"its columns are {', '.join(found.column_names)}"
    return SelfsameError(f"{key} = {name!r}: {file} has no such column", fix)


def _batches(
    inputs: pa.Table, columns: tuple[Column, ...], labels: np.ndarray, aside: np.ndarray | None
) -> Iterator[Batch]:
    for start in range(0, len(inputs), BATCH_ROWS):
        rows = slice(start, start + BATCH_ROWS)
        yield Batch(
            encode(inputs.slice(start, BATCH_ROWS), columns),
            labels[rows],
            None if aside is None else aside[rows],
        )
