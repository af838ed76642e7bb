"""Findings made of small arrays, without any model: of classes and of values."""

from dataclasses import replace
from typing import Any

import numpy as np

from selfsame.core.tables import TableInfo
from selfsame.report.classes import ROUND_THRESHOLDS, THRESHOLDS
from selfsame.report.data_checks import DataChecks, Drift
from selfsame.report.findings import Findings, ModelFindings
from selfsame.report.gallery import Example, Gallery
from selfsame.report.gate import Gate
from selfsame.report.learned import LearnedRound
from selfsame.report.promotion import promote
from selfsame.report.scores import Scores
from selfsame.report.target import Target, target_of
from selfsame.report.values import CLOSE
from selfsame.selection.agreement import judge
from selfsame.selection.calibration import measure_reliability
from selfsame.selection.record import GateRecord
from selfsame.stats.share import Share

CLASSES = ("cat", "dog", "emu")
LABELS = np.arange(60) % 3
CURVES = {
    "epoch": np.arange(1.0, 6),
    "training_loss": np.array([2, 1, 0.5, 0.2, 0.1]),
    "validation_loss": np.array([2, 1, 0.7, 0.6, 0.8]),
    "validation_accuracy": np.array([0.3, 0.5, 0.7, 0.8, 0.8]),
    "validation_r2": np.array([0.3, 0.5, 0.7, 0.8, 0.8]),
}
ROUNDS = (
    LearnedRound(1, "ab" * 32, 4, 4, 0, Share(3, 4)),
    LearnedRound(5, "cd" * 32, 5, 3, 1, Share(3, 3)),
)
TRUTH = np.random.default_rng(0).normal(100, 10, 60)
MEMBERS = ("ab" * 32, "cd" * 32)


def target(classes: tuple[str, ...] = CLASSES, **info: Any) -> Target:
    return target_of(TableInfo("zoo", "classification", classes, **({"features": ("weight",)} | info)))


VALUES = target_of(TableInfo("zoo", "regression", features=("length",)))


def predictions(wrong: int) -> np.ndarray:
    """(60, 3) probabilities, of which the first ``wrong`` rows name the next class."""
    probabilities = np.full((60, 3), 0.05, dtype=np.float32)
    probabilities[np.arange(60), (LABELS + (np.arange(60) < wrong)) % 3] = 0.9
    return probabilities


def scores(wrong: int) -> Scores:
    return target().score(LABELS, predictions(wrong))


def checks(**seen: Any) -> DataChecks:
    quiet = DataChecks(Share(1, 100), Share(2, 100), Share(0, 80), Drift(0.5, Share(0, 1)))
    return replace(quiet, **seen)


def class_record(threshold: float, classes: int, **changes: Any) -> GateRecord:
    right = np.ones(20, dtype=bool)
    record = GateRecord(
        rule="threshold",
        thresholds=(float(np.float32(threshold)),) * classes,
        guarantee=None,
        verdict="The threshold is a fixed one.",
        calibrated_on="validation",
        calibration_rows=20,
        temperature=1.5,
        before=measure_reliability(np.full(20, 0.95), right),
        after=measure_reliability(np.full(20, 0.99), right),
        balance="none",
        prior=(1 / classes,) * classes,
    )
    return replace(record, **changes)


def class_gate(
    labels: list[int],
    confidence: list[float],
    hidden: dict[int, int],
    threshold: float = 0.9,
    classes: int = len(CLASSES),
    **changes: Any,
) -> Gate:
    """Return a pool by its pseudo-labels and their confidences, with the hidden labels of some rows."""
    trust = np.array(confidence, dtype=np.float32)
    truth = np.array([hidden.get(row, np.nan) for row in range(len(labels))], dtype=float)
    return Gate(
        record=class_record(threshold, classes, **changes),
        labels=np.array(labels, dtype=np.int64),
        trust=trust,
        rising=True,
        levels=THRESHOLDS,
        rounds=ROUND_THRESHOLDS,
        accepted=trust >= np.float32(threshold),
        truth=truth,
        right=np.array(labels) == truth,
        calibrated=changes.pop("calibrated", trust / 2),
    )


