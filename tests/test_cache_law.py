"""The cache law: a table of edits → exactly the stages that run, under the real ``dvc repro``.

After every edit each output file is held against an independent computation of it from the code and the
parameters alone. What ran is counted in the provenance records and must agree with what DVC says.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from closure import misfits
from project import INBOX, TINY, Project, Repro, compute_anew
from ruamel.yaml import YAML

from selfsame.core.annotations import ANNOTATIONS
from selfsame.core.digests import files_under
from selfsame.core.graph_file import read_stages

ALL = ("download", "split", "train_baseline", "pseudo_label", "retrain", "evaluate")
NONE = Repro((), ())
EXAMPLES = "data/raw/examples/part-00000.parquet"
LABELED = "data/splits/labeled.parquet"
REPORT = "reports/report.html"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A tiny project after its first run; for copying only."""
    project = Project.create(tmp_path_factory.mktemp("law") / "finished", TINY)
    assert project.repro() == Repro(ALL, ())
    assert project.digests() == compute_anew(project)
    return project


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Project:
    """A copy of it, in which DVC has seen every file."""
    copy = finished.copy_to(tmp_path / "project")
    assert copy.repro() == NONE
    return copy


def edit(
    path: str, old: str, new: str, in_place: bool = False, keep_time: bool = False
) -> Callable[[Project], None]:
    """Replace a text: by a new file, as editors do it, or in place; with a new time or the old one."""

    def apply(project: Project) -> None:
        file = project.root / path
        before, content = file.stat(), file.read_bytes()
        assert content.count(old.encode()) >= 1
        target = file if in_place else file.with_name("fresh")
        with target.open("r+b" if in_place else "xb") as stream:
            stream.write(content.replace(old.encode(), new.encode()))
        if not in_place:
            target.replace(file)
        if keep_time:
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert file.read_bytes() != content
        assert (file.stat().st_ino == before.st_ino) == in_place

    return apply


def param(section: str, **values: object) -> Callable[[Project], None]:
    return lambda project: project.set(section, **values)


def touch(*patterns: str) -> Callable[[Project], None]:
    def apply(project: Project) -> None:
        files = [file for pattern in patterns for file in project.root.glob(pattern) if file.is_file()]
        assert files
        for file in files:
            file.touch()

    return apply


def delete(path: str) -> Callable[[Project], None]:
    def apply(project: Project) -> None:
        target = project.root / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()

    return apply


def write_again(project: Project) -> None:
    """Give every source a new file with the same content, and ``params.yaml`` another order as well."""
    for name in ("tasks", "selfsame", "dvc.yaml"):
        for file in files_under(project.root / name):
            edit_same = file.with_name("fresh")
            shutil.copyfile(file, edit_same)
            edit_same.replace(file)
    path = project.root / "params.yaml"
    params = YAML(typ="safe").load(path)
    with path.open("w") as stream:
        YAML(typ="safe").dump({name: params[name] for name in reversed(params)}, stream)


def answer_one(project: Project) -> None:
    """Let a person label a row of the pool."""
    row = pq.read_table(project.root / "data/splits/pool")["example_id"][0].as_py()
    with (project.root / ANNOTATIONS).open("a") as stream:
        stream.write(f"{row},benign,Ada,2026-01-02T03:04:05Z,margin\n")


def make_again(project: Project) -> None:
    """Let a stage write its outputs behind DVC's back."""
    project.run("python", "-m", "tasks.split")


def ran(*stages: str) -> Repro:
    return Repro(stages, ())


def restored(*stages: str) -> Repro:
    return Repro((), stages)


