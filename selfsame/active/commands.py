"""The commands of active learning: thin, each one call, imported when it is needed."""

from pathlib import Path
from typing import Annotated

import typer


def ask(
    scored: Annotated[
        Path | None, typer.Option("--from", help="A scoring: ask for rows that it abstained from.")
    ] = None,
    guesses: Annotated[
        bool, typer.Option("--guesses", help="Show the model's guesses in Label Studio, to be confirmed.")
    ] = False,
) -> None:
    """Choose the pool rows whose labels would help most, and write them out to be labeled."""
    from selfsame.active import request
    from selfsame.params.active_learning import ActiveLearningParams
    from selfsame.params.check import load_params
    from selfsame.params.compute import ComputeParams
    from selfsame.params.prediction import PredictionParams

    params = load_params()
    own, compute, prediction = (params[name] for name in ("active_learning", "compute", "prediction"))
    assert isinstance(own, ActiveLearningParams) and isinstance(compute, ComputeParams)
    assert isinstance(prediction, PredictionParams)
    if scored is None:
        made = request.make_request(own, compute, prediction.test_time_augmentation)
    else:
        from selfsame.active.scored import ask_from

        made, strange = ask_from(scored, own)
        if strange:
            typer.echo(f"{strange} rows have a value that the training never had: they can't be asked for")
    request.write_request(made, guesses)
    typer.echo(
        f"{len(made.questions)} rows to label, chosen by {made.strategy}: open {request.PAGE} in a browser, "
        f"or import {request.LABEL_STUDIO} into Label Studio\nthen: selfsame answer FILE, and dvc repro"
    )


def answer(
    file: Annotated[Path, typer.Argument(help="What the page or Label Studio (as JSON) has saved.")],
    annotator: Annotated[str | None, typer.Option(help="Who answered, where the file doesn't say.")] = None,
    commit: Annotated[bool, typer.Option("--commit", help="Record the labels in git at once.")] = False,
) -> None:
    """Take in labels that people gave; 'dvc repro' then learns from them."""
    from selfsame.active.answers import commit_answers, merge_answers
    from selfsame.core.layout import ANNOTATIONS
    from selfsame.dag.workspace import hold_workspace

    with hold_workspace(say=typer.echo):  # a stage that is running would be recorded with the new labels
        merged = merge_answers(file, annotator)
        if commit and merged.added:
            commit_answers(merged)
    typer.echo(f"{merged.added} labels added, {merged.known} were known; {ANNOTATIONS} has {merged.total}")


COMMANDS = (ask, answer)
