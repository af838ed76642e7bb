"""Every question of an auditor, asked on a real run and checked against what the files say by themselves."""

import csv
import hashlib
import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from project import Project
from pyarrow import ArrowInvalid
from scipy.stats import binomtest
from sklearn.datasets import load_breast_cancer

from selfsame.audit.case import Case
from selfsame.audit.questions import Answer, answer_all
from selfsame.audit.snapshot import Snapshot
from selfsame.core.digests import sha256_json
from selfsame.core.graph_file import read_stages, read_yaml
from selfsame.observe.notes import take_notes
from selfsame.params.check import check_params
from selfsame.runner import _run
from tasks.evaluate import main as evaluate

SPLITS = Path("data/splits")


@pytest.fixture(scope="module")
def answers(finished_real: Project) -> dict[int, Answer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(finished_real.root)
        return {one.number: one for one in answer_all(Case(Snapshot(), Path("models/champion")))}


@pytest.fixture(autouse=True)
def _in_project(real: Project) -> None:
    pass


def table(path: str) -> list[dict[str, Any]]:
    files = sorted(Path(path).glob("*.parquet")) if Path(path).is_dir() else [Path(path)]
    wanted = ("example_id", "label", "pseudo_label", "accepted", "source_row", "teacher")
    rows = []
    for file in files:
        names = [name for name in pq.read_schema(file).names if name in wanted]
        rows += pq.read_table(file, columns=names).to_pylist()
    return rows


def records(stage: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_bytes()) for path in Path("lineage", stage).glob("*.json")]


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()


def test_every_question_is_answered_in_order(answers: dict[int, Answer]) -> None:
    assert list(answers) == list(range(1, 16))
    assert all(one.answer and one.question.endswith("?") for one in answers.values())
    assert json.dumps([one.evidence for one in answers.values()])


def test_1_human_and_machine_labels(answers: dict[int, Answer]) -> None:
    decisions = table("data/pseudo_labels")
    accepted = sum(row["accepted"] for row in decisions)
    rows = answers[1].evidence["rows"]
    assert rows == {
        "labeled": len(table("data/splits/labeled.parquet")),
        "validation": len(table("data/splits/validation.parquet")),
        "calibration": len(table("data/splits/calibration.parquet")),
        "holdout": len(table("data/splits/holdout.parquet")),
        "accepted": accepted,
        "rejected": len(decisions) - accepted,
    }
    trainings = answers[1].evidence["trainings"]
    assert trainings["train_baseline"]["machine"] == 0
    assert trainings["retrain"]["machine_share"] == pytest.approx(accepted / (accepted + 20))
    assert f"{accepted} accepted" in answers[1].answer


def test_2_every_pool_row_has_a_decision(answers: dict[int, Answer]) -> None:
    pool, decisions = table("data/splits/pool"), table("data/pseudo_labels")
    assert [row["example_id"] for row in pool] == [row["example_id"] for row in decisions]
    assert answers[2].evidence["rows"] == len(pool)
    assert answers[2].evidence["columns"] == pq.read_schema("data/pseudo_labels/part-00000.parquet").names


def test_3_the_threshold_was_set_by_hand(answers: dict[int, Answer]) -> None:
    assert answers[3].evidence["params"]["threshold"] == 0.6
    assert "Set by hand to 0.6" in answers[3].answer and "no rows" in answers[3].answer
    gate = json.loads(pq.read_schema("data/pseudo_labels/part-00000.parquet").metadata[b"gate"])
    assert answers[3].evidence["gate"] == gate and gate["calibrated_on"] == "validation"
    assert f"{len(table('data/splits/validation.parquet'))} validation rows" in answers[3].answer
    readers = ["train_baseline", "pseudo_label", "retrain", "evaluate"]
    assert answers[3].evidence["judges_used_by"] == readers


def test_4_precision_with_its_interval(answers: dict[int, Answer]) -> None:
    truth = {row["example_id"]: row["label"] for row in table("data/splits/hidden_labels.parquet")}
    kept = [row for row in table("data/pseudo_labels") if row["accepted"]]
    right = [row["pseudo_label"] == truth[row["example_id"]] for row in kept]
    interval = binomtest(sum(right), len(right)).proportion_ci(0.95, method="wilson")
    overall = answers[4].evidence["overall"]
    assert (overall["part"], overall["total"]) == (sum(right), len(right))
    assert overall["interval_95"] == pytest.approx([interval.low, interval.high], abs=1e-6)
    for index, name in enumerate(load_breast_cancer().target_names):
        of_class = [ok for ok, row in zip(right, kept, strict=True) if row["pseudo_label"] == index]
        found = answers[4].evidence["per_class"][name]
        assert (found["part"], found["total"]) == (sum(of_class), len(of_class))