Step = tuple[Callable[[Project], None], Repro]
# Each group is done in one project, one edit after the other.
BYTES: dict[str, dict[str, Step]] = {  # the edits of these groups change outputs
    "models": {
        "learning rate": (param("training", learning_rate=0.003), ran(*ALL[2:])),
        "declared helper": (
            edit("selfsame/selection/by_confidence.py", "confidence below threshold", "confidence too low"),
            ran("pseudo_label", "retrain", "evaluate"),
        ),
    },
    "roles": {
        "labels per class": (param("split", labels_per_class=12), ran(*ALL[1:])),
        "an answer of a person": (answer_one, ran(*ALL[1:])),
        "report title": (param("evaluate", title="Another"), ran("evaluate")),
    },
}
SAME: dict[str, dict[str, Step]] = {  # those of these don't: after each the outputs are the same bytes
    "code": {  # where the bytes written stay the same, nothing that reads them runs
        "step": (edit("tasks/split.py", "Stage split: give", "The stage split: give"), ran("split")),
        "step touched": (touch("tasks/split.py"), NONE),
        "step, new inode, same size and time": (
            edit("tasks/split.py", "stage split: give", "stage split: GIVE", keep_time=True),
            ran("split"),
        ),
        "step, in place, same size": (
            edit("tasks/split.py", "stage split: GIVE", "stage split: Give", in_place=True),
            ran("split"),
        ),
        "declared helper": (
            edit("selfsame/sources/embedded.py", "Data sets", "All data sets"),
            ran("download"),
        ),
    },
    "helper of all": {
        "helper of all": (edit("selfsame/core/digests.py", "Digests of", "The digests of"), ran(*ALL)),
    },
    "nothing": {  # what no stage depends on, and the same content
        "flow": (edit("flows/pipeline.py", "The pipeline", "Our pipeline as it is"), NONE),
        "bridge": (edit("selfsame/dag/plan.py", "DVC's graph", "The graph of DVC"), NONE),
        "audit": (edit("selfsame/audit/verify.py", "Whether a project", "If a project"), NONE),
        "observers": (edit("selfsame/observe/record.py", "The provenance", "A provenance"), NONE),
        "command line": (edit("selfsame/cli.py", "The command line", "Our command line"), NONE),
        "all touched": (
            touch("*", "tasks/*", "selfsame/**/*", "data/**/*", "models/**/*", "reports/*"),
            NONE,
        ),
        "written again": (write_again, NONE),
        "made again": (make_again, NONE),
    },
    # what one stage writes and another reads: an output is taken back from DVC's cache, and nothing runs
    "outputs": {
        "input, other size": (edit(EXAMPLES, "PAR1", "PAR1 and more"), restored("download")),
        "input, new inode, same size and time": (
            edit(EXAMPLES, "PAR1", "PAR2", keep_time=True),
            restored("download"),
        ),
        "input, in place, same size": (edit(EXAMPLES, "PAR1", "PAR2", in_place=True), restored("download")),
        "input touched": (touch(EXAMPLES), NONE),
        "output edited, middle": (edit(LABELED, "PAR1", "PAR1 and more"), restored("split")),
        "output edited, last": (edit(REPORT, "</html>", "</HTML>"), restored("evaluate")),
        "metrics edited": (edit("reports/metrics.json", "champion", "loser"), restored("evaluate")),
        "output deleted, middle": (delete(LABELED), restored("split")),
        "output deleted, last": (delete(REPORT), restored("evaluate")),
        "folder deleted": (delete("models/champion"), restored("evaluate")),
    },
}


def check(project: Project, name: str, change: Callable[[Project], None], expected: Repro) -> None:
    """Make one edit: exactly what must run runs, and nothing afterwards."""
    change(project)
    assert project.repro() == expected, name
    if expected != NONE:
        assert project.repro() == NONE, name


@pytest.mark.parametrize("group", BYTES)
def test_exactly_what_must_run_runs(project: Project, group: str) -> None:
    for name, (change, expected) in BYTES[group].items():
        before = project.digests()
        check(project, name, change, expected)
        assert project.digests() == compute_anew(project) != before, name


@pytest.mark.parametrize("group", SAME)
def test_what_leaves_the_bytes_alone_runs_no_more_than_itself(project: Project, group: str) -> None:
    before = project.digests()
    for name, (change, expected) in SAME[group].items():
        check(project, name, change, expected)
        assert project.digests() == before, name
    assert project.digests() == compute_anew(project)


