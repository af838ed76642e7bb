"""What people are asked: rows of the pool, the most useful first, in every form that can be answered."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pyarrow as pa

from selfsame.active.acquisition import build_score, choose, most_uncertain, score_batches
from selfsame.active.labeling_page import keys_for, render_page
from selfsame.core.annotations import read_annotations
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import ANNOTATIONS
from selfsame.core.tables import TableInfo, inputs_of, iter_batches, take_all
from selfsame.pages.picture import picture
from selfsame.params.active_learning import ActiveLearningParams
from selfsame.params.compute import ComputeParams
from selfsame.params.model import NetParams

FOLDER = ANNOTATIONS.parent
REQUEST = FOLDER / "request.csv"
PAGE = FOLDER / "request.html"
LABEL_STUDIO = FOLDER / "label_studio.json"
LABEL_STUDIO_SETUP = FOLDER / "label_studio.xml"
CHOICES, ROW = "label", "row"  # names of Label Studio's set-up
GUESSED = ", guess shown"  # after the strategy, of rows whose guess people saw
POOL, LABELED = Path("data/splits/pool"), Path("data/splits/labeled.parquet")


@dataclass(frozen=True)
class Question:
    """One pool row that people are asked to label.

    Attributes:
        source_row: its position in the source.
        guess: the class that the model names.
        score: how uncertain the model is, as the strategy counts it.
        raw: (C, H, W) uint8 or (F,) float64, as it stands in the table.
    """

    example_id: str
    source_row: int
    guess: str
    score: float
    raw: np.ndarray


@dataclass(frozen=True)
class Request:
    """The questions, the most useful first, and the strategy that chose them."""

    info: TableInfo
    strategy: str
    questions: tuple[Question, ...]


def make_request(own: ActiveLearningParams, compute: ComputeParams, views: int) -> Request:
    """Choose rows of the pool that nobody has labeled yet. Memory doesn't grow with the pool.

    Args:
        views: of a row, that a prediction is the mean of (``prediction.test_time_augmentation``).

    Raises:
        SelfsameError: there are no classes to choose from, model and pool don't belong together, or the
            pool has no unlabeled row left.
    """
    from selfsame.model.device import prepare_device
    from selfsame.model.models import features_of_inputs, last_layer_of, load_model

    info = TableInfo.of(POOL)
    if info.target != "classification":
        raise SelfsameError(
            f"{POOL}: {info.source} has no classes for people to choose from",
            "use active learning with a source that has classes",
        )
    model = load_model(Path("models") / own.model, prepare_device(compute), views)
    if model.info != info:
        raise SelfsameError(
            f"{POOL}: not the kind of rows that models/{own.model} was trained on", "run 'dvc repro'"
        )
    answered = read_annotations(ANNOTATIONS)

    def open_rows() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        start = 0
        for batch in iter_batches(POOL):
            ids = batch.column("example_id").to_pylist()
            places = np.array([place for place, name in enumerate(ids) if name not in answered], np.int64)
            yield start + places, features_of_inputs(model, inputs_of(batch, info)[places])
            start += len(ids)

    weights, biases = last_layer_of(model)
    dropout = model.params.dropout if isinstance(model.params, NetParams) else 0.0
    score = build_score(own, weights, biases, dropout)
    wanted = own.rows * own.candidates_per_row
    candidates = most_uncertain(score_batches(open_rows(), weights, biases, score), wanted)
    if candidates is None or not len(candidates):
        raise SelfsameError(f"{POOL}: no row is left that nobody has labeled", "there is nothing to ask for")
    known = features_of_inputs(model, take_all(LABELED))
    chosen = choose(candidates, own, known)
    rows = dict(_rows_at(np.sort(chosen.positions), info))
    questions = (
        Question(example_id, source_row, info.classes[guess], score, raw)
        for position, guess, score in zip(
            chosen.positions.tolist(), chosen.guesses.tolist(), chosen.scores.tolist(), strict=True
        )
        for example_id, source_row, raw in [rows[position]]
    )
    return Request(info, own.strategy, tuple(questions))


def _rows_at(positions: np.ndarray, info: TableInfo) -> Iterator[tuple[int, tuple[str, int, np.ndarray]]]:
    """Yield id, source row and raw input of the pool's rows at ascending positions."""
    start = 0
    for batch in iter_batches(POOL):
        inside = positions[(positions >= start) & (positions < start + batch.num_rows)]
        rows = batch.take(pa.array(inside - start))
        columns = (rows.column(name).to_pylist() for name in ("example_id", "source_row"))
        yield from zip(inside.tolist(), zip(*columns, inputs_of(rows, info), strict=True), strict=True)
        start += batch.num_rows


def write_request(request: Request, guesses: bool = False) -> None:
    """Write the request as a table, as an offline page, and as Label Studio's tasks and set-up.

    Args:
        guesses: give Label Studio the model's guesses as pre-annotations; the strategy then says so.
    """
    strategy = request.strategy + GUESSED * guesses
    FOLDER.mkdir(parents=True, exist_ok=True)
    info, questions = request.info, request.questions
    with REQUEST.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["rank", "example_id", "source_row", "guess", "score", "strategy", *info.features])
        for rank, one in enumerate(questions, start=1):
            features = _plain(one.raw) if info.features else []
            row = [rank, one.example_id, one.source_row, one.guess, f"{one.score:.6g}", strategy]
            writer.writerow([*row, *features])
    brightest = max(int(one.raw.max()) for one in questions) if info.image_shape else 0
    shown = [
        {"example_id": one.example_id}
        | (
            {"image": picture(one.raw, brightest)}
            if info.image_shape
            else {"features": dict(zip(info.features, _plain(one.raw), strict=True))}
        )
        for one in questions
    ]
    PAGE.write_text(render_page(info, shown), encoding="utf-8")
    tasks: list[dict[str, Any]] = [{"data": one} for one in shown]
    if guesses:
        for task, one in zip(tasks, questions, strict=True):
            task["predictions"] = [{"model_version": "selfsame", "result": [label_studio_choice(one.guess)]}]
    LABEL_STUDIO.write_text(json.dumps(tasks, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    LABEL_STUDIO_SETUP.write_text(label_studio_setup(info), encoding="utf-8")


def _plain(raw: np.ndarray) -> list[float | None]:
    """Return features as JSON has them: None for a missing one."""
    return [None if np.isnan(each) else each for each in raw.tolist()]


def label_studio_choice(label: str) -> dict[str, Any]:
    """Return a class as Label Studio has it in annotations and predictions, by the names of the set-up."""
    return {"from_name": CHOICES, "to_name": ROW, "type": "choices", "value": {"choices": [label]}}


def label_studio_setup(info: TableInfo) -> str:
    """Return Label Studio's labeling interface: the row, and one choice among the classes, by key."""
    if info.image_shape:  # of few pixels, which it would stretch over its whole window
        shown = f'  <Image name="{ROW}" value="$image" maxWidth="400px" smoothing="false"/>'
    else:
        shown = f'  <Table name="{ROW}" value="$features"/>'
    choices = [
        f"    <Choice value={quoteattr(name)}{f' hotkey={quoteattr(key)}' if key else ''}/>"
        for name, key in zip(info.classes, keys_for(info.classes), strict=True)
    ]
    begin = f'  <Choices name="{CHOICES}" toName="{ROW}" choice="single" showInline="true">'
    lines = ["<View>", shown, begin, *choices, "  </Choices>", "</View>"]
    return "\n".join(lines) + "\n"
