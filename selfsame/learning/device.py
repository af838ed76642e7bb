"""Choosing the device, making it deterministic, and how fast the steps compute on it."""

import os

import torch
from torch import Tensor, nn

from selfsame.core.errors import SelfsameError
from selfsame.learning.nets import for_prediction
from selfsame.learning.params import ComputeParams


def prepare_device(params: ComputeParams) -> torch.device:
    """Return the device that the parameters name, set up for repeatable results.

    On a CPU two runs are bit-equal for the same number of threads; on CUDA deterministic kernels are
    chosen where torch has them.

    Raises:
        SelfsameError: ``cuda`` is asked for and there is none, or ``compile`` and torch can't.
    """
    has_cuda = torch.cuda.is_available()
    if params.device == "cuda" and not has_cuda:
        raise SelfsameError(
            "params.yaml: compute.device = 'cuda', but torch sees no CUDA device",
            "set compute.device to auto or cpu, or install a driver and a CUDA build of torch",
        )
    torch.set_num_threads(params.cpu_threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is repeatable only with it
    # As use_deterministic_algorithms(True), which imports the compiler too (seconds).
    torch.set_deterministic_debug_mode("error")
    # Filling fresh memory only guards against code that reads it unwritten; it took a sixth of a step's time.
    torch.utils.deterministic.fill_uninitialized_memory = False
    torch.backends.cudnn.benchmark = False
    device = torch.device("cuda" if has_cuda and params.device != "cpu" else "cpu")
    if params.compile:
        torch.use_deterministic_algorithms(True)
        _must_compile(device)
    return device


class StepNet(nn.Module):
    """A net as training steps call it: the same weights, in the precision and speed asked for.

    With ``bfloat16`` layers compute in that type where it is safe (autocast); weights, their updates and
    the logits, and so every loss, stay float32. Validation and prediction call the net itself.
    """

    def __init__(self, net: nn.Module, params: ComputeParams) -> None:
        super().__init__()
        self._net, self._compiled = torch.compile(net) if params.compile else net, params.compile
        self._bfloat16 = params.precision == "bfloat16"

    def forward(self, inputs: Tensor) -> Tensor:
        """Return float32 logits (N, K)."""
        net = self._net if self.training or self._compiled else for_prediction(self._net)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._bfloat16):
            return net(inputs).float()


def _must_compile(device: torch.device) -> None:
    """Compile something small, so that a machine that can't says so before any work is done."""
    try:
        torch.compile(lambda inputs: inputs.sin() + 1)(torch.ones(8, device=device))
    except Exception as error:  # whatever the compiler that torch found, or didn't find, raises
        raise SelfsameError(
            "params.yaml: compute.compile = true, but torch can't compile here: "
            f"{str(error).strip().splitlines()[0]}",
            "install a C++ compiler (on CUDA also Triton), or set compute.compile to false",
        ) from None