def test_an_earlier_value_restores_what_it_gave(project: Project) -> None:
    before = project.digests()
    project.set("pseudo_label", threshold=0.55)
    assert project.repro() == ran("pseudo_label", "retrain", "evaluate")
    assert project.digests() == compute_anew(project) != before
    project.set("pseudo_label", threshold=TINY["pseudo_label"]["threshold"])
    assert project.repro() == restored("pseudo_label", "retrain", "evaluate")
    assert project.digests() == before


def stale_stages(project: Project, *options: str) -> dict[str, list[str]]:
    """Return the plan's stale stages with what is wrong with each itself."""
    plan = json.loads(project.selfsame("plan", "--json", *options).stdout)
    own = {step["stage"]: [why for why in step["reasons"] if "is stale" not in why] for step in plan}
    return {stage: reasons for stage, reasons in own.items() if reasons}


def test_code_of_the_same_size_and_time_is_seen_only_by_rehashing(project: Project) -> None:
    edit("tasks/split.py", "Stage split: give", "Stage split: GIVE", in_place=True, keep_time=True)(project)
    assert project.repro() == NONE
    assert stale_stages(project) == {}
    assert stale_stages(project, "--rehash") == {"split": ["tasks/split.py changed"]}
    assert project.repro() == ran("split")
    assert project.digests() == compute_anew(project)


def test_data_of_the_same_size_and_time_is_seen_only_by_rehashing(project: Project) -> None:
    def broken() -> list[str]:
        """What is broken besides the project's having no commit."""
        problems = json.loads(project.selfsame("verify", "--json").stdout)["problems"]
        return [problem["path"] for problem in problems if problem["kind"] not in ("chain", "code")]

    assert broken() == []
    edit(LABELED, "PAR1", "PAR2", in_place=True, keep_time=True)(project)
    assert project.repro() == NONE
    assert project.digests() != compute_anew(project)
    assert broken() == [LABELED]
    assert stale_stages(project) == {}
    assert stale_stages(project, "--rehash").keys() == {"split", "train_baseline", "retrain", "evaluate"}
    assert project.repro() == restored("split")
    assert project.digests() == compute_anew(project)


def test_the_flow_sees_by_rehashing_what_dvc_cannot(project: Project, prefect_api: str) -> None:
    edit("tasks/split.py", "Stage split: give", "Stage split: GIVE", in_place=True, keep_time=True)(project)
    edit(REPORT, "</html>", "</HTML>", in_place=True, keep_time=True)(project)
    before = project.executions()
    assert project.selfsame("run").returncode == 0
    assert project.executions() == before
    assert project.digests() != compute_anew(project)
    assert project.selfsame("run", "--rehash").returncode == 0
    assert project.executions() == before | {"split": before["split"] + 1}
    assert project.digests() == compute_anew(project)


def test_an_undeclared_helper_is_unseen_by_dvc_and_found_in_the_imports(project: Project) -> None:
    (project.root / "tasks" / "helper.py").write_text("NAME = 'one'\n")
    edit("tasks/split.py", "import json\n", "import json\nimport tasks.helper\n")(project)
    assert project.repro() == ran("split")
    edit("tasks/helper.py", "one", "another")(project)
    assert project.repro() == NONE
    split = read_stages(project.root / "dvc.yaml")["split"]
    assert list(misfits(split, project.root)) == ["split imports tasks/helper.py, declared by nothing"]


def test_the_inbox_is_a_dependency(tmp_path: Path) -> None:
    own = {"data": {"source": "table", "target_column": "kind"}}
    project = Project.create(tmp_path / "project", TINY | own)
    inbox = project.root / INBOX
    (inbox / "a.csv").write_text("x,kind\n1,a\n2,b\n")
    assert project.repro("download") == ran("download")
    first = project.digests()
    (inbox / "a.csv").unlink()
    (inbox / "a.csv").write_text("x,kind\n1,a\n2,b\n")
    assert project.repro("download") == NONE
    (inbox / "b.csv").write_text("x,kind\n3,a\n")
    assert project.repro("download") == ran("download")
    assert project.digests() != first
    (inbox / "b.csv").unlink()
    assert project.repro("download") == restored("download")
    assert project.digests() == first
