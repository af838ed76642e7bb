"""A project of four trivial stages in a row, run by the product's own runner: what torture is done to.

Every stage writes the digest of its own value and of its input, so that what must stand in a file is known
without running anything.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
STAGES = {"one": "source", "two": "one", "three": "two", "four": "three"}
WAYS = {
    "dvc repro": ["dvc", "--wait-for-lock", "repro"],
    "flow": [sys.executable, "flow.py"],
    "dvc exp run": ["dvc", "exp", "run"],
}
SECONDS = 0.3  # that a stage takes
REAL_STAGES = [f"tasks.{path.stem}".encode() for path in (ROOT / "tasks").glob("[!_]*.py")]
SIZE = 2000  # how often an output repeats its digest
STAGE = f"""
import hashlib, sys, time
from selfsame.core.params import Section
from selfsame.params.reading import check_sections
from selfsame.runner import run_stage

class Own(Section):
    value: int

def main(stage):
    (given,) = [path for stem, path in stage.inputs.items() if stem != "work"]
    (made,) = stage.outputs.values()
    with open("runs.log", "a") as log:
        log.write(f"start {{stage.spec.name}}\\n")
    text = f"{{stage.params[stage.spec.name].value}} {{given.read_text()}}"
    with made.open("w") as file:
        for _ in range(10):
            file.write(hashlib.sha256(text.encode()).hexdigest() * {SIZE // 10})
            file.flush()
            time.sleep({SECONDS / 10})
    with open("runs.log", "a") as log:
        log.write(f"end {{stage.spec.name}}\\n")

name = sys.argv[1]
run_stage(name, main, lambda written: check_sections(written, dict.fromkeys({list(STAGES)}, Own)))
"""
FLOW = """
import sys
from prefect import State, flow
from flows.pipeline import run_graph
from flows.request import RunRequest
from flows.runs import guarded, start

@flow(name="small")
def small() -> State:
    return guarded(lambda: run_graph(lambda: None, RunRequest()))

if __name__ == "__main__":
    from selfsame.system_errors import mendable
    try:
        print(start(small))
    except Exception as error:
        if (said := mendable(error)) is None:
            raise
        sys.exit(f"error: {said}")
"""


def make_project(folder: Path) -> None:
    """Write the project's files, commit them, and go there."""
    folder.mkdir()
    os.chdir(folder)
    Path("work.py").write_text(STAGE)
    Path("flow.py").write_text(FLOW)
    Path("source.txt").write_text("content\n")
    Path(".gitignore").write_text("/runs.log\n__pycache__/\n.partial-*\n/lineage/\n/.scratch/\n")
    write_params(dict.fromkeys(STAGES, 0))
    stages = {
        name: {
            "cmd": f"python work.py {name}",
            "deps": ["work.py", f"{given}.txt"],
            "params": [name],
            "outs": [f"{name}.txt"],
        }
        for name, given in STAGES.items()
    }
    Path("dvc.yaml").write_text(json.dumps({"stages": stages}))
    git("init", "-q")
    shell("dvc", "init", "-q")
    Path(".dvc/config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    commit()


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of everything that is started, with what is kept below ``folder``."""
    return os.environ | {
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "PREFECT_HOME": str(folder / "prefect"),
        "DVC_SITE_CACHE_DIR": str(folder / "site"),
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_LOGGING_LEVEL": "WARNING",
        "PYTHONFAULTHANDLER": "1",  # a process that crashes says where
    }


def load() -> str:
    """Return how many processes wanted a core in the last minute."""
    return f"{os.getloadavg()[0]:.0f}"


def shell(*command: str) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end, whatever comes of it."""
    return subprocess.run(command, capture_output=True, text=True)


def git(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run git as somebody."""
    return shell("git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments)


def commit() -> None:
    """Commit everything that git knows or may know."""
    git("add", "--all")
    git("commit", "-qm", "now")


def write_params(values: dict[str, int]) -> None:
    """Write ``params.yaml`` as DVC writes it, so that its own edits change no other line."""
    Path("params.yaml").write_text("".join(f"{name}:\n  value: {value}\n" for name, value in values.items()))


def read_params() -> dict[str, int]:
    """Read it."""
    from ruamel.yaml import YAML

    return {name: entry["value"] for name, entry in YAML(typ="safe").load(Path("params.yaml")).items()}


def expected() -> dict[str, str]:
    """Return what must stand in every output."""
    files = {"source": Path("source.txt").read_text()}
    for name, given in STAGES.items():
        text = f"{read_params()[name]} {files[given]}"
        files[name] = hashlib.sha256(text.encode()).hexdigest() * SIZE
    return {name: files[name] for name in STAGES}


def wrong() -> list[str]:
    """Name the outputs that aren't what they must be."""
    return [name for name, text in expected().items() if not _is(Path(f"{name}.txt"), text)]


def _is(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def stages_alive(folder: Path) -> list[int]:
    """Return the processes that run a stage of the project, this one or the real one."""
    return _alive(folder, b"work.py", *REAL_STAGES)


def dvcs_alive(folder: Path) -> list[int]:
    """Return the processes in which DVC runs a stage."""
    return _alive(folder, b"dvc", b"selfsame.dag.child")


def _alive(folder: Path, *programs: bytes) -> list[int]:
    """Look through ``/proc``, which is faster than ``psutil``: it is done all the time."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            python, *words = (place / "cmdline").read_bytes().split(b"\0")
            named = {Path(word.decode()).name.encode() for word in words[:2]} & set(programs)
            if b"python" in python and named and (place / "cwd").readlink() == folder:
                found.append(int(place.name))
        except (OSError, ValueError):  # it has ended, or is a zombie
            continue
    return found
