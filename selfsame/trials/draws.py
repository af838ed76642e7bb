"""Mean and spread of the pipeline over draws: other labels, other initial weights, the same parameters."""

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
class Draw:
    """One repetition: what the pipeline made of it, or why it failed."""

    seeds: Overrides
    trial: Trial | None
    error: str

    @property
    def figures(self) -> Figures:
        """Return its figures by dotted name; none if it failed."""
        return {} if self.trial is None else read_figures(self.trial.metrics[METRICS.as_posix()])


def run_draws(count: int, settings: Overrides, log: Callable[[str], None]) -> list[Draw]:
    """Run the pipeline ``count`` times, with ``settings`` in place of the values of ``params.yaml``.

    Draw ``n`` adds ``n`` to every seed that a stage reads, so that draw 0 is the workspace's own run.

    Args:
        log: told a line for each draw, and each line that the stages print, indented.

    Raises:
        SelfsameError: a setting is not valid, or there is no commit yet; a draw that fails is a ``Draw``.
    """
    draws = []
    for number in range(count):
        seeds = seeds_of(number, settings)
        overrides = {**settings, **seeds}
        try:
            trial = run_experiment(
                overrides, name_of(f"draw-{number}", overrides), lambda line: log(f"  {line}")
            )
        except SelfsameError as error:
            if not draws:  # the very first fails for a reason that they all have
                raise
            draws.append(Draw(seeds, None, str(error)))
            log(f"draw {number} failed: {error}")
            continue
        draws.append(Draw(seeds, trial, ""))
        kinds = list(trial.stages.values())
        log(
            f"draw {number}: {kinds.count('ran')} of {len(kinds)} stages ran, {trial.seconds:.0f} s, "
            f"experiment {trial.name}"
        )
    return draws


def seeds_of(number: int, settings: Overrides) -> dict[str, int]:
    """Return the overrides that make draw ``number`` of the parameters with ``settings``."""
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


def spread(draws: Sequence[Draw]) -> dict[str, tuple[float, float, int]]:
    """Return mean, standard deviation (0 for a single draw) and number of draws of each figure."""
    values: dict[str, list[float]] = {}
    for draw in draws:
        for name, value in draw.figures.items():
            values.setdefault(name, []).append(value)
    return {
        name: (statistics.mean(found), statistics.stdev(found) if len(found) > 1 else 0.0, len(found))
        for name, found in values.items()
    }


def format_draws(draws: Sequence[Draw]) -> str:
    """Return the figures as a small table: mean ± standard deviation."""
    done = sum(draw.trial is not None for draw in draws)
    lines = [f"mean ± sd of {done} draws"]
    for name, (mean, deviation, count) in spread(draws).items():
        few = "" if count == done else f"  ({count} draws)"
        lines.append(f"  {name:<22} {mean:.4f} ± {deviation:.4f}{few}")
    return "\n".join(lines)


def draws_as_json(draws: Sequence[Draw]) -> dict[str, Any]:
    """Return everything for programs: each draw, and the spread."""
    return {
        "draws": [
            {
                "seeds": dict(draw.seeds),
                "experiment": draw.trial and draw.trial.name,
                "stages": draw.trial and dict(draw.trial.stages),
                "seconds": draw.trial and round(draw.trial.seconds, 3),
                "figures": draw.figures,
                "error": draw.error,
            }
            for draw in draws
        ],
        "spread": {
            name: {"mean": mean, "sd": deviation, "draws": count}
            for name, (mean, deviation, count) in spread(draws).items()
        },
    }