def test_5_no_row_in_two_roles(answers: dict[int, Answer]) -> None:
    inputs = load_breast_cancer().data
    roles = {
        role: {inputs[row["source_row"]].tobytes() for row in table(f"data/splits/{file}")}
        for role, file in {
            "labeled": "labeled.parquet",
            "validation": "validation.parquet",
            "calibration": "calibration.parquet",
            "holdout": "holdout.parquet",
            "pool": "pool",
        }.items()
    }
    for pair, count in answers[5].evidence["shared"].items():
        left, right = pair.split(" and ")
        assert count == len(roles[left] & roles[right]) == 0
    near = json.loads(Path("reports/metrics.json").read_text())["data_checks"]["near_copies"]
    assert answers[5].answer.startswith("No row has two roles, compared by content. Rows that measure")
    assert answers[5].answer.endswith(f" or labeled by machine: {near}.")


def test_6_shares_per_class(answers: dict[int, Answer]) -> None:
    bunch = load_breast_cancer()
    shares = answers[6].evidence["shares"]
    decisions = [row for row in table("data/pseudo_labels") if row["accepted"]]
    counted = Counter(bunch.target_names[row["pseudo_label"]] for row in decisions)
    prior = Counter(bunch.target_names[label] for label in bunch.target)
    for name in bunch.target_names:
        assert shares["accepted"][name] == pytest.approx(counted[name] / len(decisions))
        assert shares["prior"][name] == pytest.approx(prior[name] / len(bunch.target))
        assert shares["labeled"][name] == pytest.approx(0.5)


def test_7_who_read_the_holdout(answers: dict[int, Answer]) -> None:
    """Both results were measured on the same rows; the second had not been seen when the first was chosen."""
    reads = answers[7].evidence["holdout_reads"]
    assert [each["own"] for each in reads] == [True, False] and len(records("evaluate")) == 2
    champion = answers[7].evidence["champion"]
    weights = {
        name: hashlib.sha256(Path("models", name, "model.safetensors").read_bytes()).hexdigest()
        for name in ("baseline", "student")
    }
    choice = reads[0]["choice"]
    assert choice["champion"] == champion and choice["weights"].keys() == weights.keys() | {"reference"}
    assert {name: choice["weights"][name] for name in weights} == weights
    assert choice["sha256"] == sha256_json({"champion": champion, "weights": choice["weights"]})
    assert "read the same holdout rows: 2, of which 0 before this one and 1 after it" in answers[7].answer


def test_the_choice_is_made_before_the_holdout_is_opened(real_copy: Project) -> None:
    """Even where the holdout can't be read at all there is a choice."""
    Path("data/splits/holdout.parquet").unlink()
    Path("data/splits/holdout.parquet").write_bytes(b"closed")
    spec = read_stages()["evaluate"]
    sections = check_params(read_yaml(Path("params.yaml")))
    take_notes()
    with pytest.raises(ArrowInvalid):
        _run(spec, evaluate, {name: sections[name] for name in spec.params})
    (told,) = take_notes()
    assert told["choice"]["champion"] in ("baseline", "student")


def test_7_benefit_and_promotions(answers: dict[int, Answer]) -> None:
    with Path("reports/confusion_matrix.csv").open() as file:
        champion = [row["actual"] == row["predicted"] for row in csv.DictReader(file)]
    evidence = answers[7].evidence
    assert evidence["holdout_accuracy"][evidence["champion"]] == pytest.approx(np.mean(champion), abs=1e-6)
    metrics = json.loads(Path("reports/metrics.json").read_text())
    gained, lost = (metrics["holdout"][key] for key in ("gained_by_student", "lost_by_student"))
    expected = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert evidence["p_value"] == pytest.approx(expected, abs=1e-6)
    results = {git("show", f"{commit}:reports/metrics.json") for commit in ("HEAD", "HEAD~1")}
    worse = [
        each
        for each in map(json.loads, results)
        if each["champion"] == "student"
        and each["student"]["validation"]["accuracy"] < each["baseline"]["validation"]["accuracy"]
    ]
    assert evidence["worse"] == worse == []
    assert f"in {len(results)} recorded results" in answers[7].answer


