"""Data that someone put at ``data.path``, outside of the repository: the chain begins there."""

import json
from pathlib import Path

from project import TINY, Project
from real_project import commit

from selfsame.core.digests import sha256_file

LABELED = "data/splits/labeled.parquet"


def test_the_chain_leads_back_to_the_data_that_was_given(tmp_path: Path) -> None:
    given = tmp_path / "flowers.csv"
    given.write_text("x,kind\n" + "".join(f"{row},{'ab'[row % 2]}\n" for row in range(40)))
    own = {"source": "table", "path": str(given), "target_column": "kind"}
    split = {"labels_per_class": 2, "validation_per_class": 2}
    project = Project.create(tmp_path / "project", TINY | {"data": own, "split": split})
    project.run("git", "config", "user.name", "Ada")
    project.run("git", "config", "user.email", "ada@example.org")
    commit(project, "sources")
    project.repro("split")
    commit(project, "first")

    chain = json.loads(project.selfsame("audit", LABELED, "--json").stdout)
    assert chain["problems"] == []
    (source,) = chain["executions"][0]["inputs"]  # of download
    assert source == {"path": str(given), "sha256": sha256_file(given), "origin": "given"}
    assert "given at data.path" in project.selfsame("audit", LABELED).stdout

    verified = project.selfsame("verify", "--json")
    assert verified.returncode == 0, verified.stdout
    with (project.root / "dvc.yaml").open("a") as file:
        file.write("# altered\n")
    altered = json.loads(project.selfsame("verify", "--json").stdout)
    assert "dvc.yaml" in [problem["path"] for problem in altered["problems"]]
