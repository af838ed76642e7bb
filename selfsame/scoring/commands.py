"""The commands that use a model: thin, each one call, imported when it is needed."""

from pathlib import Path
from typing import Annotated

import typer

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import CHAMPION, TO_SCORE

DRIFTED = 7  # the exit status of a scoring that alarms

Model = Annotated[Path, typer.Option("--model", help="A model's folder, or a release.")]
Revision = Annotated[str | None, typer.Option("--rev", help="The model of a git revision.")]


def predict(
    place: Annotated[
        str, typer.Argument(metavar="INPUT", help="A table, array or photo; a folder; or s3://bucket/folder.")
    ],
    output: Annotated[str, typer.Option("--output", "-o", help=".parquet, .csv, .jsonl; - is stdout.")] = "-",
    model: Model = CHAMPION,
    rev: Revision = None,
    keep: Annotated[bool, typer.Option("--keep", help="Write the rows' own columns too.")] = False,
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Of every class.")] = False,
    threshold: Annotated[float | None, typer.Option(help="Abstain below this confidence.")] = None,
    level: Annotated[float, typer.Option(help="Of the interval around a value.")] = 0.9,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Of the CPU; all of them if left out.")] = None,
    workers: Annotated[int | None, typer.Option(help="Of Ray; this process alone if left out.")] = None,
) -> None:
    """Predict new rows with the champion, or with another model."""
    from selfsame.engine import ray_workers, start_engine
    from selfsame.scoring.columns import Wish
    from selfsame.scoring.place import model_folder
    from selfsame.scoring.predictor import load_model
    from selfsame.scoring.run import notes, predict_place
    from selfsame.scoring.write import check_target
    from selfsame.sources.store import place_at

    check_target(output)
    with model_folder(model, rev) as folder, place_at(place) as given:
        wish = Wish(keep, probabilities, threshold, level)
        columns = load_model(folder, device, threads).columns(wish)  # type: ignore[arg-type]
        with start_engine(ray_workers(workers), threads or 1) as over:
            made = predict_place(given, output, columns, over)
    typer.echo(f"{made.rows} rows predicted: {output}", err=True)
    for note in notes(columns, made):
        typer.echo(note, err=True)


def score(
    probabilities: Annotated[bool, typer.Option("--probabilities", help="Of every class.")] = False,
    threshold: Annotated[float | None, typer.Option(help="Abstain below this confidence.")] = None,
    level: Annotated[float, typer.Option(help="Of the interval around a value.")] = 0.9,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[int | None, typer.Option(help="Of the CPU; all of them if left out.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Predict what lies new in data/to_score with the champion: each file once, by its content.

    The exit status is 7 where rows or predictions are unlike the training's: see section monitoring.
    """
    import json

    from selfsame.scoring.columns import Wish
    from selfsame.scoring.score import score_new

    made = score_new(Wish(False, probabilities, threshold, level), device, threads)
    if as_json:
        typer.echo(json.dumps(made and made.as_json() | {"said": made.lines()}, ensure_ascii=False))
    elif made is None:
        typer.echo(f"nothing new in {TO_SCORE}")
    else:
        typer.echo("\n".join(made.lines()))
    if made and made.alarms and not made.refused:
        raise typer.Exit(DRIFTED)
    if made and made.refused:
        raise SelfsameError("\n".join(made.refused), f"mend the files, or take them out of {TO_SCORE}")


COMMANDS = (predict, score)
