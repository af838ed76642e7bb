"""A training shown while it runs: progress on stderr and, on request, event files for TensorBoard."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_yaml
from selfsame.core.layout import PARAMS_FILE
from selfsame.observe.progress import progress
from selfsame.params.monitoring import MonitoringParams

TENSORBOARD = Path(".scratch/tensorboard")  # may be deleted at any time
ON_THE_BAR = ("epoch", "training_loss", "validation_")  # all figures of a row are in history.csv

OnEpoch = Callable[[Mapping[str, float]], None]


def monitoring() -> MonitoringParams:
    """Read the section of ``params.yaml``: no stage declares it, so no stage is given it."""
    return MonitoringParams.model_validate(read_yaml(PARAMS_FILE).get("monitoring", {}))


@contextmanager
def watch(stage: str, max_epochs: int) -> Iterator[OnEpoch]:
    """Yield what is to be called with every row of the history.

    Raises:
        SelfsameError: event files are asked for, and TensorBoard is not installed.
    """
    with ExitStack() as stack:
        bar = stack.enter_context(progress(stage, max_epochs, "epoch"))
        shown: list[OnEpoch] = [
            lambda row: bar.update(1, **{name: row[name] for name in row if name.startswith(ON_THE_BAR)})
        ]
        if monitoring().tensorboard and os.environ.get("SELFSAME_OBSERVE") != "0":
            shown.append(stack.enter_context(event_file(TENSORBOARD / stage / _run_name())))

        def on_epoch(row: Mapping[str, float]) -> None:
            for show in shown:
                show(row)

        yield on_epoch


@contextmanager
def event_file(folder: Path) -> Iterator[OnEpoch]:
    """Write every figure of a row as a scalar of TensorBoard, by its name in the history."""
    try:
        from tensorboard.summary import Writer  # an extra, and half a second to import
    except ModuleNotFoundError:
        raise SelfsameError(
            "params.yaml: monitoring.tensorboard = true, but TensorBoard is not installed",
            "pip install 'selfsame[tensorboard]', or set monitoring.tensorboard to false",
        ) from None
    writer = Writer(str(folder))
    try:
        yield lambda row: _add(writer, row)
    finally:
        writer.close()


def _add(writer, row: Mapping[str, float]) -> None:  # type: ignore[no-untyped-def]
    for name, value in row.items():
        if name != "epoch":
            writer.add_scalar(name, value, int(row["epoch"]))


def _run_name() -> str:
    return f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{os.getpid()}"
