"""Choosing the device and making it deterministic."""

import ctypes
import os
import sys
from typing import Literal

import torch
from torch import Tensor

from selfsame.core.cores import has_a_core_to_spare, use_free_core
from selfsame.core.errors import SelfsameError
from selfsame.params.compute import ComputeParams

MOST_THREADS = 1024
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


def prepare_device(params: ComputeParams) -> torch.device:
    """Return the device that the parameters name, set up for repeatable results; a free core is used, too.

    On a CPU two runs are bit-equal for the same number of threads; on CUDA deterministic kernels are
    chosen where torch has them.

    Raises:
        SelfsameError: ``cuda`` is asked for and there is none.
    """
    device = choose_device(params.device, "params.yaml: compute.device", params.cpu_threads)
    use_free_core()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is repeatable only with it
    # As use_deterministic_algorithms(True), which imports the compiler too (seconds).
    torch.set_deterministic_debug_mode("error")
    # Filling fresh memory only guards against code that reads it unwritten; it took a sixth of a step's time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    keep_freed_memory()
    return device


def keep_freed_memory() -> None:
    """Let the C library keep what a step has freed for the next step; blocks of more than 1 GiB go back.

    glibc returns large blocks to the system at once and is given them again page by page, each filled with
    zeros: up to a sixth of a training's time, as blocks happen to lie. Other C libraries stay as they are.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        if not mallopt(M_MMAP_THRESHOLD, 1 << 30):
            mallopt(M_MMAP_THRESHOLD, 32 << 20)  # the most that some versions take
        mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)


def side_by_side() -> int:
    """Return how many threads share work that any number does alike: a free core is one more than one."""
    return max(torch.get_num_threads(), 1 + has_a_core_to_spare())


def choose_device(
    name: Literal["auto", "cpu", "cuda"], place: str = "device", threads: int | None = None
) -> torch.device:
    """Return the device of that name; ``auto`` is a GPU if there is one.

    Args:
        place: where the name was given, for the message.
        threads: of the CPU, from now on; None leaves them.

    Raises:
        SelfsameError: ``cuda`` is asked for and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if name == "cuda" and not has_cuda:
        raise SelfsameError(
            f"{place} = 'cuda', but torch sees no CUDA device",
            f"set {place.split(': ')[-1]} to auto or cpu, or install a driver and a CUDA build of torch",
        )
    if name not in ("auto", "cpu", "cuda"):
        raise SelfsameError(f"{place} = {name!r}: no such device", "take auto, cpu or cuda")
    if threads is not None:
        if not 1 <= threads <= MOST_THREADS:
            raise SelfsameError(f"threads = {threads}", f"take a number from 1 to {MOST_THREADS}")
        torch.set_num_threads(threads)
    return torch.device("cuda" if has_cuda and name != "cpu" else "cpu")


def sent(values: Tensor, device: torch.device) -> Tensor:
    """Return small ``values``, made on the CPU, on the device; a GPU is not waited for.

    An ordinary copy to a GPU ends only when all that was asked of it before is done, so that it stands idle
    while the next step is prepared.
    """
    if device.type != "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def fits(values: Tensor, device: torch.device) -> bool:
    """Tell whether ``values`` take at most half of what is free on the device; what is not a GPU has room."""
    return device.type != "cuda" or 2 * values.nbytes <= torch.cuda.mem_get_info(device)[0]
