"""A small real project and the commands a person would run in it."""

import os
import shutil
import subprocess
from pathlib import Path

from forked import BIN, bin_folder

ROOT = Path(__file__).parents[2]
STAGE = """
from selfsame.core.params import Section
from selfsame.params.reading import check_sections
from selfsame.runner import run_stage

class Params(Section):
    {key}: {kind}

def check(written):
    return check_sections({{"{name}": written["{name}"]}}, {{"{name}": Params}})

def main(stage):
    value = stage.params["{name}"].{key}
    inputs, outputs = stage.inputs, stage.outputs
{body}

if __name__ == "__main__":
    run_stage("{name}", main, check)
"""
MAKE = """
    outputs["table"].mkdir()
    for part in range(value):
        (outputs["table"] / f"part-{part}.txt").write_text(f"{part} of {value}: {inputs['seed'].read_text()}")
    outputs["about"].write_text("a table")
"""
CHOOSE = """
    outputs["champion"].mkdir()
    for part in sorted(inputs["table"].iterdir()):
        (outputs["champion"] / part.name).write_bytes(part.read_bytes())
    (outputs["champion"] / "card.txt").write_text(inputs["about"].read_text() + value)
    outputs["metrics"].write_text(value)
"""
FILES = {
    "seed.txt": "seed 1\n",
    "params.yaml": "make: {parts: 2}\nchoose: {title: first}\n",
    "dvc.yaml": """
stages:
  make:
    cmd: python -m tasks.make
    deps: [tasks/make.py, seed.txt]
    params: [make]
    outs: [data/table, data/about.txt]
  choose:
    cmd: python -m tasks.choose
    deps: [tasks/choose.py, data/table, data/about.txt]
    params: [choose]
    outs: [models/champion]
    metrics: [reports/metrics.txt: {cache: false}]
""",
    ".gitignore": "/data\n/models\n__pycache__\n.partial-*\n",
    "tasks/__init__.py": "",
    "tasks/make.py": STAGE.format(name="make", key="parts", kind="int", body=MAKE),
    "tasks/choose.py": STAGE.format(name="choose", key="title", kind="str", body=CHOOSE),
}


class Project:
    """A project folder and the commands a person would run in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *command: str) -> str:
        binaries = os.pathsep.join([str(bin_folder()), str(BIN), os.environ["PATH"]])
        identity = {
            f"GIT_{who}_{what}": "ada@example.org"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        environment = os.environ | identity | {"PATH": binaries, "PYTHONPATH": str(ROOT)}
        for name in ("DVC_ROOT", "DVC_EXP_NAME", "SELFSAME_OBSERVE", "SELFSAME_FLOW_RUN"):
            environment.pop(name, None)
        done = subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def repro(self, *arguments: str) -> None:
        self.run("dvc", "repro", "--quiet", *arguments)

    def commit(self) -> str:
        self.run("git", "add", "--all")
        self.run("git", "commit", "-qm", "commit", "--allow-empty")
        return self.run("git", "rev-parse", "HEAD")

    def set(self, old: str, new: str) -> None:
        """Replace a text in ``params.yaml``."""
        params = self.root / "params.yaml"
        assert old in params.read_text()
        params.write_text(params.read_text().replace(old, new))

    def records(self, stage: str) -> list[Path]:
        """Return a stage's records, relative to the project's root."""
        return [path.relative_to(self.root) for path in (self.root / "lineage" / stage).iterdir()]


def make_finished(root: Path) -> Project:
    """Make the project, and run it once; it is committed before and after."""
    project = Project(root)
    for name, content in FILES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    project.run("git", "init", "-q")
    project.run("dvc", "init", "-q")
    project.run("dvc", "config", "core.analytics", "false")
    project.commit()
    project.repro()
    project.commit()
    return project


def make_twice(root: Path, finished: Project | None = None) -> Project:
    """Add a second result, and take the first one back; all is committed, with code that no stage reads."""
    if finished is None:
        project = make_finished(root)
    else:
        project = Project(root)
        shutil.copytree(finished.root, root)
    for name in ("selfsame/audit/page.py", "flows/pipeline.py"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("ANSWER = 42\n")
    project.commit()
    for old, new in (("parts: 2", "parts: 3"), ("parts: 3", "parts: 2")):
        project.set(old, new)
        project.repro()
        project.commit()
    return project
