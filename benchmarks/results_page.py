"""The text of ``docs/results.md``, from the draws that ``benchmarks/results.py`` has made."""

import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

Results = Mapping[str, Mapping[int, Any]]  # of each row's name, of each draw's number
BOTH_ROWS = "labeled + validation rows"
BOTH = f"best simple model, {BOTH_ROWS}"
# That of the draws which don't say on which they were made.
FORMER = "AMD EPYC (2 cores), Python 3.11.7, torch 2.15.0, scikit-learn 1.9.1, numpy 2.4.6"
SIDES = ("baseline", "student", "champion")
HEAD = """\
# Results

Made by `make results` (`benchmarks/results.py`), not by hand. Mean ± standard deviation over label draws:
another choice of labeled, validation, pool and holdout rows and other initial weights each time. Every
choice (checkpoint, gate, champion) is made on validation rows; the score is that of the holdout, which is
read once. CPU seconds are user and system time of one thread, all six stages (beside a GPU, where one is
named: then they are no measure of the work). "The best that a user has for
free" is the competitor with the best mean on the holdout, which favours it a little.
What asking for the right labels saves: [active learning](active-learning.md#what-asking-saves).
"""


TUTORIALS = """\
The three procedures of the tutorials on MNIST with 1,000 labels, with their net, optimizer and ramp
(`benchmarks/tutorials.py`). *As published*: labeled images are scaled to 0…1 and flipped left to right at
random, while validation, pool and holdout images go in as 0…255. *Honest*: one preparation for all, no flip.
Each line is one run, so a difference of some tenths of a point may be luck."""
TUTORIALS_COMMAND = "The command is `python benchmarks/tutorials.py MNIST_FOLDER`; it repeats no run."
TUTORIALS_OWN = {"supervised": 0.6965, "online": 0.7952, "offline": 0.7848}  # accuracy that they report


def write_page(
    rows: Sequence[Any], results: Results, sources: str, draws: int, tutorials: Sequence[Any]
) -> str:
    """Return the page.

    Args:
        rows: ``Row`` of ``benchmarks/results.py``.
        results: of each row's name, the result of each draw that was made.
        tutorials: figures of each run of ``benchmarks/tutorials.py`` that was made.
    """
    parts = [
        HEAD,
        _machines(rows, results),
        _summary(rows, results),
        _ranks(rows, results),
        "## The pipeline",
        _pipeline(rows, results, draws),
    ]
    parts += ["## What a user has for free, on the same draws", _competitors(rows, results)]
    parts += ["## The tutorials' procedures, and what their mistake cost", _tutorials(tutorials)]
    parts += ["## Floors and goals", _floors(rows), sources, "## What was not at hand, or failed"]
    return "\n\n".join([*parts, _missing(rows, results, draws)]) + "\n"


def machine(device: str) -> str:
    """Return what a draw is made on, now and here."""
    names = ("torch", "scikit-learn", "numpy")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in names)
    own = f"{_cpu()} ({os.cpu_count()} cores), Python {platform.python_version()}, {versions}"
    return f"{_card()} beside {own}" if device == "cuda" else own


def _card() -> str:
    asked = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.splitlines()[0].strip()


