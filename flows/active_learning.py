"""Active learning as a Prefect flow: bring all up to date, ask, wait for people, learn from their answers.

Asking and answering are the commands ``selfsame ask`` and ``selfsame answer``, each a process of its own: a
flow that waits for days holds neither a model in memory nor the workspace.
"""

import subprocess
import sys
from pathlib import Path

from prefect import State, flow, get_run_logger
from prefect.artifacts import create_markdown_artifact
from prefect.exceptions import FlowPauseTimeout
from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput

from flows.pipeline import check_params, run_graph
from flows.request import RunRequest
from flows.runs import guarded
from selfsame.core.errors import SelfsameError

POLL_SECONDS = 5
REQUEST = "data/annotations/request.html"


class Answers(RunInput):
    """What a person enters to resume the flow.

    Attributes:
        file: the answers, as the page or Label Studio has saved them; a path on the flow's machine.
        annotator: who gave them, where the file doesn't say.
    """

    file: str
    annotator: str = ""


@flow(name="active-learning")
def active_learning(rounds: int = 1, wait_hours: float = 72, commit: bool = True) -> State:
    """Ask for labels and learn from them.

    Args:
        rounds: how often.
        wait_hours: for the answers of one round; then the flow fails, and 'selfsame answer' still takes them.
        commit: record every round's answers, and what came of them, in git.

    Returns:
        The pipeline's state after the last round, or a failed one.
    """
    return guarded(lambda: run_rounds(rounds, wait_hours, commit))


def run_rounds(rounds: int, wait_hours: float, commit: bool) -> State:
    """Bring all up to date, and after each round's answers again."""
    request = RunRequest(commit=commit)
    state = run_graph(check_params, request)
    for number in range(1, rounds + 1):
        if state.is_failed():
            break
        answers = ask_people(number, wait_hours)
        options = ["--annotator", answers.annotator] if answers.annotator else []
        said = run_command("answer", answers.file, *options, *(["--commit"] if commit else []))
        get_run_logger().info(said)
        state = run_graph(check_params, request)
    return state


def ask_people(number: int, wait_hours: float) -> Answers:
    """Write a request and pause until somebody resumes the flow with the answers.

    Raises:
        SelfsameError: nobody did.
    """
    said = run_command("ask")
    get_run_logger().info(said)
    page = Path(REQUEST).resolve()
    text = f"{said}\n\nThe page: `{page}`. Resume this run with the file that it saves."
    create_markdown_artifact(text, key="request", description=f"Labels wanted, round {number}.")
    try:
        return pause_flow_run(
            wait_for_input=Answers.with_initial_data(description=text, file="answers.csv"),
            timeout=int(wait_hours * 3600),
            poll_interval=POLL_SECONDS,
            key=f"round-{number}",
        )
    except FlowPauseTimeout:
        raise SelfsameError(
            f"no answers came within {wait_hours:g} hours", "'selfsame answer FILE' takes them at any time"
        ) from None


def run_command(*words: str, fine: tuple[int, ...] = (0,)) -> str:
    """Run one of our commands in a process of its own; return what it says.

    Args:
        fine: exit statuses with which it didn't fail.

    Raises:
        SelfsameError: it failed; the message is its own.
    """
    done = subprocess.run(
        [sys.executable, "-m", "selfsame.cli", *words], capture_output=True, text=True, check=False
    )
    if done.returncode not in fine:
        raise SelfsameError(done.stderr.strip().removeprefix("error: "))
    return done.stdout.strip()


if __name__ == "__main__":
    active_learning()
