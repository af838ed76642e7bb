"""The questions of trust: repeatability, completeness, signature, origin, change."""

from collections import Counter
from typing import Any

from selfsame.audit.anchors import anchors_of
from selfsame.audit.attestations import rebuilds_of
from selfsame.audit.case import NOT_RECORDED, Asked, Case
from selfsame.audit.chain import was_restored
from selfsame.audit.diff import Side, compare
from selfsame.audit.facts import given_labels
from selfsame.audit.licenses import license_of
from selfsame.audit.records import Record
from selfsame.audit.taint import trace_taint
from selfsame.audit.target import target_of
from selfsame.core.annotations import DOUBTED
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import ID, LINEAGE, LOCK_FILE
from selfsame.git import committed, head, versions_of

PARTS = {
    "data": "rows",
    "code": "code",
    "params": "parameters",
    "environment": "packages or machine",
    "pseudo_labels": "machine labels",
}
UNBIASED = ("random", DOUBTED)  # begins the strategies by which no row was chosen for what it is


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
    table = case.held("labeled").table("labeled")
    if table is None:
        return "No labeled row is behind it.", {}
    example = table.row(0, [ID])[ID]
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
    drawn = _drawn(split, target_of(case).within)
    given = [one for each in given_labels(case).values() for one in each]
    if not given:
        return f"No: {drawn}", {"split": split}
    strategies, people = Counter(one.strategy for one in given), Counter(one.annotator for one in given)
    biased = Counter({name: rows for name, rows in strategies.items() if name.split(",")[0] not in UNBIASED})
    times = sorted(one.labeled_at for one in given)
    words = f"No: {drawn}"
    if biased:
        words = (
            f"In part: {biased.total()} rows were labeled on request, chosen by {_counted(biased)}: they are "
            f"no random draw. The others were {drawn}"
        )
    corrected = strategies[DOUBTED]
    return (
        f"{words} People gave {len(given)} labels ({_counted(people)}), from {times[0]} to {times[-1]}; "
        f"{corrected} of them correct one that came with the source.",
        {
            "split": split,
            "strategies": dict(strategies),
            "annotators": dict(people),
            "times": [times[0], times[-1]],
        },
    )


def _drawn(split: dict[str, Any], within: str) -> str:
    """Say how roles were given, by section ``split`` as it was recorded."""
    words = f"drawn at random{within}"
    if group := split.get("group_column"):
        words += f", all rows of one {group} together"
    words += f", with seed {split.get('seed')}"
    if time := split.get("time_column"):
        words += f"; but holdout and validation are the latest labeled rows by {time}"
    amounts = {"holdout": "holdout_fraction", "validation": "validation_per_class"}
    if own := [role for role, key in amounts.items() if split.get(key, 0) is None]:
        words += f"; but {' and '.join(own)} rows are the source's own"
    erased = sum(rows for of_class in split.get("erased", {}).values() for rows in of_class.values())
    words += f"; {len(split.get('exclude', []))} examples were withdrawn"
    return f"{words}, {erased} erased." if erased else f"{words}."


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
