"""The questions of trust: benefit, repeatability, completeness, signature, origin, change."""

import json
from collections import Counter
from typing import Any

from selfsame.audit.anchors import anchors_of
from selfsame.audit.attestations import rebuilds_of
from selfsame.audit.case import NOT_RECORDED, Asked, Case
from selfsame.audit.chain import was_restored
from selfsame.audit.diff import Side, compare
from selfsame.audit.facts import given_labels
from selfsame.audit.ledger import holdout_reads, ledger_words
from selfsame.audit.licenses import license_of
from selfsame.audit.records import Record
from selfsame.audit.taint import trace_taint
from selfsame.audit.target import score_name
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LINEAGE, LOCK_FILE, METRICS
from selfsame.git import committed, head, versions_of

PARTS = {
    "data": "rows",
    "code": "code",
    "params": "parameters",
    "environment": "packages or machine",
    "pseudo_labels": "machine labels",
}
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


def _said(score: str, gain: float) -> str:
    """Say how far the student is from the baseline."""
    if not gain:
        return "exactly as good as"
    amount = f"{abs(gain) * 100:.2f} percentage points" if score == "accuracy" else f"{abs(gain):.4f} in R²"
    return f"{amount} {'better' if gain > 0 else 'worse'} than"


def can_be_repeated(case: Case) -> Asked:
    """Question 8."""
    records, _ = case.snapshot.lineage
    repeats: dict[str, dict[str, Any]] = {}
    for record in case.trace.executions:
        fits = [other for other in records if other.stage == record.stage and other.inputs == record.inputs]
        same = [other for other in fits if _same_request(record, other)]
        repeats[record.stage] = {
            "executions": len(same),
            "bit_equal": sum(other.outputs == record.outputs for other in same),
            "hardware": sorted({_hardware(other) for other in same}),
        }
    tried = {stage: each for stage, each in repeats.items() if each["executions"] > 1}
    on_gpu = any(record.environment["hardware"]["gpus"] for record in case.trace.executions)
    hardware = sorted({name for each in repeats.values() for name in each["hardware"]})
    if not tried:
        words = f"{NOT_RECORDED}: no step ran twice on the same files"
    else:
        words = "; ".join(
            f"{stage}: {each['bit_equal']} of {each['executions']} runs on the same files gave the same bytes"
            for stage, each in tried.items()
        )
    promise = (
        "On a GPU a repeat may differ a little"
        if on_gpu
        else "On a CPU a repeat with the same packages gives the same bytes"
    )
    again = rebuilds_of(case.weights)
    as_before = [each.said for each in again if each.said["equal"]]
    equal = [f"{said['by'] or 'somebody'} on {said['on'][:10]}" for said in as_before]
    attested = f" Rebuilt from its commit {len(again)} times, {len(equal)} with the same bytes"
    attested += f" (by {', '.join(equal)})." if equal else "."
    return f"{words}. {promise}; ran on {', '.join(hardware)}.{attested if again else ''}", {
        "repeats": repeats,
        "gpu": on_gpu,
        "rebuilds": [{key: each.said[key] for key in ("by", "on", "equal")} for each in again],
    }


def _same_request(one: Record, other: Record) -> bool:
    keys = ("command", "params", "code")
    return all(getattr(one, key) == getattr(other, key) for key in keys)


def _hardware(record: Record) -> str:
    hardware = record.environment["hardware"]
    return ", ".join([f"{hardware['cpu']} ({hardware['cpuCount']} cores)", *hardware["gpus"]])


def what_ran(case: Case) -> Asked:
    """Question 9."""
    records, _ = case.snapshot.lineage
    evidence = {
        record.stage: {
            "record": record.path.as_posix(),
            "started": record.started.isoformat(),
            "by": record.started_by["user"],
            "commit": record.git.get("commit", NOT_RECORDED),
            "dirty": record.git.get("dirty"),
            "python": record.environment["python"],
            "packages": len(record.environment["packages"]),
            "code_files": len(record.code),
            "params": sorted(record.params),
            "restored": was_restored(record, records),
        }
        for record in case.trace.executions
    }
    if not evidence:
        return NOT_RECORDED, {}
    people = sorted({each["by"] for each in evidence.values()})
    dirty = [stage for stage, each in evidence.items() if each["dirty"] is not False]  # None without a commit
    restored = [stage for stage, each in evidence.items() if each["restored"]]
    times = [each["started"] for each in evidence.values()]
    first, last = (f"{time[:10]} {time[11:16]}" for time in (min(times), max(times)))
    words = f"{len(evidence)} steps, run by {', '.join(people)} from {first} to {last} UTC. "
    if dirty:
        words += f"Code or parameters that no commit has were run by {', '.join(dirty)}. "
    else:
        words += "All ran committed code and parameters. "
    if restored:
        words += (
            f"The results of {', '.join(restored)} were computed then and taken back from the cache later. "
        )
    return f"{words}The chain below names every file.", evidence


