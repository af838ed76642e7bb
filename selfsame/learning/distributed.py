"""One training in several processes, the ranks: each computes its share of every batch.

All ranks draw the same batches from the same random streams and take the same step, so that all they hold
stays equal. A share's outputs are gathered: each rank has the loss of the whole batch, with whatever weights
and labels the method gives it, and its own share's part of the gradient, which is summed over the ranks.
Batch normalization takes its statistics from all shares. Dropout's masks are drawn alike by all ranks.
"""

import os
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from selfsame.core.errors import SelfsameError


def rank() -> int:
    """Return this process's number among the ranks: 0 for the one that writes."""
    return int(os.environ.get("RANK", "0"))


def is_spread() -> bool:
    """Tell whether this process is one of several ranks, as torchrun starts them."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def device_of_rank(device: torch.device) -> torch.device:
    """Return the GPU of this rank, and let the ranks find each other."""
    if not is_spread():
        return device
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    _meet("nccl" if device.type == "cuda" else "gloo")
    return device


@cache
def _meet(backend: str) -> None:
    torch.distributed.init_process_group(backend)


def spread(net: nn.Module, in_steps: nn.Module) -> nn.Module:
    """Return what steps call instead of ``in_steps``, which calls ``net``: each rank takes its share."""
    if not is_spread():
        return in_steps
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.__class__ = SYNCHRONISED[type(module)]  # type: ignore[assignment]
    return Share(in_steps)


class Share(nn.Module):
    """Outputs of a whole batch, of which this rank computes its share and the others theirs."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        own = next(net.parameters()).device
        ids = [own.index] if own.type == "cuda" else None
        self._net = nn.parallel.DistributedDataParallel(net, device_ids=ids)
        self._net.register_comm_hook(None, _summed)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return outputs (N, K) of inputs (N, …); gradients flow to this rank's share alone."""
        world = torch.distributed.get_world_size()
        shares = inputs.tensor_split(world)
        if not len(shares[-1]):
            raise SelfsameError(
                f"a batch of {len(inputs)} rows can't be shared by training.processes = {world}",
                "take fewer processes, or larger batches",
            )
        mine = self._net(shares[rank()])
        most = len(shares[0])
        padded = nn.functional.pad(mine.detach(), (0, 0, 0, most - len(mine)))
        found = [torch.empty_like(padded) for _ in shares]
        torch.distributed.all_gather(found, padded)
        outputs = [other[: len(share)] for other, share in zip(found, shares, strict=True)]
        outputs[rank()] = mine
        return torch.cat(outputs)


# torch looks at the annotation, which it doesn't export to type checkers.
def _summed(_: object, bucket: torch.distributed.GradBucket) -> torch.futures.Future[Tensor]:  # type: ignore[name-defined]
    """Sum gradients over the ranks: each has only its share's part of the whole batch's."""
    future = torch.distributed.all_reduce(bucket.buffer(), async_op=True).get_future()
    return future.then(lambda done: done.value()[0])


class _Synchronised(_BatchNorm):
    """Batch normalization whose statistics are those of all ranks' shares (torch's own needs a GPU)."""

    def forward(self, rows: Tensor) -> Tensor:
        if not self.training:
            return super().forward(rows)
        axes = [axis for axis in range(rows.dim()) if axis != 1]
        shape = [1, -1] + [1] * (rows.dim() - 2)
        count = rows.new_tensor([rows.numel() / rows.shape[1]])
        total, squares, count = _Total.apply(torch.cat([rows.sum(axes), (rows**2).sum(axes), count])).split(
            [rows.shape[1], rows.shape[1], 1]
        )
        mean = total / count
        variance = squares / count - mean**2
        with torch.no_grad():
            assert self.num_batches_tracked is not None and self.running_mean is not None
            assert self.running_var is not None and self.momentum is not None
            self.num_batches_tracked.add_(1)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scaled = (rows - mean.view(shape)) / torch.sqrt(variance.view(shape) + self.eps)
        return scaled * self.weight.view(shape) + self.bias.view(shape)


class _Flat(_Synchronised, nn.BatchNorm1d):
    pass


class _Image(_Synchronised, nn.BatchNorm2d):
    pass


SYNCHRONISED: dict[type[nn.Module], type[nn.Module]] = {nn.BatchNorm1d: _Flat, nn.BatchNorm2d: _Image}


class _Total(torch.autograd.Function):
    """The sum over all ranks; so is its gradient, of which each rank has its share's part."""

    @staticmethod
    def forward(_: Any, values: Tensor) -> Tensor:
        total = values.clone()
        torch.distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return _Total.forward(_, gradient.contiguous())
