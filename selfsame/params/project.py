"""What can be known of a project before anything runs: its parameters, and the place of its data."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from selfsame.core.graph_file import read_stages, read_yaml
from selfsame.core.layout import PARAMS_FILE
from selfsame.params.check import check_params
from selfsame.params.feedback import FeedbackParams
from selfsame.params.reading import refuse
from selfsame.params.together import search_problems


def check_project() -> None:
    """Check all that can be known without running: ``params.yaml``, and the place of the data.

    Raises:
        SelfsameError: naming everything that is wrong.
    """
    written = read_yaml(PARAMS_FILE)
    sections = check_params(written)
    refuse(
        [
            *search_problems(written, cast("FeedbackParams", sections["feedback"])),
            *place_problems(sections["data"]),
        ]
    )


def place_problems(data: Any) -> Iterator[str]:
    """Say what is wrong with the place of the data: it isn't there, or a stage writes it."""
    place = Path(data.path)
    outputs = [Path(output) for stage in read_stages().values() for output in stage.outputs]
    for output in outputs:
        if place.is_relative_to(output) or output.is_relative_to(place):
            yield f"data.path = {data.path}: a stage writes {output}; name a place of your own"
    if not place.exists():
        yield f"data.path = {data.path}: no such file or folder in {Path.cwd()}"
