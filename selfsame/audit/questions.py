"""The fifteen questions of an auditor, each answered from the record with its evidence, or "not recorded"."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from selfsame.audit import trust
from selfsame.audit.case import Asked, Case
from selfsame.audit.facts import (
    HUMAN_ROLES,
    class_names,
    gate_decision,
    measured_precision,
    overlaps,
)
from selfsame.audit.rows import NOT_RECORDED, Tables, is_training, reads
from selfsame.audit.values import is_regression, measured_error


@dataclass(frozen=True)
class Answer:
    """One question with its answer.

    Attributes:
        evidence: what the answer rests on, as values that JSON can hold; empty if nothing is recorded.
    """

    number: int
    question: str
    answer: str
    evidence: dict[str, Any]


def who_labeled(case: Case) -> Asked:
    """Question 1."""
    totals = {role: sum(counts.values()) for role, counts in case.counts.items()}
    trainings = {}
    for record in case.executions:
        if not is_training(record, case.snapshot):
            continue
        human = totals["labeled"]
        method = record.params.get("retrain", {}).get("method")
        machine = totals["accepted"] if reads(record, case.snapshot.path_of("pseudo_labels")) else 0
        if method not in (None, "offline"):  # these label every pool row anew while they train
            machine += totals["rejected"]
        trainings[record.stage] = {
            "human": human,
            "machine": machine,
            "machine_share": machine / (human + machine),
            "method": method or "supervised",
        }
    words = "; ".join(
        f"{stage} learned from {rows['human']} human and {rows['machine']} machine labels "
        f"({rows['machine_share']:.1%} machine, method {rows['method']})"
        for stage, rows in trainings.items()
    )
    held = "Human labels: " + ", ".join(f"{totals[role]} {role}" for role in HUMAN_ROLES)
    machine = f"machine labels: {totals['accepted']} accepted, {totals['rejected']} rejected"
    return f"{held}; {machine}. {words}.", {"rows": totals, "trainings": trainings}


def who_labeled_a_row(case: Case) -> Asked:
    """Question 2."""
    table = Tables(case.snapshot).get("pseudo_labels")
    if table is None:
        return NOT_RECORDED, {}
    columns = [*table.columns]
    wanted = set() if is_regression(case.snapshot) else {"calibrated_confidence"} - set(columns)
    missing = f" {', '.join(sorted(wanted))}: {NOT_RECORDED}." if wanted else ""
    return (
        f"Each of the {table.rows} pool rows has a row of its own with {', '.join(columns)}; "
        f"'selfsame rows EXAMPLE_ID' shows it.{missing}",
        {"rows": table.rows, "columns": columns},
    )


def how_threshold_was_chosen(case: Case) -> Asked:
    """Question 3."""
    params = case.params("pseudo_label")
    if not params:
        return NOT_RECORDED, {}
    labeling = [record for record in case.executions if "pseudo_label" in record.params][-1]
    gate = gate_decision(case.snapshot)
    role = gate.get("judged_on")
    if params.get("rule", "threshold") == "threshold":
        how = f"Set by hand to {params.get('threshold')} in params.yaml: it was chosen on no rows."
    else:
        how = gate.get("verdict", NOT_RECORDED)
    used = [record.stage for record in case.executions if role and reads(record, case.snapshot.path_of(role))]
    if role:
        also = ", ".join(stage for stage in used if stage != labeling.stage) or "nothing else"
        how += f" {gate['judged_rows']} {role} rows calibrated and judged; they were also read by {also}."
    return how, {"params": params, "gate": gate, "judges_used_by": used}


def precision_of_labels(case: Case) -> Asked:
    """Question 4."""
    if is_regression(case.snapshot):
        return error_of_values(case)
    found = measured_precision(case.snapshot)
    if found is None:
        return f"{NOT_RECORDED}: no hidden labels are known for the pool", {}
    overall = found["overall"]
    if not overall["total"]:
        return "No accepted label could be compared with a hidden one.", found
    worst = min(
        (entry for entry in found["per_class"].items() if entry[1]["total"]),
        key=lambda entry: entry[1]["value"],
    )
    return (
        f"{_share_words(overall)} of the accepted labels are right; the worst class is {worst[0]} "
        f"({_share_words(worst[1])}). Counted anew against the hidden labels.",
        found,
    )


def error_of_values(case: Case) -> Asked:
    """Question 4, of a regression."""
    found = measured_error(case.snapshot)
    if found is None:
        return f"{NOT_RECORDED}: no hidden values are known for the pool", {}
    if not found["rows"]:
        return "No accepted value could be compared with a hidden one.", found
    return (
        f"Values are not right or wrong, but off: by {found['error']:.4g} (root mean square) on "
        f"{found['rows']} accepted rows. Measured anew against the hidden values.",
        found,
    )


def leaks(case: Case) -> Asked:
    """Question 5."""
    found = overlaps(case.snapshot)
    shared = {pair: count for pair, count in found.items() if count}
    exact = f"Shared examples: {shared}" if shared else "No example stands in two roles (compared by content)"
    near = case.metrics.get("watches", {}).get("near_copies", NOT_RECORDED)
    return f"{exact}. Near copies: {near}.", {"shared": found, "near_copies": near}


def class_shares(case: Case) -> Asked:
    """Question 6."""
    if is_regression(case.snapshot):
        return "A regression has no classes.", {}
    prior = (case.snapshot.document("manifest") or {}).get("rows_per_class", {})
    shares = {word: _shares(counts) for word, counts in {**case.counts, "prior": prior}.items()}
    names = class_names(case.snapshot)
    if not names or not prior:
        return NOT_RECORDED, {}
    furthest = max(names, key=lambda name: abs(shares["accepted"].get(name, 0) - shares["prior"][name]))
    accepted, expected = (shares[word].get(furthest, 0) for word in ("accepted", "prior"))
    return (
        f"Furthest from the source's own share is class {furthest}: {accepted:.1%} of the accepted labels, "
        f"{expected:.1%} of the source.",
        {"rows": case.counts | {"prior": prior}, "shares": shares},
    )


def _shares(counts: dict[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}


def _share_words(entry: dict[str, Any]) -> str:
    low, high = entry["interval_95"]
    return f"{entry['value']:.1%} of {entry['total']} (95 % interval {low:.1%} to {high:.1%})"


def answer_all(case: Case) -> list[Answer]:
    """Answer every question, in order."""
    asked: list[tuple[str, Callable[[Case], Asked]]] = [
        ("Which rows carry human labels, which machine labels, and what share did each have?", who_labeled),
        ("For a row: who labeled it, with what confidence and decision?", who_labeled_a_row),
        (
            "How was the threshold chosen, on which rows, and were they used elsewhere?",
            how_threshold_was_chosen,
        ),
        ("What is the precision of the accepted labels?", precision_of_labels),
        ("Does a holdout or validation row, or a near copy, sit in labeled rows or pool?", leaks),
        ("What are the shares per class, and the prior they should match?", class_shares),
        ("Did retraining help beyond noise? Was a worse student ever promoted?", trust.did_it_help),
        ("Can the run be repeated, within which tolerance, on which hardware?", trust.can_be_repeated),
        ("Which code, environment, data, parameters; who, when; what came from cache?", trust.what_ran),
        ("Is the record complete, and can it be changed without notice?", trust.is_complete),
        ("Who signed it, and can that be checked offline?", trust.who_signed),
        ("If a labeled row is withdrawn, what is tainted?", trust.what_is_tainted),
        ("Was the labeled set chosen by active learning?", trust.was_drawn_actively),
        ("Where did the data come from, under which licence?", trust.where_from),
        ("What changed since the version before?", trust.what_changed),
    ]
    return [Answer(number, question, *ask(case)) for number, (question, ask) in enumerate(asked, start=1)]


def format_answers(answers: list[Answer]) -> str:
    """Return question and answer, one pair after the other."""
    return "\n".join(f"{one.number:>2}. {one.question}\n    {one.answer}" for one in answers)
