"""``selfsame export onnx``: a model as one file that other programs run, checked against the model itself.

Its inputs are a table's columns by their names, (N, 1) each, double or string, as scikit-learn's converters
have them; or ``image`` (N, C, H, W) of uint8. A missing number is NaN, missing text is empty.
Its outputs are ``label`` (the class's name) and ``probabilities`` (N, K), or ``value`` (N,).
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx.helper import make_node, make_tensor_value_info
from onnx.numpy_helper import from_array

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import BATCH_ROWS, Column
from selfsame.export.graph import RAW, SAID, export_graph
from selfsame.scoring.predictor import Classifier, Predictor, Regressor
from selfsame.scoring.read import read_rows
from selfsame.sources.columns import features_of

MOST_DIFFERENCE = 1e-5  # of probabilities; of values in standard deviations of the labeled ones
MOST_ROWS = 4 * BATCH_ROWS  # that the file is checked with
IMAGE = "image"
PREFIX = "net/"  # of everything that torch has named, so that no column is called the same


def export_onnx(model: Predictor, target: Path, rows: Path) -> float:
    """Write a model as ONNX; return the largest difference from the model itself.

    Args:
        rows: a table, or whatever else ``selfsame predict`` reads, to check the file with.

    Raises:
        SelfsameError: the architecture has no such form, or the file would say anything else than the model.
    """
    if not target.parent.is_dir():
        raise SelfsameError(
            f"{target}: {target.parent} is no folder", "name a file in a folder that is there"
        )
    inputs = [chunk.inputs for chunk in islice(read_rows(rows, model.preparation), MOST_ROWS // BATCH_ROWS)]
    content = build(model)
    difference = _difference(model, content, np.concatenate(inputs))
    if not difference <= MOST_DIFFERENCE:
        raise SelfsameError(
            f"{target}: what it says differs by up to {difference:.2g} from what the model says of {rows}",
            f"at most {MOST_DIFFERENCE:g} is let through; predict with 'selfsame predict'",
        )
    partial = target.with_name(f".partial-{target.name}")
    partial.write_bytes(content)
    partial.replace(target)
    return difference


def build(model: Predictor) -> bytes:
    """Return the file's bytes: the same model gives the same."""
    proto = onnx.compose.add_prefix(export_graph(model.model, model.temperature), PREFIX)
    graph = proto.graph
    body = list(graph.node)
    del graph.node[:], graph.input[:], graph.output[:]
    before = _Encoding(model) if model.preparation.columns else _Image(model)
    graph.input.extend(before.inputs)
    graph.initializer.extend(before.constants)
    after = ENDS[type(model)](model, PREFIX + SAID)
    graph.node.extend([*before.nodes, *body, *after.nodes])
    graph.output.extend(after.outputs)
    graph.initializer.extend(after.constants)
    onnx.helper.set_model_props(proto, {key: _text(value) for key, value in _facts(model).items()})
    onnx.checker.check_model(proto)
    return proto.SerializeToString(deterministic=True)


class _Image:
    """The input of a model of images, as it is."""

    def __init__(self, model: Predictor) -> None:
        shape: list[str | int | None] = ["rows", *model.info.image_shape]
        self.inputs = [make_tensor_value_info(IMAGE, onnx.TensorProto.UINT8, shape)]
        self.nodes = [make_node("Identity", [IMAGE], [PREFIX + RAW])]
        self.constants: list[Any] = []


class _Encoding:
    """From columns to features, as ``selfsame.sources.columns`` has it."""

    def __init__(self, model: Predictor) -> None:
        self.inputs: list[Any] = []
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        parts = [part for column in model.preparation.columns for part in self._parts(column)]
        self.nodes.append(make_node("Concat", parts, [PREFIX + RAW], axis=1))

    def _parts(self, column: Column) -> Iterator[str]:
        if column.kind != "text":
            for name in features_of(column):  # a date comes as its parts
                self.inputs.append(make_tensor_value_info(name, onnx.TensorProto.DOUBLE, ["rows", 1]))
                yield name
            return
        self.inputs.append(make_tensor_value_info(column.name, onnx.TensorProto.STRING, ["rows", 1]))
        here = f"{PREFIX}column/{len(self.inputs)}/"
        for name, value in (("words", [column.values]), ("empty", [""])):
            self.constants.append(from_array(np.array(value, object), here + name))
        self.constants.append(from_array(np.array(np.nan), here + "nan"))
        self.nodes += [
            make_node("Equal", [column.name, here + "words"], [here + "equal"]),
            make_node("Cast", [here + "equal"], [here + "one"], to=onnx.TensorProto.DOUBLE),
            make_node("Equal", [column.name, here + "empty"], [here + "missing"]),
            make_node("Where", [here + "missing", here + "nan", here + "one"], [here + "made"]),
        ]
        yield here + "made"


