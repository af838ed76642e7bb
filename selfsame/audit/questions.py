"""The fifteen questions of an auditor, each answered from the record with its evidence, or "not recorded"."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from selfsame.audit import trust
from selfsame.audit.benefit import did_it_help
from selfsame.audit.case import NOT_RECORDED, Asked, Case
from selfsame.audit.execution import HUMAN_ROLES, Execution
from selfsame.audit.facts import overlaps
from selfsame.audit.target import label_counts, target_of
from selfsame.audit.uses import uses_of
from selfsame.core.errors import SelfsameError


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


USES = {
    "labeled": "to learn from",
    "validation": "to choose by",
    "calibration": "to check confidence by",
    "holdout": "to measure by",
}


def who_labeled(case: Case) -> Asked:
    """Question 1."""
    totals = {role: sum(counts.values()) for role, counts in label_counts(case).items()}
    trainings = {each.record.stage: _learned(each) for each in case.trainings}
    words = "; ".join(map(_learned_words, trainings, trainings.values()))
    held = ", ".join(f"{totals.get(role, 0)} {USES[role]} ({role})" for role in HUMAN_ROLES)
    machine = "No row has a machine label"
    if case.held("pseudo_labels").has("pseudo_labels"):
        counts = f"{totals['accepted']} accepted, {totals['rejected']} rejected"
        machine = f"Rows of the pool with a machine label: {counts}"
    return f"Rows with a human label: {held}. {machine}. {words or 'No training is behind it'}.", {
        "rows": totals,
        "trainings": trainings,
    }


def _learned(training: Execution) -> dict[str, Any]:
    """Count the labels that a training learned; machine ones are None where it recorded none of them."""
    roles = ("labeled", *(("validation",) if training.is_refit else ()))
    human = sum(table.rows for role in roles if (table := training.read.table(role)))
    machine = training.rows_taught()
    share = None if machine is None else machine / (human + machine)
    return {"human": human, "machine": machine, "machine_share": share, "method": training.method}


def _learned_words(stage: str, rows: dict[str, Any]) -> str:
    if rows["machine"] is None:
        human = rows["human"]
        return f"{stage} learned from {human} human labels, and from machine labels that it did not record"
    if rows["method"] == "supervised":
        return f"{stage} learned from {rows['human']} human labels alone"
    return (
        f"{stage} learned from {rows['human']} human and {rows['machine']} machine labels "
        f"({rows['machine_share']:.1%} of them machine labels; method {rows['method']})"
    )


def who_labeled_a_row(case: Case) -> Asked:
    """Question 2."""
    table = case.held("pseudo_labels").table("pseudo_labels")
    if table is None:
        return "No machine label is behind it.", {}
    columns = [*table.columns]
    wanted = target_of(case).decided_by - set(columns)
    missing = f" {', '.join(sorted(wanted))}: {NOT_RECORDED}." if wanted else ""
    return (
        f"Each of the {table.rows} rows of the pool has an entry with {', '.join(columns)}; "
        f"'selfsame rows EXAMPLE_ID' shows it.{missing}",
        {"rows": table.rows, "columns": columns},
    )


def how_threshold_was_chosen(case: Case) -> Asked:
    """Question 3."""
    labeling = next((each for each in reversed(case.executions) if each.is_labeling), None)
    if labeling is None:
        return "No machine label is behind it, so no threshold.", {}
    params, gate = labeling.record.params.get("pseudo_label", {}), labeling.gate
    role = gate.get("calibrated_on")
    if gate.get("rule", "threshold") == "threshold":
        # From what the gate did: a threshold left at its default stands in no params.yaml.
        threshold = next(iter(gate.get("thresholds", ())), params.get("threshold"))
        value = "its default" if threshold is None else f"{threshold:g}"
        how = f"Set by hand to {value}: no rows were used to choose it."
    else:
        how = gate.get("verdict", NOT_RECORDED)
    used = [each.record.stage for each in case.executions if role and each.read.has_table(role)]
    if role:
        also = ", ".join(stage for stage in used if stage != labeling.record.stage) or "nothing else"
        how += (
            f" {gate['calibration_rows']} {role} rows measured how often the teacher is right at which "
            f"confidence; they were also read by {also}."
        )
    return how, {"params": params, "gate": gate, "judges_used_by": used}


def leaks(case: Case) -> Asked:
    """Question 5."""
    found = overlaps(case)
    shared = {pair: count for pair, count in found.items() if count}
    pairs = ", ".join(f"{count} of {pair}" for pair, count in shared.items())
    exact = f"The same rows have two roles: {pairs}" if shared else "No row has two roles"
    near = case.metrics.get("data_checks", {}).get("near_copies", NOT_RECORDED)
    return (
        f"{exact}, compared by content. Rows that measure or choose with a near copy among those that are "
        f"learned or labeled by machine: {near}.",
        {"shared": found, "near_copies": near},
    )


def answer_all(case: Case) -> list[Answer]:
    """Answer every question, in order."""
    asked: list[tuple[str, Callable[[Case], Asked]]] = [
        ("Which rows carry human labels, which machine labels, and what share did each have?", who_labeled),
        (
            "For a single row: who labeled it, how sure was the machine, and was its label accepted?",
            who_labeled_a_row,
        ),
        (
            "How was the threshold chosen, on which rows, and were they used elsewhere?",
            how_threshold_was_chosen,
        ),
        ("How many of the accepted machine labels are right?", lambda case: target_of(case).quality()),
        ("Does a row that measures or chooses, or a near copy of it, also stand where models learn?", leaks),
        (
            "Has each class the share that it has in the source?",
            lambda case: target_of(case).shares(),
        ),
        (
            "Did learning from machine labels help, beyond chance? Was a worse student ever chosen?",
            did_it_help,
        ),
        ("Can the run be repeated: how exactly, and on which hardware?", trust.can_be_repeated),
        ("Who ran what, when, on which code and parameters; what was computed earlier?", trust.what_ran),
        ("Is the record complete, and would a change to it be noticed?", trust.is_complete),
        ("Who signed it, and can that be checked offline?", trust.who_signed),
        ("If a labeled row is withdrawn, what rests on it?", trust.what_is_tainted),
        ("Were rows chosen to be labeled (active learning), or drawn at random?", trust.was_drawn_actively),
        ("Where did the data come from, under which license?", trust.where_from),
        ("What changed since the version before?", trust.what_changed),
    ]
    return [
        Answer(number, question, *_ask(ask, case)) for number, (question, ask) in enumerate(asked, start=1)
    ]


def _ask(ask: Callable[[Case], Asked], case: Case) -> Asked:
    """Put a question; what can't be told because its bytes are nowhere is said so."""
    try:
        return ask(case)
    except SelfsameError as error:
        return f"{NOT_RECORDED}: {error.what}", {}


def audit_document(case: Case, chain: dict[str, Any], answers: list[Answer]) -> dict[str, Any]:
    """Return a whole audit, chain, answers and uses of the model, as values that JSON can hold."""
    uses = uses_of(case.snapshot.lineage[0], [case.weights] if case.weights else [])
    return chain | {
        "questions": [asdict(answer) for answer in answers],
        "predictions": [asdict(use) for use in uses],
    }


def format_answers(answers: list[Answer]) -> str:
    """Return question and answer, one pair after the other."""
    return "\n".join(f"{one.number:>2}. {one.question}\n    {one.answer}" for one in answers)
