"""The real six stages, run by their schedule alone: nobody starts anything, files come to the inbox."""

import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from project import ROOT, TINY, Project, Repro
from ruamel.yaml import YAML

from tests.flows.house import House

EVERY_SECONDS = 15  # between two scheduled runs; a run that comes due during another one is cancelled
WAIT_SECONDS = 600
STAGES = "download, split, train_baseline, pseudo_label, retrain, evaluate"
NOTHING_NEW = ("Cached", f"unchanged: {STAGES}")
CLASSES = ("daisy", "rose", "tulip")
OWN = {
    "data": {"source": "table", "path": "data/inbox", "target_column": "flower"},
    "split": {"labels_per_class": 10, "validation_per_class": 10},
}


def write_rows(file: Path, rows: int, seed: int, labeled: bool, quote: str = "") -> None:
    """Write a table at once, as a careful sender does: three classes that lie apart, two columns."""
    random = np.random.default_rng(seed)
    lines = ["width,height,flower" if labeled else "width,height"]
    for row in range(rows):
        kind = row % len(CLASSES)
        width, height = random.normal([3 * kind, -kind], 1).round(6)
        lines.append(f"{width},{height}" + f",{quote}{CLASSES[kind]}{quote}" * labeled)
    partial = file.parent.parent / "coming"
    partial.write_text("\n".join(lines) + "\n")
    partial.replace(file)


def follow(house: House, known: int) -> list[tuple[str, str]]:
    """Return what the runs after the first ``known`` ones came to, once two in a row had nothing to do."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (story := house.story()[known:])[-2:] != [NOTHING_NEW, NOTHING_NEW]:
        assert time.monotonic() < deadline, f"{story}\n{house.log.read_text()}"
        time.sleep(1)
    return story


def news(story: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the runs that had something to do."""
    return [run for run in story if run != NOTHING_NEW]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_files_come_to_the_inbox(tmp_path: Path) -> None:
    project = Project.create(tmp_path / "project", TINY | OWN)
    table = YAML(typ="safe").load(ROOT / "prefect.yaml")
    nightly = next(entry for entry in table["deployments"] if entry["name"] == "nightly")
    table["deployments"] = [nightly | {"schedules": [{"interval": EVERY_SECONDS}]}]
    YAML().dump(table, project.root / "prefect.yaml")
    inbox = project.root / "data/inbox"
    write_rows(inbox / "labeled.csv", 150, seed=0, labeled=True)
    with House(project.root, tmp_path, code=project.root) as house:
        story = follow(house, 0)
        assert news(story) == [("Completed", f"ran: {STAGES}")]
        assert set(project.executions().values()) == {1}
        pages = [str(one["data"]) for one in house.ask("artifacts/filter", {}) if one["key"] == "summary"]
        (told,) = [page for page in pages if "ran in " in page]
        report = f"file://{project.root}/reports/report.html"
        for words in ("it has no record in dvc.lock", "← champion", report, "models/student: "):
            assert words in told, told

        # Rows without labels go to the pool: the baseline has nothing to learn from them.
        write_rows(inbox / "new.csv", 60, seed=1, labeled=False)
        known = len(story)
        story = follow(house, known)
        ran = [name for name in STAGES.split(", ") if name != "train_baseline"]
        assert news(story) == [("Completed", f"ran: {', '.join(ran)}; unchanged: train_baseline")]
        executions = {name: 1 + (name in ran) for name in project.stages}
        assert project.executions() == executions

        # The same file again, with another time: nothing.
        known += len(story)
        write_rows(inbox / "new.csv", 60, seed=1, labeled=False)
        story = follow(house, known)
        assert news(story) == []

        # Other bytes with the same rows: they are read again, and nothing follows.
        known += len(story)
        write_rows(inbox / "labeled.csv", 150, seed=0, labeled=True, quote='"')
        story = follow(house, known)
        rest = ", ".join(STAGES.split(", ")[1:])
        assert news(story) == [("Completed", f"ran: download; unchanged: {rest}")]
        assert project.executions() == executions | {"download": 3}

        # Rows with labels change what the baseline learns from: all six run.
        known += len(story)
        write_rows(inbox / "more.csv", 90, seed=2, labeled=True)
        assert news(follow(house, known)) == [("Completed", f"ran: {STAGES}")]

        # Ctrl-C ends it, and leaves nothing behind.
        family = psutil.Process(house.process.pid).children(recursive=True)
        assert len(family) >= 2, "server and worker"
        house.process.send_signal(signal.SIGINT)
        assert house.process.wait(60) == 0, house.log.read_text()
        _, alive = psutil.wait_procs(family, timeout=5)
        assert [process for process in alive if process.status() != psutil.STATUS_ZOMBIE] == []
    assert project.repro() == Repro((), ())
