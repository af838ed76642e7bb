"""The pool in a training: which rows are taught which label, round by round, and the record of it."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from safetensors.torch import save
from torch import Tensor, nn

from selfsame.core.layout import ID, LEARNED_KEY
from selfsame.core.table_writer import TableWriter
from selfsame.learning.batches import EndlessBatches, Examples, PoolExamples
from selfsame.learning.methods import Method
from selfsame.model.nets import detached_state

_RECORDED = ("labels", "taught", "uses")


@dataclass(frozen=True)
class Round:
    """Epochs in which the labels of the pool stay as they are.

    Attributes:
        first_epoch: counted from 1.
        teacher: the digest of the weights that made the labels; None where each step's own net did.
    """

    first_epoch: int
    teacher: str | None


class Pool:
    """Batches of the rows that the present round teaches, and the record of all rounds.

    Attributes:
        rounds: those begun so far.
    """

    def __init__(
        self, examples: PoolExamples, method: Method, batch_size: int, generator: torch.Generator
    ) -> None:
        self._examples, self._method = Examples(examples.inputs, examples.labels), method
        self.rounds: list[Round] = []
        self._recorded: dict[str, list[Tensor]] = {name: [] for name in _RECORDED}
        self._made: list[tuple[Tensor, Tensor]] = []  # rows and the classes of a step's own, on the device
        self.batches = EndlessBatches(torch.empty(0, dtype=torch.int64), batch_size, generator)
        self._own_labels = method.pool_rows == "all"  # then a round is a pass over the pool
        if self._own_labels:
            self.batches.restart(torch.arange(len(examples)))
        else:
            self._begin(Round(1, examples.teacher), examples.labels, examples.accepted)

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def share_taught(self) -> float:
        """Share of the pool's rows that the present round teaches."""
        return len(self.batches) / len(self._examples)

    def relabel_if_due(
        self, epoch: int, steps_per_epoch: int, teacher: nn.Module, outputs: Callable[[Tensor], Tensor]
    ) -> None:
        """Begin a new round where the method wants one.

        Of a large pool as many rows are labeled as the round can draw, chosen at random.

        Args:
            epoch: counted from 0.
            teacher: the net that labels; its weights' digest is recorded.
            outputs: gives the teacher's logits (N, K) of raw inputs.
        """
        every = self._method.relabel_every_epochs
        if every is None or not epoch or epoch % every:
            return
        order = torch.randperm(len(self._examples), generator=self.batches.generator)
        rows = order[: every * steps_per_epoch * self.batches.batch_size].sort().values
        inputs = self._examples[rows].inputs
        made, sure = self._method.relabel(outputs(inputs).softmax(dim=1))
        labels = made.new_zeros((len(self._examples), *made.shape[1:]))
        labels[rows.to(labels.device)] = made
        taught = torch.zeros(len(self._examples), dtype=torch.bool)
        taught[rows] = sure.cpu()
        self._begin(Round(epoch + 1, digest_of(teacher)), labels, taught)

    def _begin(self, begun: Round, labels: Tensor, taught: Tensor) -> None:
        self._examples = Examples(self._examples.inputs, labels)
        self.batches.restart(taught.nonzero()[:, 0])
        self._open(begun, (labels.argmax(dim=1) if labels.dim() == 2 else labels).cpu(), taught)

    def _open(self, begun: Round, labels: Tensor, taught: Tensor) -> None:
        self._settle()
        self.rounds.append(begun)
        narrow = labels if labels.is_floating_point() else labels.int()
        unused = torch.zeros(len(taught), dtype=torch.int32)
        for name, value in zip(_RECORDED, (narrow, taught, unused), strict=True):
            self._recorded[name].append(value.clone())

    def draw(self, epoch: int) -> tuple[Tensor, Examples]:
        """Return the rows (N,) of the next batch, and the raw rows with their labels."""
        rows = next(self.batches)
        if self._own_labels and self.batches.passes > len(self.rounds):
            nothing = torch.zeros(len(self._examples), dtype=torch.int64)
            self._open(Round(epoch + 1, None), nothing, nothing.bool())
        return rows, self._examples[rows]

    def note(self, rows: Tensor, taught: Tensor) -> None:
        """Record that a step taught ``rows`` (N,) the classes (N,), distributions (N, K) or values (N,)."""
        self._recorded["uses"][-1][rows] += 1
        if self._own_labels:
            self._made.append((rows, taught.argmax(dim=1) if taught.dim() == 2 else taught))

    def _settle(self) -> None:
        """Record what steps made since the last time: one transfer for all of them, and no step waits."""
        if not self._made:
            return
        rows, made = zip(*self._made, strict=True)
        labels = torch.cat(made).int().cpu()
        for own, values in zip(rows, labels.split([len(own) for own in rows]), strict=True):
            self._recorded["labels"][-1][own] = values
            self._recorded["taught"][-1][own] = True
        self._made.clear()

    def state(self) -> dict[str, Tensor]:
        """Return stream, labels and record, to go on from there another time."""
        self._settle()
        described = json.dumps([asdict(each) for each in self.rounds]).encode()
        recorded = {name: torch.stack(values) for name, values in self._recorded.items() if values}
        batches = {f"batches.{name}": value for name, value in self.batches.state().items()}
        rounds = torch.frombuffer(bytearray(described), dtype=torch.uint8)
        return {**batches, **recorded, "rounds": rounds, "present": self._examples.labels}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        prefix = "batches."
        of_batches = {name.removeprefix(prefix): state[name] for name in state if name.startswith(prefix)}
        self.batches.restore(of_batches)
        self.rounds = [Round(**each) for each in json.loads(state["rounds"].numpy().tobytes())]
        self._recorded = {name: list(state[name].clone()) if name in state else [] for name in _RECORDED}
        present = state["present"].to(self._examples.labels.device)
        self._examples = Examples(self._examples.inputs, present)

    def write(self, path: Path, examples: PoolExamples) -> None:
        """Write what the training was taught of every row of ``examples``, which is its pool."""
        self._settle()
        write_learned(path, self._method.name, self.rounds, examples, **self._recorded)


