"""A record is true, whole and valid, and leaving it out changes nothing."""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from hashlib import md5, sha256
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import StageSpec
from selfsame.core.params import Section
from selfsame.observe import record
from selfsame.observe.hashing import Digests, both_digests
from selfsame.observe.record import begin

ROOT = Path(__file__).parents[2]
SPEC = StageSpec(
    name="fit",
    cmd="python -m tasks.fit",
    desc="",
    code=("tasks/fit.py", "selfsame/lib"),
    inputs=("data/table", "data/notes.txt"),
    outputs=("models/net", "metrics.json"),
    params=("fit",),
)


class Fit(Section):
    epochs: int
    rate: float
    patience: int = 5


SECTIONS = {"fit": Fit(epochs=3, rate=1e-3)}
READ = {
    "tasks/fit.py": "code",
    "selfsame/lib/a.py": "code",
    "selfsame/lib/deep/b.py": "code",
    "data/table/part-0": "input",
    "data/table/part-1": "input",
    "data/notes.txt": "input",
}
WRITTEN = ("models/net/weights", "models/net/config.json", "metrics.json")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with everything that the stage of ``SPEC`` reads, in no git repository."""
    monkeypatch.chdir(tmp_path)
    for name in ("DVC_ROOT", "DVC_EXP_NAME", "SELFSAME_FLOW_RUN"):
        monkeypatch.delenv(name, raising=False)
    for variable, value in (("NAME", "Ada"), ("EMAIL", "ada@example.org")):
        monkeypatch.setenv(f"GIT_AUTHOR_{variable}", value)
        monkeypatch.setenv(f"GIT_COMMITTER_{variable}", value)
    for name in READ:
        write(name, f"content of {name}")
    write("selfsame/lib/__pycache__/a.pyc", "byte code")
    write("params.yaml", "fit: {epochs: 3, rate: 1e-3}\nother: {key: 1}\n")
    write("dvc.yaml", "stages: {}\n")
    return tmp_path


def write(name: str, content: str) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_text(content)


def execute() -> Path:
    """Run the stage of ``SPEC`` under the recorder; return the record's path."""
    recorder = begin(SPEC, SECTIONS)
    for name in WRITTEN:
        write(name, f"content of {name}")
    return recorder.finish()


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def commit_all() -> str:
    git("init", "-q")
    git("add", "--all")
    git("commit", "-qm", "all")
    return git("rev-parse", "HEAD")


def dependencies(path: Path, kind: str) -> list[dict[str, Any]]:
    definition = json.loads(path.read_text())["predicate"]["buildDefinition"]
    return [entry for entry in definition["resolvedDependencies"] if entry["annotations"]["kind"] == kind]


def commit_in(path: Path) -> dict[str, Any]:
    (entry,) = dependencies(path, "commit")
    return entry


def digest_of(name: str, kind: str = "") -> dict[str, str]:
    content = Path(name).read_bytes()
    by_dvc = {} if kind == "input" else {"md5": md5(content).hexdigest()}
    return {"sha256": sha256(content).hexdigest(), **by_dvc}


def test_record_is_named_by_its_own_bytes(project: Path) -> None:
    path = execute()
    assert path == Path("lineage/fit") / f"{sha256(path.read_bytes()).hexdigest()}.json"
    assert [file.name for file in path.parent.iterdir()] == [path.name]  # nothing half-written stays


def test_record_names_every_file_with_its_digest(project: Path) -> None:
    path = execute()
    subjects = {entry["name"]: entry["digest"] for entry in json.loads(path.read_text())["subject"]}
    assert subjects == {name: digest_of(name) for name in WRITTEN}
    for kind in ("input", "code"):
        read = {entry["name"]: entry["digest"] for entry in dependencies(path, kind)}
        assert read == {name: digest_of(name, kind) for name in READ if READ[name] == kind}