def _machines(rows: Sequence[Any], results: Results) -> str:
    """Say which rows were drawn on which machine."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for result in _done(results[row.name]):
            names = found.setdefault(result.get("machine", FORMER), [])
            names += [row.data] if row.data not in names else []
    if len(found) == 1:
        return f"Measured on {next(iter(found))}."
    return "\n".join(f"* Measured on {where}: {'; '.join(names)}." for where, names in found.items())


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(errors="replace").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _done(results: Mapping[int, Any]) -> list[Any]:
    return [result for result in results.values() if "error" not in result]


def _values(results: Mapping[int, Any], figure: str) -> list[float]:
    return [result["figures"][figure] for result in _done(results) if figure in result["figures"]]


def _spread(values: Sequence[float], digits: int = 3) -> str:
    if not values:
        return "–"
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def _free(results: Mapping[int, Any]) -> dict[str, tuple[list[float], list[float]]]:
    """Return each competitor's scores and seconds over the draws.

    What was chosen on labeled and validation rows may be another model in each draw: it is one competitor.
    """
    found: dict[str, tuple[list[float], list[float]]] = {}
    for result in _done(results):
        for name, score, seconds in result["competitors"]:
            # What was chosen on the draw stands behind the name, in brackets.
            kind = BOTH if BOTH_ROWS in name else name.partition(" (")[0]
            scores, times = found.setdefault(kind, ([], []))
            scores.append(score)
            times.append(seconds)
    return found


def _best_free(results: Mapping[int, Any]) -> tuple[str, list[float]] | None:
    found = {name: scores for name, (scores, _) in _free(results).items()}
    return max(found.items(), key=lambda item: statistics.mean(item[1]), default=None)


def _summary(rows: Sequence[Any], results: Results) -> str:
    """Say in a sentence for each row whether the goal is met and who is better."""
    lines = []
    for row in rows:
        champions = _values(results[row.name], f"champion.{row.score}")
        if not champions:
            continue
        mean = statistics.mean(champions)
        goal = "" if row.goal is None else f"; goal {row.goal:g} {'met' if mean >= row.goal else 'not met'}"
        sentence = f"* **{row.data}**: champion {_spread(champions, 4)} {row.score}{goal}"
        if best := _best_free(results[row.name]):
            name, scores = best
            verdict = "better than" if mean > statistics.mean(scores) else "**not better than**"
            sentence += f"; {verdict} the best that a user has for free ({name}, {_spread(scores)})"
        lines.append(sentence + ".")
    return "\n".join(lines) or "Nothing has been measured yet."


def _ranks(rows: Sequence[Any], results: Results) -> str:
    """Return the mean rank of the champion and of every competitor over the rows and draws of tables.

    A competitor that a draw lacks is last there: it has no answer.
    """
    draws = []
    for row in rows:
        for result in _done(results[row.name]) if row.is_table else ():
            scores = {name.partition(" (")[0]: score for name, score, _ in result["competitors"]}
            if any(
                "labeled rows" in name for name in scores
            ):  # of before competitors learned validation rows
                continue
            linear = "logistic or ridge regression"
            scores = {
                linear if name.endswith(" regression") else name: score for name, score in scores.items()
            }
            draws.append(scores | {"the champion": result["figures"][f"champion.{row.score}"]})
    names = sorted({name for scores in draws for name in scores})
    found = {
        name: [
            1
            + sum(scores.get(other, -9) > scores.get(name, -9) for other in names)
            + sum(scores.get(other, -9) == scores.get(name, -9) for other in names if other != name) / 2
            for scores in draws
        ]
        for name in names
    }
    if not draws:
        return "No table has been measured yet."
    told = sorted((statistics.mean(ranks), name) for name, ranks in found.items())
    first = ", ".join(f"{name} {mean:.2f}" for mean, name in told)
    return f"Mean rank over {len(draws)} draws of tables, of {len(names)}: {first}."


def _pipeline(rows: Sequence[Any], results: Results, draws: int) -> str:
    lines = [
        "| data | score | baseline | student | champion | goal | coverage | precision | CPU s | draws |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        own = results[row.name]
        scores = [_spread(_values(own, f"{side}.{row.score}")) for side in SIDES]
        pool = [_spread(_values(own, f"pool.{name}"), 2) for name in ("coverage", "precision")]
        # Some draws have no seconds of a training whose record didn't count the process beside it.
        whole = [result["seconds"] for result in _done(own) if "retrain" in result["seconds"]]
        seconds = [sum(stages.values()) for stages in whole]
        goal = "–" if row.goal is None else f"{row.goal:g}"
        made = f"{len(_done(own))} of {draws}"
        lines.append(
            f"| {' | '.join([row.data, row.score, *scores, goal, *pool, _spread(seconds, 0), made])} |"
        )
    return "\n".join(lines)


def _competitors(rows: Sequence[Any], results: Results) -> str:
    lines = ["| data | model | score | CPU seconds |", "|---|---|---|---|"]
    for row in rows:
        found = sorted(_free(results[row.name]).items(), key=lambda item: -statistics.mean(item[1][0]))
        lines += [
            f"| {row.data} | {name} | {_spread(scores)} | {_spread(seconds, 1)} |"
            for name, (scores, seconds) in found
        ]
    return "\n".join(lines)


def _tutorials(runs: Sequence[Any]) -> str:
    """Set each procedure's two runs side by side, and say what lies between them."""
    found = {(run["procedure"], run["inputs"]): run for run in runs}
    if not found:
        return f"Not run. {TUTORIALS_COMMAND}"
    lengths = {(run["epochs"], run["shorten"]) for run in runs}
    told = [f"{epochs} epochs, the published 501 and their ramp divided by {by:g}" for epochs, by in lengths]
    lines = [f"{TUTORIALS} Length: {'; '.join(sorted(told))}.", "", *_costs(found), ""]
    lines += [
        "| procedure | inputs | holdout accuracy | validation, last half of the epochs | coverage at 0.99 "
        "| precision of it | CPU seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    missing = []
    for procedure in TUTORIALS_OWN:
        for inputs in ("as published", "honest"):
            if run := found.get((procedure, inputs)):
                late = run["validation"][len(run["validation"]) // 2 :]
                gate = [f"{run[name]:.4f}" if name in run else "–" for name in ("coverage", "precision")]
                cells = [procedure, inputs, f"{run['holdout']:.4f}", f"{min(late):.3f} to {max(late):.3f}"]
                lines.append(f"| {' | '.join([*cells, *gate])} | {run['seconds']:.0f} |")
            else:
                missing.append(f"{procedure} {inputs}")
    lines += ["", f"Not run: {', '.join(missing)}. {TUTORIALS_COMMAND}"] if missing else []
    return "\n".join(lines)


def _costs(found: Mapping[tuple[str, str], Any]) -> list[str]:
    """Return a sentence for each procedure of which both runs were made, and one for the gate."""
    lines = []
    for procedure, own in TUTORIALS_OWN.items():
        published, honest = (found.get((procedure, inputs)) for inputs in ("as published", "honest"))
        if published and honest:
            left, right = published["holdout"], honest["holdout"]
            lines.append(
                f"* **{procedure}**: {left:.4f} as published, {right:.4f} honest: scaling and flips cost "
                f"{100 * (right - left):.1f} points (the tutorial itself reports {own:g})."
            )
    gates = [
        f"{run['coverage']:.3f} of the pool, {run['precision']:.3f} of it right, {inputs}"
        for (_, inputs), run in sorted(found.items())
        if "coverage" in run
    ]
    return (
        [*lines, f"* **The gate**: at 0.99 the supervised net accepts {'; '.join(gates)}."]
        if gates
        else lines
    )


def _floors(rows: Sequence[Any]) -> str:
    lines = ["| data | goal for the champion | floors |", "|---|---|---|"]
    for row in rows:
        goal = "above the floor" if row.goal is None else f"{row.goal:g}"
        lines.append(f"| {row.data} | {goal} | {row.floors} |")
    return "\n".join(lines)


def _missing(rows: Sequence[Any], results: Results, draws: int) -> str:
    lines = []
    for row in rows:
        own = results[row.name]
        if not own:
            needs = f"; it needs a folder `{row.folder}` in `--data-dir`" if row.folder else ""
            lines.append(f"* {row.data}: not run{needs}.")
        for number, result in own.items():
            if "error" in result:
                words = result["error"].strip().splitlines()
                text = next((line for line in words if line.startswith("error")), words[-1] if words else "?")
                lines.append(f"* {row.data}: draw {number} failed: {text}")
        if own and len(own) < draws:
            lines.append(f"* {row.data}: {len(own)} of {draws} draws were made.")
    return "\n".join(lines) or "Nothing that the rows above need."