def class_findings(
    gate: Gate | None = None,
    baseline_wrong: int = 20,
    student_wrong: int = 6,
    reference_wrong: int = 15,
    promotion_level: float = 0.05,
    classes: tuple[str, ...] = CLASSES,
    **fields: Any,
) -> Findings:
    """Build findings from how many of 60 rows each model gets wrong; any field can be replaced."""
    if gate is None:
        gate = class_gate([0, 1, 2, 1, 0], [0.99, 0.95, 0.9, 0.7, 0.96], {0: 0, 1: 1, 2: 0, 3: 1, 4: 0})
    own = fields.pop("target", target(classes))
    wrong = {"baseline": baseline_wrong, "student": student_wrong}
    found = {name: own.score(LABELS, predictions(rows)) for name, rows in wrong.items()}
    simple = own.score(LABELS, predictions(reference_wrong))
    galleries = (
        Gallery("Accepted", (Example("ab12", np.array([1.25]), 0, 0.91, 1),)),
        Gallery("Rejected", (Example("cd34", np.array([2.5]), 2, 0.42, None),)),
        Gallery("Mistakes", ()),
    )
    settings = {
        "models/student": {"model.widths": [32, 64]},
        "models/champion": {"evaluate.title": "Animals"},
    }
    values = {
        "title": "Animals",
        "target": own,
        "labeled": np.repeat([0, 1, 2], [5, 5, 4]),
        "asked": {},
        "dropped": {},
        "gate": gate,
        **{name: ModelFindings(name, each, each, CURVES) for name, each in found.items()},
        "reference": ModelFindings("logistic regression", simple, simple, {}),
        "reference_rows": 28,
        "learning_curve": None,
        "constant": ModelFindings("always saying cat", None, own.score(LABELS, np.zeros(60)), {}),
        "promotion": promote(own, found["baseline"], found["student"], simple, promotion_level),
        "learned": ROUNDS,
        "refitted": False,
        "method": "offline",
        "settings": settings,
        "digests": {"data/splits/holdout.parquet": "cd" * 32, "models/student/config.json": "ef" * 32},
        "teachers": ("ab" * 32,),
        "checks": checks(),
        "galleries": galleries,
    }
    return Findings(**(values | fields))


def value_gate(error: np.ndarray | None = None) -> Gate:
    """Return a pool of 20 rows that are off by twice their spread, in units of 10."""
    spread = np.linspace(0.05, 1, 20, dtype=np.float32)
    said = np.stack([TRUTH - 2, TRUTH + 2])
    record = judge(
        said, TRUTH, calibrated_on="validation", largest_ensemble_std=0.5, unit=10.0, members=MEMBERS
    )
    error = 20.0 * spread if error is None else error
    levels = np.unique(spread)
    return Gate(
        record=record,
        labels=TRUTH[:20] + error,
        trust=spread,
        rising=False,
        levels=levels,
        rounds=levels[4::5],
        accepted=spread <= 0.5,
        truth=np.where(np.isnan(error), np.nan, TRUTH[:20]),
        right=np.abs(error) <= CLOSE * 10,
        errors=error,
    )


def value_findings(error: np.ndarray | None = None, **fields: Any) -> Findings:
    """Build findings of two models that name values, the student the better."""
    noise = {"baseline": 5.0, "student": 2.0, "reference": 8.0}
    found = {
        name: VALUES.score(TRUTH, TRUTH + np.random.default_rng(1).normal(0, each, 60))
        for name, each in noise.items()
    }
    constant = VALUES.score(TRUTH, np.full(60, TRUTH.mean()))
    galleries = (
        Gallery("Accepted", (Example("ab12", np.array([1.25]), 99.5, 0.3, 98.0),)),
        Gallery("Mistakes", ()),
    )
    values = {
        "title": "Weights",
        "target": VALUES,
        "labeled": TRUTH[:14],
        "asked": {},
        "dropped": {},
        "gate": value_gate(error),
        "baseline": ModelFindings("baseline", found["baseline"], found["baseline"], CURVES),
        "student": ModelFindings("student", found["student"], found["student"], CURVES),
        "reference": ModelFindings("ridge regression", found["reference"], found["reference"], {}),
        "reference_rows": 74,
        "learning_curve": None,
        "constant": ModelFindings("always saying 100, the mean", None, constant, {}),
        "promotion": promote(VALUES, found["baseline"], found["student"], found["reference"], 0.05),
        "learned": (),
        "refitted": False,
        "method": "offline",
        "settings": {
            "models/student": {"model.widths": [32]},
            "models/champion": {"evaluate.title": "Weights"},
        },
        "digests": {
            "data/splits/pool/part-00000.parquet": "12" * 32,
            "models/student/config.json": "34" * 32,
        },
        "teachers": MEMBERS[:1],
        "checks": checks(),
        "galleries": galleries,
    }
    return Findings(**(values | fields))
