"""Which predictions a model made: ``audit`` and ``rows`` find the scorings."""

import json

import pyarrow.parquet as pq
from project import Project


def test_audit_and_rows_name_the_scorings_of_a_model(real_copy: Project) -> None:
    assert "no scoring by this model is recorded" in real_copy.run("python", "-m", "selfsame.cli", "audit")
    rows = pq.read_table(real_copy.root / "data/splits/labeled.parquet")
    inputs = [name for name in rows.column_names if name not in ("example_id", "label", "source_row")]
    place = real_copy.root / "data/to_score/new.parquet"
    place.parent.mkdir()
    pq.write_table(rows.select(inputs).replace_schema_metadata(), place)
    made = json.loads(real_copy.run("python", "-m", "selfsame.cli", "score", "--json"))
    said = real_copy.run("python", "-m", "selfsame.cli", "audit")
    assert f"predictions   {made['folder']}: 1 file scored at " in said
    document = json.loads(real_copy.run("python", "-m", "selfsame.cli", "audit", "--json"))
    (use,) = document["predictions"]
    assert list(use["inputs"]) == ["data/to_score/new.parquet"]
    assert all(name.startswith(made["folder"]) for name in use["outputs"])
    example = rows["example_id"][0].as_py()
    said = real_copy.run("python", "-m", "selfsame.cli", "rows", example)
    assert f"which made the predictions {made['folder']}" in said
