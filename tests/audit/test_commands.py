"""The auditor's commands, as a person types them: what they print, and with what they exit."""

import json
import shlex
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from browser import Browser, barriers
from project import Project

from selfsame.audit import digesting
from selfsame.audit.digesting import digest_files
from selfsame.observe.hashing import Digests, both_digests


def example(path: str) -> str:
    return pq.read_table(path, columns=["example_id"]).column(0)[0].as_py()


def test_audit(real: Project, tmp_path: Path, browser: Browser) -> None:
    text = real.selfsame("audit").stdout
    assert text.index("1. Which rows") < text.index("15. What changed") < text.index("1. download")
    audit = json.loads(real.selfsame("audit", "models/baseline", "--rev", "HEAD", "--json").stdout)
    assert [one["number"] for one in audit["questions"]] == list(range(1, 16))
    assert [each["stage"] for each in audit["executions"]] == ["download", "split", "train_baseline"]
    assert real.selfsame("audit", "--html", str(tmp_path / "page.html")).returncode == 0
    assert "<svg" in (tmp_path / "page.html").read_text()
    assert barriers(browser, tmp_path / "page.html") == []
    failed = real.selfsame("audit", "models/nothing")
    assert failed.returncode == 1 and failed.stderr.startswith("error: models/nothing: no such artifact")


def test_verify_exits_with_one_on_a_problem(real_copy: Project) -> None:
    assert real_copy.selfsame("verify").returncode == 0
    Path("data/raw/manifest.json").unlink()
    Path("data/raw/manifest.json").write_text("{}")
    done = real_copy.selfsame("verify", "--json")
    (problem,) = json.loads(done.stdout)["problems"]
    assert done.returncode == 1 and problem["path"] == "data/raw/manifest.json"


def test_rows_taint_diff_and_exports(real: Project) -> None:
    row = example("data/splits/labeled.parquet")
    assert json.loads(real.selfsame("rows", row, "--json").stdout)["role"] == "labeled"
    by_place = json.loads(real.selfsame("rows", "--source-row", "5", "--json").stdout)
    assert by_place["source_row"] == 5
    assert real.selfsame("rows").stderr.startswith("error: name one example")
    assert "rebuild without" in real.selfsame("taint", row).stdout
    assert json.loads(real.selfsame("diff", "HEAD~2", "HEAD~1", "--json").stdout)["params"]
    events = real.selfsame("export", "openlineage").stdout.splitlines()
    assert len(events) == 12 and all(json.loads(event)["run"] for event in events)
    assert json.loads(real.selfsame("export", "cyclonedx").stdout)["specVersion"] == "1.7"
    assert "no export named 'pdf'" in real.selfsame("export", "pdf").stderr


def test_release_and_its_verification(real: Project, tmp_path: Path) -> None:
    real.run(*shlex.split(f"openssl ecparam -name prime256v1 -genkey -noout -out {tmp_path}/k.pem"))
    real.run(*shlex.split(f"openssl ec -in {tmp_path}/k.pem -pubout -out {tmp_path}/k.pub"))
    folder = str(tmp_path / "release")
    assert "digest sha256:" in real.selfsame("release", folder, "--key", f"{tmp_path}/k.pem").stdout
    both = real.selfsame("release", folder, "--sigstore", "--key", f"{tmp_path}/k.pem")
    assert "add either --key or --sigstore" in both.stderr
    assert "add either --key or --sigstore" in real.selfsame("release", folder).stderr
    for too_little in ([], ["--identity", "me"], ["--identity-provider", "https://example.com"]):
        refused = real.selfsame("verify", folder, *too_little).stderr
        assert "nothing, or too much, to check its signature with" in refused
    assert real.selfsame("verify", folder, "--key", f"{tmp_path}/k.pub").returncode == 0
    (tmp_path / "release" / "README.md").write_text("better")
    assert real.selfsame("verify", folder, "--key", f"{tmp_path}/k.pub").returncode == 1


def test_an_interrupted_run_is_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    files = [tmp_path / str(number) for number in range(5)]
    for file in files:
        file.write_text(file.name)

    def interrupted(path: Path) -> Digests:
        if path == files[3]:
            raise KeyboardInterrupt
        return both_digests(path)

    with pytest.raises(KeyboardInterrupt):
        digest_files(dict.fromkeys(files, interrupted))
    assert digesting.JOURNAL.exists()
    files[1].write_text("changed meanwhile")
    read: list[Path] = []

    def noted(path: Path) -> Digests:
        read.append(path)
        return both_digests(path)

    expected = {file: both_digests(file) for file in files}
    assert digest_files(dict.fromkeys(files, noted), resume=True) == expected
    assert set(read) == {files[1], files[3], files[4]} and not digesting.JOURNAL.exists()
    read.clear()
    assert digest_files(dict.fromkeys(files, noted), resume=False) == expected
    assert set(read) == set(files)
