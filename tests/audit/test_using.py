"""The champion of a revision, of a tag and of a release is used as the one in the workspace is."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest
from project import Project
from test_docs import BLOCK

from selfsame import cli
from selfsame.audit.release import verify_release
from selfsame.core.digests import sha256_file
from selfsame.core.layout import PREDICTION_KEY
from selfsame.predict import load_model

HOLDOUT = "data/splits/holdout.parquet"


def run(patch: pytest.MonkeyPatch, *words: object) -> str:
    """Run the command line in this process; return its error, empty if there is none."""
    patch.setattr(sys, "argv", ["selfsame", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return str(ended.value.code or "")


def test_predict_takes_the_model_of_a_tag_a_revision_or_a_release(
    real_copy: Project, signer: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_copy.run("git", "tag", "champion@v0.1.0", "HEAD~3")
    real_copy.run("git", "tag", "-a", "v2", "-m", "second", "HEAD~2")
    release, private = tmp_path / "release", signer[0]
    assert run(monkeypatch, "release", release, "--key", private, "--onnx") == ""
    model = load_model("models/champion", "cpu")
    # The first result, the second, the first again, and a commit that changes nothing of it.
    asked = {
        "here": (),
        "head": ("--rev", "HEAD"),
        "first": ("--rev", "champion@v0.1.0"),
        "second": ("--rev", "v2"),
        "release": ("--model", release),
    }
    made = {}
    for name, words in asked.items():
        out = tmp_path / f"{name}.parquet"
        assert run(monkeypatch, "predict", HOLDOUT, "-o", out, "--probabilities", *words) == ""
        made[name] = pq.read_table(out)
    for name in ("head", "first", "release"):
        assert made[name].equals(made["here"], check_metadata=True), name
    about = {name: json.loads(table.schema.metadata[PREDICTION_KEY]) for name, table in made.items()}
    assert about["here"]["model"] == model.digests and about["second"]["model"] != model.digests
    real_copy.run("git", "checkout", "-q", "v2", "--", "dvc.lock")
    real_copy.run("dvc", "checkout", "--quiet", "--force", "models/champion")
    assert about["second"]["model"] == load_model("models/champion", "cpu").digests
    said = run(monkeypatch, "predict", HOLDOUT, "-o", tmp_path / "none.csv", "--rev", "champion@v9")
    assert "champion@v9" in said and not (tmp_path / "none.csv").exists()


def test_a_release_shows_its_use_and_holds_the_model_as_onnx(
    real_copy: Project, signer: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private, public = signer
    release, rows = tmp_path / "release", real_copy.root / HOLDOUT
    assert run(monkeypatch, "release", release, "--key", private, "--rev", "HEAD~2", "--onnx") == ""
    monkeypatch.chdir(release)
    assert verify_release(Path(), public).problems == []
    (text,) = [
        text
        for language, text in BLOCK.findall(Path("README.md").read_text(encoding="utf-8"))
        if language == "python"
    ]
    names: dict[str, object] = {"rows": rows}
    exec(compile(text, "card", "exec"), names)
    model = names["model"]
    session = onnxruntime.InferenceSession(release / "model.onnx", providers=["CPUExecutionProvider"])
    table = pq.read_table(rows)
    fed = {name: table[name].to_numpy()[:, None] for name in model.feature_names_in_}
    _, probabilities = session.run(["label", "probabilities"], fed)
    np.testing.assert_allclose(probabilities, model.predict_proba(rows), atol=1e-5)
    facts = session.get_modelmeta().custom_metadata_map
    assert json.loads(facts["model"])["model.safetensors"] == sha256_file(Path("model/model.safetensors"))
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], check=True)
