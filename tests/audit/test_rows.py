"""One row's story and how far it reaches, on a real run."""

import hashlib
import json
import shlex
from copy import copy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from project import Project, run_task

from selfsame.audit.execution import Execution
from selfsame.audit.held import Table
from selfsame.audit.records import Record
from selfsame.audit.rows import describe_row, executions_of, format_row, id_of_source_row
from selfsame.audit.snapshot import Snapshot
from selfsame.audit.taint import format_taint, rebuild_command, taint_history, trace_taint
from selfsame.audit.target import Classes
from selfsame.core.errors import SelfsameError

MODELS = ["models/baseline", "models/student", "models/champion"]


def pick(path: str, **wanted: Any) -> dict[str, Any]:
    """Return the first row of a table that has the wanted values."""
    rows = pq.read_table(path).to_pylist()
    return next(row for row in rows if all(row[key] == value for key, value in wanted.items()))


def models(answer: dict[str, Any]) -> list[str]:
    return [model["model"] for model in answer["models"]]


def sha256(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def changed(record: Record, **fields: Any) -> Record:
    assert record.params  # all of it is read
    other = copy(record)
    vars(other).update(fields)
    return other


def test_labeled_row(real: Project) -> None:
    wanted = pick("data/splits/labeled.parquet")
    row = describe_row(Snapshot(), wanted["example_id"])
    assert (row["role"], row["label"], row["decision"]) == ("labeled", wanted["label"], None)
    assert row["labeled_by"].startswith("human")
    assert [(list(use["models"]), use["use"]) for use in row["uses"]] == [
        (["models/baseline"], "trained on its human label"),
        (["models/student"], "trained on its human label"),
    ]


def test_a_refit_is_told_apart(real: Project) -> None:
    """Its nets learn validation rows; the teacher is the one from before."""
    snapshot, row = Snapshot(), pick("data/splits/validation.parquet")["example_id"]
    training, labeling = (
        next(each for each in executions_of(snapshot) if each.record.stage == stage)
        for stage in ("train_baseline", "pseudo_label")
    )
    validated = {"models/baseline/validated/model.safetensors": "ab"}
    refitted = changed(training.record, outputs=training.record.outputs | validated)
    uses = [each.use_of(row) for each in (training, Execution(refitted, snapshot))]
    assert uses == ["chose its checkpoint with its human label", f"{uses[0]}, then trained on it"]
    assert labeling.teachers == [sha256("models/baseline/model.safetensors")]
    other = changed(labeling.record, inputs=labeling.record.inputs | validated)
    assert Execution(other, snapshot).teachers == ["ab"]


@pytest.mark.parametrize("accepted", [True, False])
def test_pool_row(real: Project, accepted: bool) -> None:
    wanted = pick("data/pseudo_labels", accepted=accepted)
    row = describe_row(Snapshot(), wanted["example_id"])
    decision = row["decision"]
    assert {key: decision[key] for key in wanted} == wanted
    assert row["labeled_by"] == f"machine: teacher {sha256('models/baseline/model.safetensors')}"
    learned = [(list(use["models"]), use["use"]) for use in row["uses"]]
    record = pq.read_table("models/student/learned.parquet").to_pylist()
    ((uses,),) = [each["uses"] for each in record if each["example_id"] == wanted["example_id"]]
    words = f"trained on its machine label {wanted['pseudo_label']} ({uses} × in round 1)"
    assert learned == ([(["models/student"], words)] if accepted else [])
    assert (uses > 0) is accepted
    text = format_row(row)
    assert wanted["reason"] in text and ("no model learned from it" in text) is not accepted


def test_validation_and_holdout_rows(real: Project) -> None:
    validation = describe_row(Snapshot(), pick("data/splits/validation.parquet")["example_id"])
    assert [next(iter(use["models"]), "gate") for use in validation["uses"]] == [
        "models/baseline",
        "gate",
        "models/student",
        "models/champion",
    ]
    assert all("human label" in use["use"] for use in validation["uses"])
    holdout = describe_row(Snapshot(), pick("data/splits/holdout.parquet")["example_id"])
    assert [use["use"] for use in holdout["uses"]] == ["measured both models with it"]


def test_row_by_its_place_in_the_source(real: Project) -> None:
    wanted = pick("data/raw/examples", source_row=17)
    assert id_of_source_row(Snapshot(), 17) == wanted["example_id"]
    with pytest.raises(SelfsameError, match="source row 99999: no example"):
        id_of_source_row(Snapshot(), 99999)


def test_a_row_is_named_by_its_place_in_one_of_several_files(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for name, start, count in (("a.csv", 0, 4), ("b.csv", 4, 3)):
        rows = (f"{at}.5,{at * at},{'xy'[at % 2]}\n" for at in range(start, start + count))
        (inbox / name).write_text("one,two,label\n" + "".join(rows))
    run_task("download", tmp_path, data={"source": "table", "path": "inbox", "target_column": "label"})
    table, manifest = tmp_path / "data/raw/examples", tmp_path / "data/raw/manifest.json"
    now = SimpleNamespace(
        table=lambda _: Table(sorted(table.iterdir())), document=lambda _: json.loads(manifest.read_text())
    )
    snapshot: Any = SimpleNamespace(current=now)
    assert id_of_source_row(snapshot, 2, "b.csv") == pick(str(table), source_row=6, two=36)["example_id"]
    assert id_of_source_row(snapshot, 2, "a.csv") == id_of_source_row(snapshot, 2)
    for row, file, said in (
        (3, "b.csv", "source row 3 of b.csv: it has 3 rows"),
        (-1, "b.csv", "source row -1 of b.csv: it has 3 rows"),
        (0, "c.csv", "c.csv: the source has no such file of rows\n  fix: the first are a.csv, b.csv"),
    ):
        with pytest.raises(SelfsameError, match=said):
            id_of_source_row(snapshot, row, file)


def test_unknown_row(real: Project) -> None:
    with pytest.raises(SelfsameError, match="no table of the workspace has an example of that id"):
        describe_row(Snapshot(), "0" * 32)


def test_taint_of_a_labeled_row_reaches_everything(real: Project) -> None:
    answer = trace_taint(Snapshot(), [pick("data/splits/labeled.parquet")["example_id"]])
    assert models(answer) == MODELS
    rows = pq.read_metadata("data/pseudo_labels/part-00000.parquet").num_rows
    assert answer["pseudo_labels"] == {"own": [], "by_tainted_teachers": rows, "of": rows}
    assert "reports/metrics.json" in answer["reports"]


def test_taint_of_a_row_that_judged_the_gate_reaches_every_pseudo_label(real: Project) -> None:
    answer = trace_taint(Snapshot(), [pick("data/splits/validation.parquet")["example_id"]])
    assert models(answer) == MODELS
    assert answer["pseudo_labels"]["by_tainted_teachers"] == answer["pseudo_labels"]["of"] > 0


def test_taint_of_pool_rows_reaches_what_learned_from_them(real: Project) -> None:
    accepted = pick("data/pseudo_labels", accepted=True)["example_id"]
    rejected = pick("data/pseudo_labels", accepted=False)["example_id"]
    champion, student = (sha256(f"models/{name}/model.safetensors") for name in ("champion", "student"))
    expected = ["models/student", "models/champion"] if champion == student else ["models/student"]
    answer = trace_taint(Snapshot(), [accepted])
    assert models(answer) == expected
    assert answer["pseudo_labels"]["own"] == [accepted]
    assert answer["pseudo_labels"]["by_tainted_teachers"] == 0
    assert models(trace_taint(Snapshot(), [rejected])) == []
    both = trace_taint(Snapshot(), [rejected, accepted])
    assert models(both) == expected and both["pseudo_labels"]["own"] == [rejected, accepted]
    assert "models/student" in format_taint(both)


def test_label_spreading_may_have_learned_from_any_pool_row(real: Project) -> None:
    snapshot, row = Snapshot(), pick("data/pseudo_labels", accepted=False)["example_id"]
    training = next(each for each in executions_of(snapshot) if each.record.stage == "retrain")
    assert training.use_of(row) is None
    for model in ({"architecture": "neighbors"}, {"architecture": "committee", "members": ["neighbors"]}):
        record = changed(training.record, params={"model": model})
        assert "spread labels along its input" in (Execution(record, snapshot).use_of(row) or "")


def test_taint_of_a_holdout_row_reaches_the_report_alone(real: Project) -> None:
    answer = trace_taint(Snapshot(), [pick("data/splits/holdout.parquet")["example_id"]])
    assert models(answer) == [] and "reports/report.html" in answer["reports"]


def test_taint_in_every_committed_result(real: Project) -> None:
    kept_out = pick("data/pseudo_labels", accepted=False)["example_id"]
    answers = taint_history([kept_out])
    assert [models(answer) for answer in answers] == [[], [], []]
    confidence = pq.read_table("data/pseudo_labels").to_pylist()
    wavering = next(row for row in confidence if 0.6 <= row["confidence"] < 0.9)
    latest, second, first = taint_history([wavering["example_id"]])
    assert "models/student" in models(latest) and "models/student" in models(first)
    assert models(second) == []  # there the threshold was 0.9


def test_rebuild_command_withdraws_the_row_and_keeps_what_was_withdrawn(real_copy: Project) -> None:
    before = pick("data/raw/examples", source_row=3)["example_id"]
    row = pick("data/splits/labeled.parquet")["example_id"]
    real_copy.set("split", exclude=[before])
    command = shlex.split(rebuild_command(Snapshot(), [row]))
    assert command[:4] == ["dvc", "exp", "run", "--set-param"]
    key, _, value = command[4].partition("=")
    assert key == "++split.exclude" and json.loads(value) == [before, row]


@pytest.mark.slow
def test_rebuild_command_rebuilds(real_copy: Project) -> None:
    row = pick("data/splits/labeled.parquet")["example_id"]
    real_copy.run(*shlex.split(rebuild_command(Snapshot(), [row])))
    answer = describe_row(Snapshot(), row)
    assert answer["role"].startswith("none: withdrawn") and answer["uses"] == []


def make_table(folder: Path, parts: int, rows: int) -> list[str]:
    folder.mkdir()
    ids = [hashlib.sha256(str(number).encode()).hexdigest()[:32] for number in range(parts * rows)]
    for part in range(parts):
        chunk = ids[part * rows : (part + 1) * rows]
        columns = {
            "example_id": chunk,
            "teacher": ["a" if part == 0 else "b" if number % 2 else "c" for number in range(rows)],
            "source_row": np.arange(part * rows, (part + 1) * rows),
        }
        pq.write_table(pa.table(columns), folder / f"part-{part:05d}.parquet", row_group_size=50)
    return ids


def test_every_row_is_found_where_it_stands(tmp_path: Path) -> None:
    ids = make_table(tmp_path / "pool", parts=3, rows=120)
    table = Table(sorted((tmp_path / "pool").iterdir()))
    assert [table.find(example_id) for example_id in ids] == list(range(360))
    assert [table.row(position)["example_id"] for position in range(360)] == ids
    assert table.find("f" * 32) is None and table.find("not an id") is None
    assert table.find(ids[7], hint=7) == 7 and table.find(ids[7], hint=8) == 7
    assert table.count("teacher", ["a"]) == 120 and table.count("teacher", ["b", "a"]) == 240


def test_accepted_labels_stand_beside_the_hidden_ones_in_whatever_order(tmp_path: Path) -> None:
    """Of 500 pool rows 300 have a hidden label; each is read in pieces of 64."""
    random = np.random.default_rng(0)
    ids = [hashlib.sha256(str(number).encode()).hexdigest()[:32] for number in range(500)]
    labels, accepted = random.integers(0, 2, 500), random.random(500) < 0.7
    known = np.sort(random.choice(500, 300, replace=False))
    true = random.integers(0, 2, 500)
    made = {"example_id": ids, "pseudo_label": labels, "accepted": accepted}
    pq.write_table(pa.table(made), tmp_path / "pseudo_labels.parquet", row_group_size=1)
    for order in (known, random.permutation(known)):
        hidden = {"example_id": [ids[row] for row in order], "label": true[order]}
        pq.write_table(pa.table(hidden), tmp_path / "hidden_labels.parquet", row_group_size=1)
        case = SimpleNamespace(
            held=lambda _: SimpleNamespace(table=lambda stem: Table([tmp_path / f"{stem}.parquet"]))
        )
        found = Classes(case, ["no", "yes"]).precision()  # type: ignore[arg-type]
        assert found is not None
        kept = [row for row in known if accepted[row]]
        right = sum(labels[row] == true[row] for row in kept)
        assert (found["overall"]["part"], found["overall"]["total"]) == (right, len(kept))
        of_no = [row for row in kept if labels[row] == 0]
        assert found["per_class"]["no"]["total"] == len(of_no)
