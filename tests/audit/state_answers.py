"""Each answer of the audit in some state of a project, held against the files themselves.

The files ``test_states*.py`` bring the states, some each, so that they can be spread over processes.
"""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from states import STALE, Truth, finished, ids, params_of, stage_of
from typer.testing import CliRunner, Result

from selfsame.cli import app

MODELS = ("baseline", "student", "champion")


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    return request.node.callspec.params["state"]


@pytest.fixture(autouse=True)
def there(state: Truth, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(state.project.root)


def run(*arguments: str) -> Result:
    """Run a command that only reads; the same one in the same state is run once, for all tests."""
    return _run(Path.cwd(), arguments)


@cache
def _run(state: Path, arguments: tuple[str, ...]) -> Result:
    return CliRunner().invoke(app, arguments, catch_exceptions=False)


def told(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


def example(state: Truth, model: str, path: str, **wanted: Any) -> str | None:
    rows = state.read(state.record_of(model), path)
    found = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return found[-1]["example_id"] if found else None


def test_the_verdict_comes_first_and_the_status_with_it(name: str) -> None:
    verdict, status = ("stale", 4) if name in STALE else ("unsigned", 0)
    everything = ["--remote"] if name == "cloned" else []
    for command in (["audit"], ["verify", *everything]):
        done = run(*command)
        expected = "verified" if command[0] == "verify" and status == 0 else verdict
        assert done.stdout.startswith(f"{expected}: "), done.stdout[:2000]
        assert done.exit_code == status
    document = told("audit")
    assert document["verdict"] == verdict and len(document["questions"]) == 15
    assert run("audit", "--strict").exit_code == (status or 6)
    if name == "cloned":
        assert run("verify").stdout.startswith("incomplete: ")


def test_a_page_can_be_written(tmp_path: Path) -> None:
    run("audit", "--html", str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").read_text().count("<dt>") == 15


@pytest.mark.parametrize("model", MODELS)
def test_what_a_model_learned(state: Truth, model: str) -> None:
    document = told("audit", f"models/{model}")
    trainings = document["questions"][0]["evidence"]["trainings"]
    stage = stage_of(state.record_of(model))
    assert trainings[stage]["human"] == state.human(model)
    assert trainings[stage]["machine"] == state.machine(model)
    assert set(trainings) == ({stage} if stage == "evaluate" else {"train_baseline", stage})
    assert (trainings[stage]["method"] == "supervised") == (stage != "retrain")
    threshold = params_of(state.record_of("student")).get("pseudo_label", {})
    assert threshold == {}  # the gate's, which no training reads


def test_the_gate_that_the_student_learned_from(state: Truth) -> None:
    record = state.record_of("student")
    decided = state.read(record, "data/pseudo_labels/")
    rows = told("audit", "models/student")["questions"][0]["evidence"]["rows"]
    accepted = sum(row["accepted"] for row in decided)
    assert (rows["accepted"], rows["rejected"]) == (accepted, len(decided) - accepted)
    digests = {
        each["digest"]["sha256"]
        for each in record["predicate"]["buildDefinition"]["resolvedDependencies"]
        if each.get("name", "").startswith("data/pseudo_labels/")
    }
    makers = [
        each for each in state.records if digests <= {out["digest"]["sha256"] for out in each["subject"]}
    ]
    used = told("audit", "models/student")["questions"][2]["evidence"]["params"]
    assert used in [params_of(maker)["pseudo_label"] for maker in makers]


def test_rows_that_the_student_learned(state: Truth, name: str) -> None:
    labeled = example(state, "student", "data/splits/labeled.parquet")
    assert labeled is not None
    story = told("rows", labeled)
    assert {use["use"] for use in story["uses"] if use["models"]} >= {"trained on its human label"}
    assert bool(story["stale"]) == (name in STALE)
    assert run("rows", labeled).stdout.startswith("stale: " if name in STALE else "example_id")
    if taught := state.taught("student"):
        uses = [use for use in told("rows", taught[-1])["uses"] if "models/student" in use["models"]]
        assert uses and uses[0]["use"].startswith("trained on its machine label")


def test_rows_that_no_model_learned(state: Truth) -> None:
    rejected = example(state, "student", "data/pseudo_labels/", accepted=False)
    if rejected and rejected not in (state.taught("student") or [rejected]):
        assert not [use for use in told("rows", rejected)["uses"] if "models/student" in use["models"]]


def test_taint_reaches_what_learned(state: Truth) -> None:
    labeled = example(state, "student", "data/splits/labeled.parquet")
    assert labeled is not None
    reached = {model["model"] for model in told("taint", labeled)["models"]}
    assert {f"models/{model}" for model in MODELS} <= reached
    if taught := state.taught("student"):
        assert "models/student" in {model["model"] for model in told("taint", taught[-1])["models"]}
    assert run("taint", labeled).exit_code == 0


def test_answers_of_people(state: Truth, name: str) -> None:
    evidence = told("audit")["questions"][12]["evidence"]
    if name == "answered":
        assert evidence["annotators"] == {"Ada": 3} and evidence["strategies"] == {"margin": 3}
        split = [record for record in state.records if stage_of(record) == "split"]
        assert len(split) == 3
        (withdrawn,) = params_of(max(split, key=finished))["split"]["exclude"]
        assert told("rows", withdrawn)["role"].startswith("none: withdrawn")
    else:
        assert "annotators" not in evidence


@pytest.mark.parametrize("model", MODELS)
def test_the_bill_has_the_score_of_the_model_that_it_names(state: Truth, name: str, model: str) -> None:
    bill = json.loads(run("export", "cyclonedx", f"models/{model}").stdout)
    card = bill["metadata"]["component"]["modelCard"]
    scores = {
        each["type"]: float(each["value"]) for each in card["quantitativeAnalysis"]["performanceMetrics"]
    }
    assert next(iter(scores.values())) == pytest.approx(state.score(model))
    stage = stage_of(state.record_of(model))
    kind = {"train_baseline": "supervised", "retrain": "semi-supervised", "evaluate": "supervised"}[stage]
    assert card["modelParameters"]["approach"]["type"] == kind
    net = params_of(state.record_of("student"))["model"]["architecture"]
    assert (card["modelParameters"]["architectureFamily"] == net) == (stage != "evaluate")
    assert card["modelParameters"]["task"] == ("regression" if name == "own values" else "classification")


def test_the_facet_tells_of_the_labels_that_were_learned(state: Truth) -> None:
    events = [json.loads(line) for line in run("export", "openlineage", "models/student").stdout.splitlines()]
    facets = [
        facet
        for event in events
        for output in event["outputs"]
        for key, facet in output["facets"].items()
        if key == "selfsame_machineLabels"
    ]
    decided = state.read(state.record_of("student"), "data/pseudo_labels/")
    accepted = sum(row["accepted"] for row in decided)
    assert {(facet["accepted"], facet["rejected"]) for facet in facets} == {
        (accepted, len(decided) - accepted)
    }
    assert {facet["learned"] for facet in facets} == {state.machine("student")}


def test_a_release_is_refused_where_the_chain_is_stale(
    name: str, tmp_path: Path, signer: tuple[Path, Path]
) -> None:
    key, public = signer
    done = run_raw("release", str(tmp_path / "out"), "--key", str(key))
    if name in STALE:
        assert done is not None and "stale" in done
        assert run_raw("release", str(tmp_path / "out"), "--key", str(key), "--although", "stale") is None
    else:
        assert done is None
    assert run("verify", str(tmp_path / "out"), "--key", str(public)).exit_code == 0
    card = (tmp_path / "out" / "README.md").read_text()
    assert re.search(r"^\| the (baseline|student|reference) on the holdout \| \|$", card, re.MULTILINE)


def run_raw(*arguments: str) -> str | None:
    """Return the message of a refusal; None if there was none."""
    from selfsame.core.errors import SelfsameError

    try:
        assert CliRunner().invoke(app, arguments, catch_exceptions=False).exit_code == 0
    except SelfsameError as error:
        return str(error)
    return None


def test_labels_across_the_pool_agree_with_the_records(state: Truth) -> None:
    """No row of the student's own labeled, validation and holdout rows is in its pool."""
    record = state.record_of("student")
    shared = told("audit", "models/student")["questions"][4]["evidence"]["shared"]
    pool = ids(state.read(record, "data/splits/pool"))
    assert not any(shared.values()) and not pool & ids(state.read(record, "data/splits/labeled.parquet"))