def test_record_holds_parameters_as_they_were_set(project: Path) -> None:
    path = execute()
    external = json.loads(path.read_text())["predicate"]["buildDefinition"]["externalParameters"]
    assert external == {
        "stage": "fit",
        "command": "python -m tasks.fit",
        "params": {"fit": {"epochs": 3, "rate": 0.001}},
    }
    assert isinstance(external["params"]["fit"]["epochs"], int)
    internal = json.loads(path.read_text())["predicate"]["buildDefinition"]["internalParameters"]
    assert internal["parameters"] == {"fit": {"epochs": 3, "rate": 0.001, "patience": 5}}
    (section,) = dependencies(path, "params")
    assert section["uri"] == "params.yaml#fit"
    assert section["digest"]["sha256"] == sha256(b'{"epochs":3,"rate":0.001}').hexdigest()


@pytest.mark.parametrize("in_git", [True, False])
def test_record_is_a_valid_statement_with_slsa_provenance(project: Path, in_git: bool) -> None:
    if in_git:
        commit_all()
    text = execute().read_text()
    message = json_format.Parse(text, statement_pb2.Statement())
    Statement.copy_from_pb(message).validate()
    assert message.predicate_type == "https://slsa.dev/provenance/v1"
    # Strict: a field that the predicate doesn't have is an error here.
    provenance = json_format.ParseDict(json.loads(text)["predicate"], provenance_pb2.Provenance())
    metadata = provenance.run_details.metadata
    assert provenance.build_definition.build_type and provenance.run_details.builder.id
    assert metadata.started_on.ToDatetime() <= metadata.finished_on.ToDatetime()


def test_record_counts_the_seconds_of_processes_that_the_stage_started(project: Path) -> None:
    busy = "import time\nwhile time.process_time() < 0.4: pass"
    subprocess.run([sys.executable, "-S", "-c", busy], check=True)
    internal = json.loads(execute().read_text())["predicate"]["buildDefinition"]["internalParameters"]
    assert internal["cpuSeconds"] > time.process_time() + 0.2


def test_record_describes_environment_and_starter(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFSAME_FLOW_RUN", '{"id": "7", "name": "brave-bee"}')
    internal = json.loads(execute().read_text())["predicate"]["buildDefinition"]["internalParameters"]
    assert internal["python"] == ".".join(map(str, sys.version_info[:3]))
    assert internal["packages"]["pytest"] == pytest.__version__
    assert internal["hardware"]["cpuCount"] == os.cpu_count()
    assert internal["startedBy"]["flowRun"] == {"id": "7", "name": "brave-bee"}
    assert internal["startedBy"]["user"]


def test_unreadable_flow_run_is_an_error(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELFSAME_FLOW_RUN", "brave-bee")
    with pytest.raises(SelfsameError, match="SELFSAME_FLOW_RUN = 'brave-bee': not JSON"):
        begin(SPEC, SECTIONS)


def test_clean_commit(project: Path) -> None:
    head = commit_all()
    write("dvc.lock", "changes with every stage")
    write("elsewhere.py", "no code of this stage")
    commit = commit_in(execute())
    assert commit["digest"] == {"gitCommit": head}
    assert commit["annotations"] == {"kind": "commit", "dirty": False, "changed": []}


@pytest.mark.parametrize("name", ["tasks/fit.py", "selfsame/lib/new and ü.py", "params.yaml", "dvc.yaml"])
def test_changed_or_new_source_is_dirty(project: Path, name: str) -> None:
    commit_all()
    write(name, "fit: {epochs: 4, rate: 1e-3}\n")
    assert commit_in(execute())["annotations"] == {"kind": "commit", "dirty": True, "changed": [name]}


def test_missing_repository_commit_or_git_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.parent))
    assert "not a git repository" in commit_in(execute())["annotations"]["absent"]
    git("init", "-q")
    assert commit_in(execute())["annotations"]["absent"] == "the repository has no commit yet"
    monkeypatch.setenv("PATH", "")
    without_git = commit_in(execute())
    assert without_git["annotations"]["absent"] == "git is not installed"
    assert "digest" not in without_git


def test_stage_stops_when_its_record_cannot_be_written(project: Path) -> None:
    write("lineage", "a file where the folder should be")
    with pytest.raises(SelfsameError, match=r"lineage/fit/\w+\.json: the provenance record can't be written"):
        execute()


