"""What an audit says of a regression: it has no classes, and its machine labels are off, not wrong."""

from math import sqrt
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from selfsame.audit.case import Case
from selfsame.core.layout import INFO_KEY


def is_regression(case: Case) -> bool:
    """Tell whether values are learned."""
    return case.held("labeled").metadata("labeled", INFO_KEY).get("target") == "regression"


def score_name(metrics: dict[str, Any]) -> str:
    """Name the score that models are known by: ``accuracy``, or ``r2`` of a regression."""
    return "r2" if "r2" in metrics["baseline"]["holdout"] else "accuracy"


def measured_error(case: Case) -> dict[str, Any] | None:
    """Compare accepted machine-made values with hidden ones; None where there are none.

    Returns:
        ``rows`` compared and their root mean square ``error``, None of no rows.
    """
    hidden, decisions = (case.held(stem).dataset(stem) for stem in ("hidden_labels", "pseudo_labels"))
    if hidden is None or decisions is None or not hidden.count_rows():
        return None
    truth = hidden.to_table(columns=["example_id", "label"])
    rows, squared = 0, 0.0
    for batch in decisions.to_batches(columns=["example_id", "pseudo_label", "accepted"]):
        kept = batch.filter(batch.column("accepted"))
        places = pc.index_in(kept.column("example_id"), value_set=truth.column("example_id"))
        off = pc.subtract(pa.chunked_array([kept.column("pseudo_label")]), truth.column("label").take(places))
        rows += len(off) - off.null_count
        squared += pc.sum(pc.multiply(off, off)).as_py() or 0.0
    return {"rows": rows, "error": sqrt(squared / rows) if rows else None}
