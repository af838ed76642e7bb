"""Mean and spread of the pipeline over repeats: other labels, other initial weights, the same parameters."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import METRICS
from selfsame.dag.experiments import Trial, name_of, run_experiment
from selfsame.params.check import check_overrides
from selfsame.params.overrides import Overrides
from selfsame.params.registry import STAGES

SIDES = ("baseline", "student", "champion", "reference")  # those that the metrics name
POOL_FIGURES = ("coverage", "precision")
Figures = dict[str, float]


@dataclass(frozen=True)
class Repeat:
    """One repetition: what the pipeline made of it, or why it failed."""

    seeds: Overrides
    trial: Trial | None
    error: str

    @property
    def figures(self) -> Figures:
        """Return its figures by dotted name; none if it failed."""
        return {} if self.trial is None else read_figures(self.trial.metrics[METRICS.as_posix()])


def run_repeats(count: int, settings: Overrides, log: Callable[[str], None]) -> list[Repeat]:
    """Run the pipeline ``count`` times, with ``settings`` in place of the values of ``params.yaml``.

    Repeat ``n`` adds ``n`` to every seed that a stage reads, so that repeat 0 is the workspace's own run.

    Args:
        log: told a line for each repeat, and each line that the stages print, indented.

    Raises:
        SelfsameError: a setting is not valid, or there is no commit yet; a repeat that fails is a ``Repeat``.
    """
    repeats: list[Repeat] = []
    for number in range(count):
        seeds = seeds_of(number, settings)
        overrides = {**settings, **seeds}
        try:
            trial = run_experiment(
                overrides, name_of(f"repeat-{number}", overrides), lambda line: log(f"  {line}")
            )
        except SelfsameError as error:
            if not repeats:  # the very first fails for a reason that they all have
                raise
            repeats.append(Repeat(seeds, None, str(error)))
            log(f"repeat {number} failed: {error}")
            continue
        repeats.append(Repeat(seeds, trial, ""))
        kinds = list(trial.stages.values())
        log(
            f"repeat {number}: {kinds.count('ran')} of {len(kinds)} stages ran, {trial.seconds:.0f} s, "
            f"experiment {trial.name}"
        )
    return repeats


def seeds_of(number: int, settings: Overrides) -> dict[str, int]:
    """Return the overrides that make repeat ``number`` of the parameters with ``settings``."""
    sections = check_overrides(settings)
    seeds = {name: getattr(sections[name], "seed", None) for name in STAGES}
    return {f"{name}.seed": seed + number for name, seed in seeds.items() if seed is not None}


def read_figures(metrics: Mapping[str, Any]) -> Figures:
    """Return the holdout's scores of every model, and what the gate let through, from ``metrics.json``.

    Whatever the scores are called: all numbers of ``<model>.holdout`` but the ends of their intervals.
    """
    figures: Figures = {}
    for side in SIDES:
        model = metrics.get(metrics["champion"] if side == "champion" else side)
        for score, value in (model or {}).get("holdout", {}).items():
            if isinstance(value, int | float) and not score.endswith(("_low", "_high")):
                figures[f"{side}.{score}"] = float(value)
    for name in POOL_FIGURES:
        if metrics["pool"].get(name) is not None:
            figures[f"pool.{name}"] = float(metrics["pool"][name])
    return figures


def spread(repeats: Sequence[Repeat]) -> dict[str, tuple[float, float, int]]:
    """Return mean, standard deviation (0 for a single repeat) and number of repeats of each figure."""
    values: dict[str, list[float]] = {}
    for repeat in repeats:
        for name, value in repeat.figures.items():
            values.setdefault(name, []).append(value)
    return {
        name: (statistics.mean(found), statistics.stdev(found) if len(found) > 1 else 0.0, len(found))
        for name, found in values.items()
    }


def format_repeats(repeats: Sequence[Repeat]) -> str:
    """Return the figures as a small table: mean ± standard deviation."""
    done = sum(repeat.trial is not None for repeat in repeats)
    lines = [f"mean ± sd of {done} repeats"]
    for name, (mean, deviation, count) in spread(repeats).items():
        few = "" if count == done else f"  ({count} repeats)"
        lines.append(f"  {name:<22} {mean:.4f} ± {deviation:.4f}{few}")
    return "\n".join(lines)


def repeats_as_json(repeats: Sequence[Repeat]) -> dict[str, Any]:
    """Return everything for programs: each repeat, and the spread."""
    return {
        "repeats": [
            {
                "seeds": dict(repeat.seeds),
                "experiment": repeat.trial and repeat.trial.name,
                "stages": repeat.trial and dict(repeat.trial.stages),
                "seconds": repeat.trial and round(repeat.trial.seconds, 3),
                "figures": repeat.figures,
                "error": repeat.error,
            }
            for repeat in repeats
        ],
        "spread": {
            name: {"mean": mean, "sd": deviation, "repeats": count}
            for name, (mean, deviation, count) in spread(repeats).items()
        },
    }
