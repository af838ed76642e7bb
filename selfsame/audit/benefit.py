"""Whether machine labels helped, by the rows that measure; how often, and after what, those were read."""

import json
from typing import Any

from selfsame.audit.case import NOT_RECORDED, Asked, Case
from selfsame.audit.records import Record
from selfsame.audit.target import score_name
from selfsame.core.layout import METRICS
from selfsame.git import versions_of

CHANCE = 0.05  # p-value above which a difference is called chance


def did_it_help(case: Case) -> Asked:
    """Question 7."""
    metrics, judged = case.metrics, case.judged
    if not metrics or judged is None:
        return f"{NOT_RECORDED}: nothing has measured it on the holdout", {}
    path = METRICS.as_posix()
    history = {"this one": metrics}
    seen: set[bytes] = set()
    for commit, content in versions_of(path, before=case.snapshot.commit or "HEAD"):
        if content not in seen and json.loads(content) != metrics:
            history[commit.id] = json.loads(content)
        seen.add(content)
    worse = [name for name, each in history.items() if _worse_was_promoted(each)]
    score = score_name(metrics)
    holdout = {side: metrics[side]["holdout"][score] for side in ("baseline", "student")}
    p_value = metrics["holdout"]["p_value"]
    gain = holdout["student"] - holdout["baseline"]
    said = "p < 0.0001" if p_value < 0.0001 else f"p = {p_value:.2g}"
    words = "more than chance explains" if p_value <= CHANCE else "no more than chance explains"
    words = f", {words} ({said} in a paired permutation test)" if gain else ""
    promoted = f"A worse student was chosen in {', '.join(worse)}" if worse else "No worse student was chosen"
    this = f", and this model is the {case.side}" if case.side else ""
    reads = holdout_reads(case)
    simple = metrics.get("reference", {})
    if simple:
        own, other = (metrics[each]["holdout"][score] for each in (metrics["champion"], "reference"))
        promoted = (
            f"The scikit-learn baseline ({simple['name']}) has {_named(score)} {other:.4f} there, the "
            f"champion {own:.4f}. {promoted}"
        )
    return (
        f"On the holdout the student is {_said(score, gain)} the baseline{words}; the champion is the "
        f"{metrics['champion']}{this}. {promoted} in {len(history)} recorded results. {ledger_words(reads)}",
        {
            f"holdout_{score}": holdout,
            "this_model": case.side,
            "p_value": p_value,
            "champion": metrics["champion"],
            "worse": worse,
            "holdout_reads": reads,
        },
    )


def _worse_was_promoted(metrics: dict[str, Any]) -> bool:
    """Tell whether the student was promoted though it was worse on validation, where the choice is made."""
    score = score_name(metrics)
    scores = {side: metrics[side]["validation"][score] for side in ("baseline", "student")}
    return metrics["champion"] == "student" and scores["student"] < scores["baseline"]


def _named(score: str) -> str:
    return "R²" if score == "r2" else score


def _said(score: str, gain: float) -> str:
    """Say how far the student is from the baseline."""
    if not gain:
        return "exactly as good as"
    amount = f"{abs(gain) * 100:.2f} percentage points" if score == "accuracy" else f"{abs(gain):.4f} in R²"
    return f"{amount} {'better' if gain > 0 else 'worse'} than"


def holdout_reads(case: Case) -> list[dict[str, Any]]:
    """Return every recorded execution that read the holdout rows by which the model was measured, in order.

    ``choice`` is what the execution had chosen before it opened them, with the digest of that; None if it
    recorded none. ``own`` is the one that measured this model.
    """
    if case.judged is None:
        return []
    rows = case.judged.read.named("holdout", ".parquet").items()
    return [
        {
            "record": record.path.as_posix(),
            "finished": record.finished.isoformat(),
            "choice": _choice(record),
            "own": record.path == case.judged.record.path,
        }
        for record in case.snapshot.lineage[0]
        if rows and rows <= record.inputs.items()
    ]


def _choice(record: Record) -> dict[str, Any] | None:
    return next((note["choice"] for note in record.notes if "choice" in note), None)


def ledger_words(reads: list[dict[str, Any]]) -> str:
    """Say it for a person."""
    if not reads:
        return "No recorded run read the holdout."
    before = [each["own"] for each in reads].index(True)
    own = reads[before]["choice"]
    chosen = (
        f"this one had chosen the {own['champion']} before it opened them (choice {own['sha256'][:12]})"
        if own
        else "when this one made its choice is not recorded"
    )
    others = len({each["choice"]["sha256"] for each in reads if each["choice"]} - {own and own["sha256"]})
    return (
        f"Runs that read the same holdout rows: {len(reads)}, of which {before} before this one and "
        f"{len(reads) - before - 1} after it, with {others} other choices; {chosen}."
    )
