"""How fast training steps compute on a device."""

from typing import Any

import torch
from torch import Tensor, nn

from selfsame.core.errors import SelfsameError
from selfsame.model.nets import for_prediction
from selfsame.params.training import TrainingParams


class StepNet(nn.Module):
    """A net as training steps call it: the same weights, in the precision and speed asked for.

    With ``bfloat16`` layers compute in that type where it is safe (autocast); weights, their updates and
    the logits, and so every loss, stay float32. Validation and prediction call the net itself.
    """

    def __init__(self, net: nn.Module, params: TrainingParams) -> None:
        super().__init__()
        # A kernel for each shape: one for any shape is made once another was seen, in an earlier run even.
        self._net: Any = torch.compile(net, dynamic=False) if params.compile else net
        self._compiled = params.compile
        self._bfloat16 = params.precision == "bfloat16"

    def forward(self, inputs: Tensor) -> Tensor:
        """Return float32 logits (N, K)."""
        net = self._net if self.training or self._compiled else for_prediction(self._net)
        with torch.autocast(inputs.device.type, torch.bfloat16, enabled=self._bfloat16):
            return net(inputs).float()


def prepare_compiler(device: torch.device) -> None:
    """Compile something small, so that a machine that can't says so before any work is done.

    Raises:
        SelfsameError: it can't.
    """
    torch.use_deterministic_algorithms(True)
    try:
        torch.compile(lambda inputs: inputs.sin() + 1)(torch.ones(8, device=device))
    except Exception as error:  # whatever the compiler that torch found, or didn't find, raises
        raise SelfsameError(
            "params.yaml: training.compile = true, but torch can't compile here: "
            f"{str(error).strip().splitlines()[0]}",
            "install a C++ compiler (on CUDA also Triton), or set training.compile to false",
        ) from None