def test_8_repeats_were_bit_equal(answers: dict[int, Answer]) -> None:
    outputs = [sorted(s["digest"]["sha256"] for s in record["subject"]) for record in records("split")]
    assert len(outputs) == 2 and outputs[0] == outputs[1]
    repeats = answers[8].evidence["repeats"]
    assert (repeats["split"]["executions"], repeats["split"]["bit_equal"]) == (2, 2)
    assert repeats["retrain"]["executions"] == 1
    assert "split: 2 of 2" in answers[8].answer and "gives the same bytes; ran on" in answers[8].answer


def test_9_what_ran_and_what_was_restored(answers: dict[int, Answer]) -> None:
    evidence = answers[9].evidence
    assert [stage for stage, each in evidence.items() if each["restored"]] == [
        "pseudo_label",
        "retrain",
        "evaluate",
    ]
    for stage, each in evidence.items():
        record = json.loads(Path(each["record"]).read_bytes())
        by_name = {subject["name"]: subject["digest"]["sha256"] for subject in record["subject"]}
        for name, digest in by_name.items():
            assert hashlib.sha256(Path(name).read_bytes()).hexdigest() == digest, stage
        assert each["commit"] in git("log", "--format=%H").split()


def test_10_the_record_is_complete(answers: dict[int, Answer]) -> None:
    tracked = git("ls-files", "lineage").split()
    assert len(tracked) == 6 + 1 + 3  # a full run, 'split' again, three stages again
    assert answers[10].evidence == {"gaps": [], "broken_records": [], "uncommitted": []}
    assert "The record is complete; all of it is committed. It is tamper-evident" in answers[10].answer


def test_11_nobody_signed_yet(answers: dict[int, Answer]) -> None:
    assert git("tag") == ""
    assert answers[11].answer.startswith("not recorded")


def test_12_a_labeled_row_taints_everything(answers: dict[int, Answer]) -> None:
    evidence = answers[12].evidence
    (example,) = evidence["examples"]
    assert example in {row["example_id"] for row in table("data/splits/labeled.parquet")}
    teachers = {row["teacher"] for row in table("data/pseudo_labels")}
    baseline = hashlib.sha256(Path("models/baseline/model.safetensors").read_bytes()).hexdigest()
    assert teachers == {baseline}
    assert evidence["pseudo_labels"]["by_tainted_teachers"] == len(table("data/pseudo_labels"))
    assert [model["model"] for model in evidence["models"]] == [
        "models/baseline",
        "models/student",
        "models/champion",
    ]


def test_13_the_draw_was_random(answers: dict[int, Answer]) -> None:
    (record, _) = records("split")
    params = record["predicate"]["buildDefinition"]["externalParameters"]["params"]["split"]
    assert answers[13].evidence["split"].items() >= params.items()  # with the defaults of what isn't written
    assert answers[13].answer.startswith("No: drawn at random")


def test_14_origin_and_license(answers: dict[int, Answer]) -> None:
    bunch = load_breast_cancer()
    content = answers[14].evidence["content_sha256"]
    assert content["inputs"] == hashlib.sha256(bunch.data.tobytes()).hexdigest()
    assert content["labels"] == hashlib.sha256(bunch.target.astype(np.int64).tobytes()).hexdigest()
    assert "CC BY 4.0" in answers[14].answer and f"{len(bunch.target)} rows" in answers[14].answer


def test_15_what_changed_since_the_version_before(answers: dict[int, Answer]) -> None:
    evidence = answers[15].evidence
    assert evidence["params"] == {"pseudo_label.threshold": [0.9, 0.6]}
    assert "code" not in evidence and "data" not in evidence
    rows = table("data/pseudo_labels")
    confident = pq.read_table("data/pseudo_labels", columns=["confidence"]).column(0).to_numpy()
    newly = int(((confident >= np.float32(0.6)) & (confident < np.float32(0.9))).sum())
    assert evidence["pseudo_labels"]["newly_accepted"] == newly
    assert evidence["pseudo_labels"]["in_both"] == len(rows)
    assert git("rev-parse", "HEAD~1")[:12] in answers[15].answer
