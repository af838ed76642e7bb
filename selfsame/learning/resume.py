"""Going on after a kill: a checkpoint of a training in progress, in a folder that nothing depends on.

It is no output. It is keyed by all that decides the training's result, so that it is taken up only by a run
that would have made the same; on a CPU the resumed training then ends in the same bytes as an unbroken one.
Time decides when it is written, never what is learned.
"""

import json
import platform
import shutil
import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from selfsame.core.digests import files_under, sha256_file, sha256_json
from selfsame.learning.distributed import rank

SCRATCH = Path(".scratch/resume")  # may be deleted at any time
HISTORY = "history"
COST_SHARE = 0.01  # of a training's time, at most, goes into checkpoints

Row = dict[str, float]


class Moving(Protocol):
    """A part of a training that its steps change, and that goes on from a state it once had."""

    def state(self) -> dict[str, Tensor]:
        """Return all that is needed to go on from here."""
        ...

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from there."""
        ...


class MovingNet:
    """Weights and buffers."""

    def __init__(self, net: nn.Module) -> None:
        self._net = net

    def state(self) -> dict[str, Tensor]:  # noqa: D102
        return dict(self._net.state_dict())

    def restore(self, state: dict[str, Tensor]) -> None:  # noqa: D102
        self._net.load_state_dict(state)


class MovingOptimizer:
    """What an optimizer remembers of each parameter; its settings are those of ``params.yaml``."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer

    def state(self) -> dict[str, Tensor]:  # noqa: D102
        return {
            f"{index}.{name}": value
            for index, memory in self._optimizer.state_dict()["state"].items()
            for name, value in memory.items()
            if value is not None  # SGD's buffer without momentum
        }

    def restore(self, state: dict[str, Tensor]) -> None:  # noqa: D102
        present = self._optimizer.state_dict()
        parameters = [value for group in self._optimizer.param_groups for value in group["params"]]
        memory: dict[int, dict[str, Tensor]] = {}
        for key, value in state.items():
            index, _, name = key.partition(".")
            if value.shape == parameters[int(index)].shape:
                # In the parameter's own memory format: another one may round differently.
                value = torch.empty_like(parameters[int(index)]).copy_(value)
            memory.setdefault(int(index), {})[name] = value
        self._optimizer.load_state_dict({"state": memory, "param_groups": present["param_groups"]})


class MovingRandom:
    """torch's own random streams, which dropout draws from."""

    def state(self) -> dict[str, Tensor]:  # noqa: D102
        state = {"cpu": torch.get_rng_state()}
        if torch.cuda.is_initialized():
            state["cuda"] = torch.cuda.get_rng_state()
        return state

    def restore(self, state: dict[str, Tensor]) -> None:  # noqa: D102
        torch.set_rng_state(state["cpu"])
        if "cuda" in state:
            torch.cuda.set_rng_state(state["cuda"])


class Checkpoints:
    """The one checkpoint of one training: the last one written.

    A file's name is the digest of its bytes, so that a torn or altered one is known and left alone.

    Args:
        folder: named by its training's key.
        seconds: at least so long between two of them, which are written where the history gets a row; 0:
            after every row, whatever it costs.
        last: whether the last epoch leaves one too: somebody else goes on from there.

    Attributes:
        resumed_from_epoch: the last epoch that was not trained again, when this was made; None for an
            unbroken training.
    """

    def __init__(self, folder: Path, seconds: float, last: bool = False) -> None:
        self._folder, self._seconds, self._last = folder, seconds, last
        self._due = monotonic() + seconds
        history, _ = self._newest(aloud=True)
        self.resumed_from_epoch = int(history[-1]["epoch"]) if history else None
        if history:
            _say(f"goes on after epoch {self.resumed_from_epoch}, from the checkpoint in {self._folder}")

    def restore(self, training: Mapping[str, Moving]) -> list[Row]:
        """Put ``training`` where the checkpoint left it; return the history until there, or none."""
        history, tensors = self._newest()
        if not history:
            return []
        for name, part in training.items():
            prefix = f"{name}/"
            part.restore(
                {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
            )
        return history

    def offer(self, training: Mapping[str, Moving], history: list[Row], done: bool) -> None:
        """Write a checkpoint if the last one is old enough, or the training is done and it is wanted."""
        started = monotonic()
        wanted = started >= self._due or (done and self._last)
        if rank() or not wanted:  # of several processes, which all hold the same, one writes
            return
        tensors = {
            f"{name}/{key}": value.detach().cpu().contiguous()
            for name, part in training.items()
            for key, value in part.state().items()
        }
        tensors[HISTORY] = torch.frombuffer(bytearray(json.dumps(history).encode()), dtype=torch.uint8)
        content = save(tensors, {"key": self._folder.name})
        self._folder.mkdir(parents=True, exist_ok=True)
        before = list(files_under(self._folder))
        partial = self._folder / ".partial-checkpoint"
        partial.write_bytes(content)
        newest = partial.rename(self._folder / f"{sha256(content).hexdigest()}.safetensors")
        for file in before:
            if file != newest:
                file.unlink(missing_ok=True)
        ended = monotonic()
        # A large net on a busy disk waits longer, so that no training is slowed by more than a hundredth.
        self._due = ended + max(self._seconds, (ended - started) / COST_SHARE if self._seconds else 0.0)

    def remove(self) -> None:
        """Leave nothing behind: the training is done, and its result written."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _newest(self, aloud: bool = False) -> tuple[list[Row], dict[str, Tensor]]:
        """Return history and tensors of the furthest checkpoint; ``aloud``, name the files that are none."""
        found = [each for file in files_under(self._folder) if (each := self._read(file, aloud)) is not None]
        return max(found, key=lambda pair: len(pair[0]), default=([], {}))

    def _read(self, file: Path, aloud: bool) -> tuple[list[Row], dict[str, Tensor]] | None:
        """Return history and tensors of a whole checkpoint of this very training."""
        if file.name.startswith(".partial-"):
            return None  # killed while it wrote: the one before it is still there
        if sha256_file(file) != file.stem:
            _say(f"{file}: torn or altered, ignored", aloud)
            return None
        try:
            with safe_open(file, "pt") as opened:
                key = (opened.metadata() or {}).get("key")
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
        except SafetensorError:
            key = None
        if key != self._folder.name:
            _say(f"{file}: the checkpoint of another training, ignored", aloud)
            return None
        return json.loads(tensors.pop(HISTORY).numpy().tobytes()), tensors


def training_key(decided_by: Mapping[str, Any], seed: int, device: torch.device) -> str:
    """Digest all that decides a training's bytes: what the caller knows, seed, torch, the machine.

    Args:
        decided_by: digests of inputs and code, and the parameters, as JSON.
        seed: the training's own: a stage may train several nets.
    """
    values = {
        **decided_by,
        "seed": seed,
        "torch": torch.__version__,
        "machine": [platform.machine(), torch.backends.cpu.get_cpu_capability(), torch.get_num_threads()],
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    }
    return sha256_json(values)


def _say(message: str, aloud: bool = True) -> None:
    if aloud:
        print(f"resume: {message}", file=sys.stderr, flush=True)
