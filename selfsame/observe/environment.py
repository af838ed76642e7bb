"""Where a stage ran and who started it: interpreter, packages, hardware, flow run."""

import getpass
import json
import os
import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from selfsame.core.errors import SelfsameError
from selfsame.git import user_name

FLOW_RUN = "SELFSAME_FLOW_RUN"  # the flow tells its stages here which run of it they belong to, as JSON


def describe_environment() -> dict[str, Any]:
    """Describe interpreter, every installed package, platform and hardware.

    To be asked when the stage's work is done: torch is described as the stage left it, and is never
    imported, nor a GPU woken, for the record's sake.
    """
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "hardware": _hardware(),
        "packages": _packages(),
    }


def started_by() -> dict[str, Any]:
    """Tell who started the stage: the system's user, git's, the DVC experiment, the flow run."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user id without a name
        user = f"user id {os.getuid()}"
    written = os.environ.get(FLOW_RUN)
    try:
        flow_run = json.loads(written) if written else None
    except ValueError as error:
        raise SelfsameError(f"{FLOW_RUN} = {written!r}: not JSON: {error}", f"unset {FLOW_RUN}") from None
    return {
        "user": user,
        "gitUser": user_name(),
        "experiment": os.environ.get("DVC_EXP_NAME"),
        "flowRun": flow_run,
    }


def _packages() -> dict[str, str]:
    """Name every installed distribution and its version; of two on the path, the one imports find."""
    packages: dict[str, str] = {}
    for distribution in metadata.distributions():
        packages.setdefault(distribution.name.lower().replace("_", "-"), distribution.version)
    return dict(sorted(packages.items()))


def _hardware() -> dict[str, Any]:
    hardware: dict[str, Any] = {
        "cpu": _cpu_model(),
        "cpuCount": os.cpu_count(),
        "torchThreads": None,
        "gpus": [],
    }
    torch = sys.modules.get("torch")
    if torch is not None:
        hardware["torchThreads"] = torch.get_num_threads()
        if torch.cuda.is_initialized():
            hardware["gpus"] = [
                torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())
            ]
            hardware["cuda"] = torch.version.cuda
            hardware["gpuDriver"] = _gpu_driver()
    return hardware


def _cpu_model() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpu_driver() -> str | None:
    version = Path("/proc/driver/nvidia/version")
    return version.read_text(errors="replace").splitlines()[0] if version.exists() else None
