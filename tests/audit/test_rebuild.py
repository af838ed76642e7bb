"""A revision is made anew from its commit alone, and who did that stands in the answers."""

import json
from pathlib import Path

from project import Project
from real_project import commit


def test_a_revision_is_made_anew_and_who_did_is_told(real_copy: Project, signer: tuple[Path, Path]) -> None:
    private, public = signer
    project = real_copy
    project.run("git", "config", "user.name", "Grace")
    done = project.selfsame("rebuild", "--key", str(private))
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert all(f"{stage:<16}the same bytes\n" in done.stdout for stage in project.stages)
    assert not (project.root / ".scratch/rebuild").exists()
    (attestation,) = (project.root / "attestations").glob("*.json")
    assert project.selfsame("sign", "--key", str(private)).stdout.startswith("signed ")
    commit(project, "rebuilt")
    verified = project.selfsame("verify", "--key", str(public))
    assert verified.returncode == 0 and "1 attestations" in verified.stdout, verified.stdout
    answer = json.loads(project.selfsame("audit", "models/student", "--json").stdout)["questions"][7]
    assert [(each["by"], each["equal"]) for each in answer["evidence"]["rebuilds"]] == [("Grace", True)]
    assert "Rebuilt from its commit 1 times, 1 with the same bytes (by Grace on 20" in answer["answer"]
    assert attestation.stat().st_size > 0

    (project.root / "params.yaml").write_text(
        (project.root / "params.yaml").read_text().replace("threshold: 0.6", "threshold: 0.95")
    )
    commit(project, "edited without a run")
    other = project.selfsame("rebuild")
    assert other.returncode == 1
    assert "pseudo_label    other bytes: data/pseudo_labels" in other.stdout
    assert "train_baseline  the same bytes" in other.stdout
