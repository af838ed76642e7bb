"""Whatever a program gives to be predicted, as a model's inputs: arrays, tables, images, paths."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import TableInfo, stored_info
from selfsame.scoring.prepare import Preparation
from selfsame.scoring.read import read_rows
from selfsame.sources.words import tidy


def inputs_of_rows(rows: Any, preparation: Preparation) -> np.ndarray:
    """Return the inputs of whatever ``predict`` takes, all at once.

    Raises:
        SelfsameError: it is none of these, or doesn't fit the model.
    """
    if isinstance(rows, np.ndarray):
        return preparation.of_array(rows, "the array")
    if isinstance(rows, pa.RecordBatch) or hasattr(rows, "__arrow_c_stream__"):
        return _of_table(pa.table(rows), preparation)
    if isinstance(rows, str | Path):
        rows = [rows]
    if hasattr(rows, "getexif"):  # a PIL image
        rows = [rows]
    if not isinstance(rows, Iterable):
        raise SelfsameError(
            f"rows of the type {type(rows).__name__}",
            "give a NumPy array, an Arrow table or a data frame, PIL images, or paths",
        )
    made = [_of_one(each, preparation) for each in rows]
    return np.concatenate([_nothing(preparation.info), *made])


def _of_one(one: Any, preparation: Preparation) -> np.ndarray:
    if isinstance(one, str | Path):
        chunks = [chunk.inputs for chunk in read_rows(Path(one), preparation)]
        return np.concatenate([_nothing(preparation.info), *chunks])
    if hasattr(one, "getexif"):
        return preparation.of_image(one, "an image")[None]
    raise SelfsameError(
        f"a row of the type {type(one).__name__}",
        "in a list give PIL images, or paths; else an array or a table",
    )


def _of_table(table: pa.Table, preparation: Preparation) -> np.ndarray:
    info = stored_info(table.schema)
    if info is None:
        table = table.rename_columns([tidy(name) for name in table.column_names])
        table = table.select(preparation.columns_to_read(table.column_names, "the table"))
    made, first = [_nothing(preparation.info)], 0
    for batch in table.combine_chunks().to_batches():
        made.append(
            preparation.of_batch(batch, "the table", first)
            if info is None
            else preparation.of_examples(batch, info, "the table")
        )
        first += batch.num_rows
    return np.concatenate(made)


def _nothing(info: TableInfo) -> np.ndarray:
    return np.empty((0, *info.input_shape), np.uint8 if info.image_shape else np.float64)
