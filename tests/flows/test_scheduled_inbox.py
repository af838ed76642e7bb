"""The real six stages, run by their schedule alone: nobody starts anything, files come to the inbox."""

import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from project import ROOT, TINY, Project, Repro
from ruamel.yaml import YAML

from tests.conftest import has_ended
from tests.flows.house import House

EVERY_SECONDS = 15  # between two scheduled runs; a run that comes due during another one is cancelled
WAIT_SECONDS = 1200  # it ends a wait for what never comes
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


class Watch:
    """What the schedule's runs came to since the last look."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.known = 0

    def news(self) -> list[tuple[str, str]]:
        """Return what the runs did that had something to do, once one that began later had nothing."""
        now, deadline = time.time(), time.monotonic() + WAIT_SECONDS
        while True:
            story = self.house.story()[self.known :]
            if story and story[-1].began > now and tuple(story[-1][1:]) == NOTHING_NEW:
                self.known += len(story)
                return [(name, message) for _, name, message in story if (name, message) != NOTHING_NEW]
            assert time.monotonic() < deadline, f"{story}\n{self.house.log.read_text()}"
            time.sleep(1)


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
        watch = Watch(house)
        assert watch.news() == [("Completed", f"ran: {STAGES}")]
        assert set(project.executions().values()) == {1}
        pages = [str(one["data"]) for one in house.ask("artifacts/filter", {}) if one["key"] == "summary"]
        (told,) = [page for page in pages if "ran in " in page]
        report = f"file://{project.root}/reports/report.html"
        for words in ("it has no record in dvc.lock", "← champion", report, "models/student: "):
            assert words in told, told

        # Rows without labels go to the pool: the baseline has nothing to learn from them.
        write_rows(inbox / "new.csv", 60, seed=1, labeled=False)
        ran = [name for name in STAGES.split(", ") if name != "train_baseline"]
        assert watch.news() == [("Completed", f"ran: {', '.join(ran)}; unchanged: train_baseline")]
        executions = {name: 1 + (name in ran) for name in project.stages}
        assert project.executions() == executions

        # The same file again, with another time: nothing.
        write_rows(inbox / "new.csv", 60, seed=1, labeled=False)
        assert watch.news() == []

        # Other bytes with the same rows: they are read again, and nothing follows.
        write_rows(inbox / "labeled.csv", 150, seed=0, labeled=True, quote='"')
        rest = ", ".join(STAGES.split(", ")[1:])
        assert watch.news() == [("Completed", f"ran: download; unchanged: {rest}")]
        assert project.executions() == executions | {"download": 3}

        # Rows with labels change what the baseline learns from: all six run.
        write_rows(inbox / "more.csv", 90, seed=2, labeled=True)
        assert watch.news() == [("Completed", f"ran: {STAGES}")]

        # Ctrl-C ends it, and leaves nothing behind.
        family = psutil.Process(house.process.pid).children(recursive=True)
        assert len(family) >= 2, "server and worker"
        house.process.send_signal(signal.SIGINT)
        assert house.process.wait(60) == 0, house.log.read_text()
        assert [process for process in family if not has_ended(process.pid)] == []
    assert project.repro() == Repro((), ())
