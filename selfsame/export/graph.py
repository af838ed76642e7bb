"""A model as one graph of operations that other programs can run: ONNX, by torch's own exporter."""

import io
import itertools
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from selfsame.core.errors import SelfsameError
from selfsame.export.families import exportable
from selfsame.model.inputs import prepare
from selfsame.model.models import Model
from selfsame.model.nets import for_prediction

RAW, SAID = "raw", "said"  # the graph's input and output


def export_graph(model: Model, temperature: float | None) -> onnx.ModelProto:
    """Return the graph from raw inputs, as a table of examples holds them, to what the model says of them.

    Scaling, resizing and the mean over views are in it. The same model gives the same graph.

    Args:
        temperature: by which the logits of classes are divided; None leaves them.

    Raises:
        SelfsameError: the architecture has an operation that ONNX hasn't.
    """
    graph = _Graph(model, temperature).eval()
    info = model.info
    # More rows than one, or the exporter takes their number for a constant.
    rows = torch.zeros(3, *info.input_shape, dtype=torch.uint8 if info.image_shape else torch.float64)
    with torch.no_grad(), _Draws() as draws:
        graph(rows)
        draws.repeat()
        try:
            with _silence():
                made = torch.onnx.export(
                    graph,
                    (rows,),
                    dynamo=True,
                    dynamic_shapes=({0: torch.export.Dim("rows", min=1)},),
                    input_names=[RAW],
                    output_names=[SAID],
                )
        except (torch.onnx.OnnxExporterError, RuntimeError, NotImplementedError) as error:
            reason = next((line for line in reversed(str(error).splitlines()) if line.strip()), "")
            raise SelfsameError(
                f"model.architecture = {model.params.architecture}: torch can't put it into ONNX: {reason}",
                "predict with 'selfsame predict', or export another architecture",
            ) from None
    assert made is not None
    return _without_traces(made.model_proto)


class _Graph(nn.Module):
    def __init__(self, model: Model, temperature: float | None) -> None:
        super().__init__()
        self.net = exportable(model.net) if model.is_fitted else for_prediction(model.net)
        self._model, self._temperature = model, temperature

    def forward(self, raw: Tensor) -> Tensor:
        model = self._model
        if model.is_fitted:
            outputs = self.net(raw).float()
        elif model.views is None:
            outputs = self.net(prepare(raw, model.scaling))
        else:
            views = model.views.of(prepare(raw, model.scaling))
            outputs = sum(self.net(view) for view in views) / model.views.count
        if model.scaling.target is not None:
            return model.scaling.restored(outputs[:, 0])
        if self._temperature is None:
            return outputs.softmax(dim=1)
        return (outputs.double() / self._temperature).softmax(dim=1).float()


class _Draws(TorchFunctionMode):
    """Random draws become constants: the exporter is given those of a first pass, which it couldn't draw."""

    def __init__(self) -> None:
        super().__init__()
        self._drawn: list[Tensor] = []
        self._again: itertools.cycle[Tensor] | None = None

    def repeat(self) -> None:
        """From now on give what was drawn, in its order, over and over."""
        self._again = itertools.cycle(self._drawn)

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if function not in (torch.rand, torch.randn):
            return function(*args, **(kwargs or {}))
        if self._again is not None:
            return next(self._again)
        self._drawn.append(function(*args, **(kwargs or {})))
        return self._drawn[-1]


@contextmanager
def _silence() -> Iterator[None]:
    """Keep to itself what the exporter says of its own progress, graphs and all."""
    nowhere = io.StringIO()
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(nowhere), redirect_stderr(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def _without_traces(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Remove what the exporter notes of the code that it went through: this machine's paths among it."""
    for part in (graph.graph, *graph.functions):
        for each in (*part.node, *part.value_info):
            del each.metadata_props[:]
            each.doc_string = ""
        del part.metadata_props[:]
    for each in (*graph.graph.input, *graph.graph.output, *graph.graph.initializer):
        del each.metadata_props[:]
    graph.producer_name = graph.producer_version = ""
    return graph
