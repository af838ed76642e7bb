"""Choosing the device and making it deterministic."""

import os

import torch

from selfsame.core.errors import SelfsameError
from selfsame.params.compute import ComputeParams


def prepare_device(params: ComputeParams) -> torch.device:
    """Return the device that the parameters name, set up for repeatable results.

    On a CPU two runs are bit-equal for the same number of threads; on CUDA deterministic kernels are
    chosen where torch has them.

    Raises:
        SelfsameError: ``cuda`` is asked for and there is none.
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
    return torch.device("cuda" if has_cuda and params.device != "cpu" else "cpu")