def test_record_of_an_experiment_in_a_copy_goes_to_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = project / ".dvc/tmp/exps/standalone/copy"
    copy.mkdir(parents=True)
    for name in (*READ, "params.yaml", "dvc.yaml"):
        content = (project / name).read_text()
        monkeypatch.chdir(copy)
        write(name, content)
    monkeypatch.setenv("DVC_ROOT", str(project))
    monkeypatch.setenv("DVC_EXP_NAME", "bold-bee")
    path = execute()
    assert path.parent == project / "lineage/fit"
    assert not (copy / "lineage").exists()
    definition = json.loads(path.read_text())["predicate"]["buildDefinition"]
    assert definition["internalParameters"]["startedBy"]["experiment"] == "bold-bee"


def test_root_of_another_project_is_not_ours(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path_factory.mktemp("other")))
    assert execute().resolve().parent == project / "lineage/fit"


def test_every_file_is_read_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: Counter[str] = Counter()

    def counting(path: Path) -> Digests:
        read[path.as_posix()] += 1
        return both_digests(path)

    monkeypatch.setattr(record, "both_digests", counting)
    monkeypatch.setattr(record, "sha256_only", counting)
    execute()
    assert read == Counter([*READ, *WRITTEN])


STAGE = """
import sys
import numpy as np
from selfsame.core.params import Section
from selfsame.params.reading import check_sections
from selfsame.runner import run_stage

class Draw(Section):
    seed: int

def main(stage):
    drawn = np.random.default_rng(stage.params["draw"].seed).bytes(1000)
    stage.outputs["drawn"].mkdir()
    (stage.outputs["drawn"] / "bytes").write_bytes(drawn)

if __name__ == "__main__":
    run_stage("draw", main, lambda written: check_sections(written, {"draw": Draw}))
    assert "torch" not in sys.modules
"""


def test_observer_off_gives_the_same_bytes_and_no_record(project: Path) -> None:
    write("tasks/__init__.py", "")
    write("tasks/draw.py", STAGE)
    write("params.yaml", "draw: {seed: 5}\n")
    stage = "{cmd: python -m tasks.draw, deps: [tasks/draw.py], params: [draw], outs: [data/drawn]}"
    write("dvc.yaml", f"stages:\n  draw: {stage}\n")
    drawn = {}
    for observe in ("0", "1"):
        environment = os.environ | {"SELFSAME_OBSERVE": observe, "PYTHONPATH": str(ROOT)}
        subprocess.run([sys.executable, "-m", "tasks.draw"], check=True, env=environment)
        drawn[observe] = Path("data/drawn/bytes").read_bytes()
        assert len(list(Path("lineage").rglob("*.json"))) == int(observe)
    assert drawn["0"] == drawn["1"]


@pytest.mark.parametrize("name", [*READ, "data/table/part-2", "params.yaml"])
def test_what_changed_meanwhile_is_not_booked_on_the_old_result(project: Path, name: str) -> None:
    """DVC would record the new content with the outputs that were made of the old one."""
    recorder = begin(SPEC, SECTIONS)
    for written in WRITTEN:
        write(written, "result")
    write(name, "fit: {epochs: 4, rate: 1e-3}\nother: {key: 1}\n")
    with pytest.raises(SelfsameError, match=f"{name}.* changed while stage fit was running"):
        recorder.finish()
    assert not (project / "lineage").exists()


def test_a_removed_input_is_not_booked_either(project: Path) -> None:
    recorder = begin(SPEC, SECTIONS)
    Path("data/table/part-1").unlink()
    with pytest.raises(SelfsameError, match="data/table/part-1: changed while"):
        recorder.finish()


def test_the_same_content_again_and_what_is_not_read_do_no_harm(project: Path) -> None:
    recorder = begin(SPEC, SECTIONS)
    for written in WRITTEN:
        write(written, "result")
    for name in READ:
        write(name, f"content of {name}")
        os.utime(name, (1, 1))
    write("params.yaml", "other: {key: 2}\nfit: {rate: 1e-3, epochs: 3}\n")
    assert recorder.finish().exists()
