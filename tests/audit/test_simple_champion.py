"""A champion that is the scikit-learn baseline: fitted where it was measured, of human labels alone."""

import pyarrow.parquet as pq
from project import Project
from real_project import commit, execute

from selfsame.audit.case import Case
from selfsame.audit.snapshot import Snapshot
from selfsame.core.layout import CHAMPION


def test_its_past_is_told_from_the_record_of_its_fit(real_copy: Project) -> None:
    real_copy.set("evaluate", scikit_learn_champion=True)
    execute(real_copy, ["evaluate"])
    commit(real_copy, "the simple model may be the champion")
    case = Case(Snapshot(), CHAMPION)
    assert case.training is not None and case.training is case.judged
    assert (case.side, case.training.record.stage) == ("reference", "evaluate")
    assert case.training.rows_taught() == 0 and not case.trace.gaps
    (chosen,) = (note["choice"] for note in case.judged.record.notes if "choice" in note)
    assert chosen["champion"] == "reference" and len(chosen["weights"]["reference"]) == 64
    ids = {
        role: pq.read_table(f"data/splits/{role}.parquet")["example_id"][0].as_py()
        for role in ("labeled", "validation", "holdout")
    }
    assert {role: case.training.use_of(row) for role, row in ids.items()} == {
        "labeled": "trained on its human label",
        "validation": "chose the champion with its human label, then trained on it",
        "holdout": "measured both models with it",
    }
    pooled = pq.read_table("data/splits/pool")["example_id"][0].as_py()
    assert case.training.use_of(pooled) is None
