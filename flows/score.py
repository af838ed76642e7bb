"""Scoring as a Prefect flow: what lies new in ``data/to_score``, by the champion of the moment.

The command ``selfsame score`` does it, as a process of its own: a run that dies takes it along.
"""

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from prefect import State, flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed

from flows.active_learning import run_command
from flows.figures import read_figures
from flows.runs import guarded
from selfsame.core.layout import DRIFT_PAGE

DRIFTED = 7  # the exit status of a scoring that alarms
PICTURES = 6  # of the artifact; the scoring's page has all


@flow(name="score")
def score() -> State:
    """Predict each new file once, by its content; the predictions go to `data/scored`.

    Returns:
        A completed state (`Cached` if nothing was new, `Drifted` if rows or predictions are unlike the
        training's), or a failed one whose message says what can't be scored.
    """
    return guarded(run_scoring)


def run_scoring() -> State:
    """Score what is new, and say what came of it."""
    made = json.loads(run_command("score", "--json", fine=(0, DRIFTED)))
    if made is None:
        return Completed(name="Cached", message="nothing new in data/to_score")
    get_run_logger().info("\n".join(made["said"]))
    lines = [f"* {plain(line)}" for line in made["said"]]
    text = "\n\n".join(["\n".join(lines), *pictures(Path(made["folder"]) / DRIFT_PAGE)])
    create_markdown_artifact(text, key="scoring", description="What was scored, and how unlike it is.")
    if made["alarms"]:
        return Completed(name="Drifted", message="\n".join([made["said"][0], *made["alarms"]]))
    return Completed(message=made["said"][0])


def pictures(page: Path) -> Iterator[str]:
    """Yield, as Markdown, the first pictures of a scoring's page: those that alarm, if any do."""
    if not page.exists():
        return
    yield "Gray: the training's rows. Blue: the new ones."
    for label, image in islice(read_figures(page), PICTURES):
        yield f"{plain(label)}\n\n![]({image})"


def plain(text: str) -> str:
    """Keep names and values from being read as Markdown or HTML."""
    return re.sub(r"([\\`*_{}\[\]<>()#|!&~])", r"\\\1", text)


if __name__ == "__main__":
    score()