def is_complete(case: Case) -> Asked:
    """Question 10."""
    _, broken = case.snapshot.lineage
    gaps = sorted(case.trace.gaps)
    commit = case.snapshot.commit or head()
    kept = committed(commit, [LINEAGE.as_posix()]) if commit else {}
    loose = [record.path.as_posix() for record in case.trace.executions if record.path.as_posix() not in kept]
    complete = "The record is complete"
    if gaps or broken:
        complete = (
            f"The record is not complete: of {len(gaps)} files it is unknown where they came from, and "
            f"{len(broken)} records are damaged"
        )
    anchored = f"{len(loose)} of its parts are in no commit" if loose else "all of it is committed"
    return (
        f"{complete}; {anchored}. It is tamper-evident: a change is noticed, but not one by somebody who can "
        "also rewrite the git history or has the signing key. A signed tag that others keep protects the "
        "history. 'selfsame verify' reads every byte again.",
        {"gaps": gaps, "broken_records": [problem.path for problem in broken], "uncommitted": loose},
    )


def who_signed(case: Case) -> Asked:
    """Question 11."""
    tags = anchors_of(case.weights)
    if case.release is not None:
        anchored = f", and tag {case.release} of the repository anchors its digest" if case.release else ""
        return f"Whoever signed the release that this stands in, by model.sig over all of it{anchored}.", {
            "tag": case.release or None
        }
    if not tags:
        return (
            f"{NOT_RECORDED}: no git tag names a release of it ('selfsame release … --tag' makes one)",
            {},
        )
    words = "; ".join(f"{tag.name}{' (signed)' if tag.signed else ''}: {tag.message}" for tag in tags)
    return (
        f"Released as {words}. 'selfsame verify RELEASE --key KEY.pub' checks a key's signature offline.",
        {"tags": [tag._asdict() for tag in tags]},
    )


def what_is_tainted(case: Case) -> Asked:
    """Question 12: one labeled row as the example, for whichever is asked for ``selfsame taint`` tells."""
    table = case.held("labeled").dataset("labeled")
    if table is None:
        return "No labeled row is behind it.", {}
    example = table.head(1, columns=["example_id"]).column(0)[0].as_py()
    found = trace_taint(case.snapshot, [example])
    labels, models = found["pseudo_labels"], [model["model"] for model in found["models"]]
    return (
        f"On row {example}, for example: {labels['by_tainted_teachers']} of {labels['of']} machine labels, "
        f"and models {', '.join(models)}. 'selfsame taint EXAMPLE_ID' tells for any row, and how to make all "
        "without it.",
        found,
    )


def was_drawn_actively(case: Case) -> Asked:
    """Question 13."""
    split = case.params("split")
    if not split:
        return NOT_RECORDED, {}
    drawn = (
        f"drawn at random within each class, with seed {split.get('seed')}; "
        f"{len(split.get('exclude', []))} examples were withdrawn."
    )
    answers = list(given_labels(case).values())
    if not answers:
        return f"No: {drawn}", {"split": split}
    strategies, people = Counter(one.strategy for one in answers), Counter(one.annotator for one in answers)
    times = sorted(one.labeled_at for one in answers)
    return (
        f"In part: {len(answers)} rows were labeled on request, chosen by {_counted(strategies)}, labeled by "
        f"{_counted(people)} from {times[0]} to {times[-1]}: they are no random draw. The other labeled rows "
        f"and all validation and holdout rows, were {drawn}",
        {
            "split": split,
            "strategies": dict(strategies),
            "annotators": dict(people),
            "times": [times[0], times[-1]],
        },
    )


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{name} ({rows})" for name, rows in counts.items())


def where_from(case: Case) -> Asked:
    """Question 14."""
    manifest = case.held("manifest").document("manifest")
    if not manifest:
        return NOT_RECORDED, {}
    content = ", ".join(f"{name} {digest}" for name, digest in (manifest.get("content_sha256") or {}).items())
    return (
        f"{manifest['origin']}; license {license_of(manifest) or NOT_RECORDED}; {manifest['rows']} rows; "
        f"sha256 of what was read: {content or NOT_RECORDED}.",
        manifest,
    )


def what_changed(case: Case) -> Asked:
    """Question 15."""
    start = case.snapshot.commit
    versions = versions_of(LOCK_FILE.as_posix(), before=start) if start else iter(())
    current = case.snapshot.read(LOCK_FILE.as_posix())
    earlier = next((commit for commit, content in versions if content != current), None)
    if earlier is None:
        return f"{NOT_RECORDED}: no earlier result is committed", {}
    before = f"{earlier.id}:{case.artifact}"
    after = (
        f"{case.snapshot.revision}:{case.artifact}" if case.snapshot.revision else case.artifact.as_posix()
    )
    try:
        found = compare(Side(before, case.snapshot), Side(after, case.snapshot))
    except SelfsameError as error:
        return f"{NOT_RECORDED}: {error.what}", {}
    parts = [part for part in PARTS if part in found]
    return (
        f"Since commit {earlier.id[:12]}, changed: {', '.join(PARTS[part] for part in parts) or 'nothing'}. "
        "'selfsame diff' lists it.",
        found,
    )