class _Classes:
    """From calibrated probabilities to them and the class's name."""

    def __init__(self, model: Classifier, said: str) -> None:
        names, place = f"{PREFIX}classes", f"{PREFIX}place"
        classes = model.info.classes
        self.constants = [from_array(np.array(classes, object), names)]
        self.nodes = [
            make_node("ArgMax", [said], [place], axis=1, keepdims=0),
            make_node("Gather", [names, place], ["label"]),
            make_node("Identity", [said], ["probabilities"]),
        ]
        self.outputs = [
            make_tensor_value_info("label", onnx.TensorProto.STRING, ["rows"]),
            make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, ["rows", len(classes)]),
        ]

    @staticmethod
    def difference(model: Classifier, made: Mapping[str, np.ndarray], inputs: np.ndarray) -> float:
        """Return the largest of probabilities; infinity if another class is named that is no tie."""
        expected = model.calibrated(model.probabilities(inputs))
        named = np.where(made["label"][:, None] == model.classes_, expected, 0).max(axis=1)
        if (named < expected.max(axis=1) - MOST_DIFFERENCE).any():
            return np.inf
        return float(np.abs(made["probabilities"] - expected).max(initial=0))


class _Values:
    """A value as it is."""

    def __init__(self, model: Regressor, said: str) -> None:
        self.constants: list[Any] = []
        self.nodes = [make_node("Identity", [said], ["value"])]
        self.outputs = [make_tensor_value_info("value", onnx.TensorProto.DOUBLE, ["rows"])]

    @staticmethod
    def difference(model: Regressor, made: Mapping[str, np.ndarray], inputs: np.ndarray) -> float:
        """Return the largest, in standard deviations of the labeled rows' values."""
        return float(np.abs(made["value"] - model.values(inputs)).max(initial=0) / model.unit)


ENDS: dict[type[Predictor], Any] = {Classifier: _Classes, Regressor: _Values}


def feed_of(model: Predictor, inputs: np.ndarray) -> dict[str, np.ndarray]:
    """Return what the file is given for inputs of the model: the inverse of its encoding."""
    if not model.preparation.columns:
        return {IMAGE: inputs}
    fed: dict[str, np.ndarray] = {}
    place = 0
    for column in model.preparation.columns:
        names = features_of(column)
        part = inputs[:, place : place + len(names)]
        place += len(names)
        if column.kind == "text":
            fed[column.name] = _words(part, column.values)[:, None]
        else:
            fed |= {name: part[:, [each]] for each, name in enumerate(names)}
    return fed


def _words(part: np.ndarray, values: Sequence[str]) -> np.ndarray:
    unseen = next(word for word in map(str, range(len(values) + 1)) if word not in values)
    places = np.where((part == 1).any(axis=1), part.argmax(axis=1), len(values))
    words = np.array([*values, unseen], object)[places]
    words[np.isnan(part).any(axis=1)] = ""
    return words


def _difference(model: Predictor, content: bytes, inputs: np.ndarray) -> float:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    largest = 0.0
    for start in range(0, len(inputs), BATCH_ROWS):
        rows = inputs[start : start + BATCH_ROWS]
        names = [each.name for each in session.get_outputs()]
        made = dict(zip(names, session.run(names, feed_of(model, rows)), strict=True))
        largest = max(largest, ENDS[type(model)].difference(model, made, rows))
    return largest


def _facts(model: Predictor) -> dict[str, Any]:
    return {
        **model.about,
        "temperature": model.temperature,
        "classes": list(model.info.classes),
        "columns": [asdict(each) for each in model.preparation.columns],
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
