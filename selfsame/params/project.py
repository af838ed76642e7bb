"""What can be known of a project before anything runs: its parameters, and the place of its data."""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from selfsame.core.graph_file import read_stages, read_yaml
from selfsame.core.layout import PARAMS_FILE
from selfsame.params.check import check_params
from selfsame.params.data import Table
from selfsame.params.reading import refuse
from selfsame.params.together import search_problems

TEXT = (".csv", ".tsv", ".txt")
CHUNK_BYTES = 1 << 20


def check_project() -> None:
    """Check all that can be known without running: ``params.yaml``, and the place of the data.

    Raises:
        SelfsameError: naming everything that is wrong.
    """
    written = read_yaml(PARAMS_FILE)
    sections = check_params(written)
    refuse([*search_problems(written, sections["feedback"]), *place_problems(sections["data"])])


def place_problems(data: Any) -> Iterator[str]:
    """Say what is wrong with the place of the data: it isn't there, a stage writes it, it is not UTF-8."""
    place = Path(data.path)
    outputs = [Path(output) for stage in read_stages().values() for output in stage.outputs]
    for output in outputs:
        if place.is_relative_to(output) or output.is_relative_to(place):
            yield f"data.path = {data.path}: a stage writes {output}; name a place of your own"
    if not place.exists():
        yield f"data.path = {data.path}: no such file or folder in {Path.cwd()}"
    elif isinstance(data, Table):
        files = [place] if place.is_file() else sorted(place.rglob("*"))
        faults = ((file, _not_text(file)) for file in files if file.suffix.lower() in TEXT)
        yield from (f"data.path = {data.path}: {file}: {fault}" for file, fault in faults if fault)


def _not_text(file: Path) -> str | None:
    """Say where a file is not UTF-8, if it isn't."""
    decoder, start = codecs.getincrementaldecoder("utf-8")(), 0
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            try:
                decoder.decode(chunk)
            except UnicodeDecodeError as error:
                return f"not UTF-8 at about byte {start + error.start}; save it as UTF-8"
            start += len(chunk)
    return None