def write_learned(
    path: Path,
    method: str,
    rounds: list[Round],
    examples: PoolExamples,
    labels: list[Tensor],
    taught: list[Tensor],
    uses: list[Tensor],
) -> None:
    """Write the record of the machine-made labels that a training was taught.

    One row for each of ``examples``, in their order: ``example_id``; ``labels``, for each round the class or
    value that was to be taught, null where none was; ``uses``, how often it was in that round. The metadata
    name the method and, for each round, its first epoch and its teacher.

    Args:
        labels, taught, uses: for each round (N,) labels, whether to be taught, and how often they were.
    """
    assert examples.labels.dim() == 2 or examples.labels.dtype != torch.float32, "values in their own unit"
    values = pa.float64() if examples.labels.dtype == torch.float64 else pa.int64()
    if values == pa.float64():  # in their own unit, as the gate recorded them; there is one round
        labels = [examples.labels.cpu()] * len(rounds)
    schema = pa.schema(
        [
            pa.field(ID, pa.string(), nullable=False),
            pa.field("labels", pa.list_(values), nullable=False),
            pa.field("uses", pa.list_(pa.int64()), nullable=False),
        ],
        metadata={LEARNED_KEY: json.dumps({"method": method, "rounds": [asdict(each) for each in rounds]})},
    )
    with TableWriter(path, schema) as writer:
        start = 0
        for ids in examples.ids:
            rows = slice(start, start + len(ids))
            start += len(ids)
            made, shown, used = (_of_rounds(columns, rows) for columns in (labels, taught, uses))
            lists = _lists(made, ~shown, values), _lists(used, None, pa.int64())
            writer.write(pa.record_batch([ids, *lists], schema=schema))


def _of_rounds(columns: list[Tensor], rows: slice) -> np.ndarray:
    """Return some rows of what each round recorded: (N, R)."""
    count = rows.stop - rows.start
    return (
        np.stack([each[rows].numpy() for each in columns], axis=1) if columns else np.empty((count, 0), bool)
    )


def _lists(rows: np.ndarray, null: np.ndarray | None, kind: pa.DataType) -> pa.ListArray:
    offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
    mask = None if null is None else null.ravel()
    values = pa.array(rows.ravel(), mask=mask).cast(kind)
    return pa.ListArray.from_arrays(offsets, values)


def digest_of(net: nn.Module) -> str:
    """Return the sha256 that a file with the net's weights would have."""
    weights = {name: value.cpu().contiguous() for name, value in detached_state(net).items()}
    return sha256(save(weights)).hexdigest()
