"""The technical documentation in the order of Annex IV of the EU AI Act, as far as records can tell it.

The headings are those of Regulation (EU) 2024/1689, shortened. What only a person can say is marked as such:
this is a file to be finished, no statement of conformity.
"""

from collections.abc import Callable
from dataclasses import dataclass

from selfsame.audit.case import NOT_RECORDED, Case
from selfsame.audit.questions import answer_all
from selfsame.audit.target import score_name, target_of
from selfsame.audit.uses import uses_of, uses_words

BY_A_PERSON = "*To be written by a person.*"
Filler = Callable[["_File"], str]


@dataclass(frozen=True)
class _File:
    case: Case
    answers: dict[int, str]


def technical_file(case: Case) -> str:
    """Return the file of the model under audit, as Markdown."""
    file = _File(case, {each.number: each.answer for each in answer_all(case)})
    title = case.params("evaluate").get("title", case.artifact.as_posix())
    lines = [
        f"# Technical documentation: {title}",
        "",
        "In the order of Annex IV of Regulation (EU) 2024/1689. Filled from the provenance records of the "
        f"model with the weights sha256 {case.weights}; what they can't know is for a person to write. It is "
        "no statement of conformity.",
    ]
    for heading, points in ANNEX:
        lines += ["", f"## {heading}"]
        for point, filler in points:
            lines += ["", f"**{point}**", "", filler(file) if filler else BY_A_PERSON]
    return "\n".join(lines) + "\n"


def _answers(*numbers: int) -> Filler:
    return lambda file: "\n\n".join(file.answers[number] for number in numbers)


def _version(file: _File) -> str:
    commit = next((each.git.get("commit") for each in reversed(file.case.trace.executions)), None)
    return (
        f"Model `{file.case.artifact.as_posix()}`, weights sha256 `{file.case.weights}`, made at commit "
        f"`{commit or NOT_RECORDED}`. Intended purpose and provider: {BY_A_PERSON}"
    )


def _software(file: _File) -> str:
    last = file.case.trace.executions[-1].environment
    imported = last.get("imported") or last["packages"]
    named = [f"{name} {last['packages'][name]}" for name in imported if name in last["packages"]]
    return f"Python {last['python']} on {last['platform']}; {', '.join(named)}."


def _hardware(file: _File) -> str:
    found = {
        f"{each.stage}: {where.get('cpu')}, {where.get('cpuCount')} CPUs, GPUs: {where['gpus'] or 'none'}"
        for each in file.case.trace.executions
        for where in [each.environment["hardware"]]
    }
    return "The steps ran on:\n\n" + "\n".join(f"* {line}" for line in sorted(found))


def _steps(file: _File) -> str:
    lines = [
        f"1. `{each.command}` at {each.started:%Y-%m-%d %H:%M} UTC: "
        f"{len(each.inputs)} files read, {len(each.outputs)} written, record `{each.path}`"
        for each in file.case.trace.executions
    ]
    weights = file.case.params("model").get("weights") or "none."
    return "\n".join([*lines, "", f"Pre-trained nets: {weights}"])


def _choices(file: _File) -> str:
    found = {key: file.case.params(key) for key in ("model", "training", "retrain", "pseudo_label")}
    rows = [
        f"| `{section}.{key}` | `{value}` |"
        for section, values in found.items()
        for key, value in values.items()
    ]
    why = f"Why these were chosen: {BY_A_PERSON}"
    return "\n".join(["| parameter | value |", "| --- | --- |", *rows, "", why])


def _validation(file: _File) -> str:
    metrics, side = file.case.metrics, file.case.side
    if not side:
        return NOT_RECORDED
    name = score_name(metrics)
    lines = ["| model | rows | " + name + " | 95 % interval |", "| --- | --- | --- | --- |"]
    names = {"reference": f"scikit-learn baseline ({metrics.get('reference', {}).get('name')})"}
    for each in (one for one in ("baseline", "student", "reference") if one in metrics):
        for rows in ("validation", "holdout"):
            scores = metrics[each].get(rows, {})
            if name in scores:
                low, high = (scores.get(f"{name}_{end}") for end in ("low", "high"))
                interval = f"{low:.4f} to {high:.4f}" if low is not None and high is not None else "–"
                lines.append(f"| {names.get(each, each)} | {rows} | {scores[name]:.4f} | {interval} |")
    return "\n".join([*lines, "", file.answers[7], "", f"Signatures on test reports: {BY_A_PERSON}"])


def _groups(file: _File) -> str:
    shares = file.answers[6]
    return f"{shares}\n\nGroups of persons whom the system is used on: {BY_A_PERSON}"


def _input_data(file: _File) -> str:
    names = ", ".join(target_of(file.case).names)
    return (
        f"Classes: {names}. " if names else ""
    ) + "Rows that are scored are held against a profile of the training's rows, and drift is reported."


def _log(file: _File) -> str:
    return "```\n" + uses_words(uses_of(file.case.snapshot.lineage[0], [file.case.weights or ""])) + "\n```"


ANNEX: tuple[tuple[str, tuple[tuple[str, Filler | None], ...]], ...] = (
    (
        "1. A general description of the AI system",
        (
            ("(a) Intended purpose, provider, version", _version),
            ("(b) Interaction with hardware or software that is not part of it", None),
            ("(c) Versions of relevant software", _software),
            ("(d) Forms in which it is placed on the market", None),
            ("(e) Hardware on which it is intended to run", None),
            ("(f) Photographs or illustrations, where it is part of a product", None),
            ("(g) The user interface provided to the deployer", None),
            ("(h) Instructions for use", None),
        ),
    ),
    (
        "2. The elements of the AI system and the process for its development",
        (
            ("(a) Methods and steps performed, pre-trained systems and third-party tools", _steps),
            ("(b) Design specifications: logic, key choices, what it optimises for", _choices),
            ("(c) Architecture and computational resources", _hardware),
            (
                "(d) Data: provenance, scope, selection, labelling procedures, cleaning",
                _answers(14, 1, 2, 3, 4, 13),
            ),
            ("(e) Human oversight measures needed", None),
            ("(f) Pre-determined changes", None),
            ("(g) Validation and testing: data, metrics, logs, signed reports", _validation),
            ("(h) Cybersecurity measures", _answers(10, 11)),
        ),
    ),
    (
        "3. Monitoring, functioning and control",
        (
            ("Capabilities and limitations, accuracy for persons or groups", _groups),
            ("Foreseeable unintended outcomes and sources of risk", None),
            ("Human oversight, and technical measures for interpreting outputs", None),
            ("Specifications on input data", _input_data),
            ("Log of use", _log),
        ),
    ),
    (
        "4. The appropriateness of the performance metrics",
        (("Why these metrics fit this system", None), ("What they were measured on", _answers(5, 8))),
    ),
    ("5. The risk management system (Article 9)", (("Description", None),)),
    ("6. Relevant changes through the lifecycle", (("Since the version before", _answers(15)),)),
    ("7. Harmonised standards applied", (("List", None),)),
    ("8. The EU declaration of conformity (Article 47)", (("Copy", None),)),
    ("9. The post-market monitoring plan (Article 72)", (("Plan", None),)),
)
