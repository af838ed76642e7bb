"""Scoring as a Prefect flow: what lies new in ``data/to_score``, by the champion of the moment.

The command ``selfsame score`` does it, as a process of its own: a run that dies takes it along.
"""

import json

from prefect import State, flow
from prefect.artifacts import create_markdown_artifact
from prefect.states import Completed

from flows.active_learning import run_command
from flows.runs import guarded

DRIFTED = 7  # the exit status of a scoring that alarms


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
    text = "\n".join(f"* {line}" for line in made["said"])
    create_markdown_artifact(text, key="scoring", description="What was scored.")
    if made["alarms"]:
        return Completed(name="Drifted", message="\n".join([made["said"][0], *made["alarms"]]))
    return Completed(message=made["said"][0])


if __name__ == "__main__":
    score()
