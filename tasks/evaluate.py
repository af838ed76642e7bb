"""Stage evaluate: choose the champion on validation, then read the holdout once and write the report.

In: ``labels`` (people's answers), ``labeled``, ``validation``, ``calibration``, ``pool``, ``holdout``,
``hidden_labels``, ``accounting`` (of rows without a role), ``pseudo_labels``, both models, params ``compute
evaluate``. Out: ``models/champion`` (a copy of the better model, its calibration, the profile of its rows,
its model card) and the report: ``metrics.json``, ``report.html``, ``summary.txt``, ``doubtful_labels.csv``
(given ones that look wrong, for people to look at again), and for plots ``confusion_matrix.csv`` (the
champion on the holdout), ``threshold.csv`` and ``reliability.csv``.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from selfsame.core.annotations import read_annotations
from selfsame.core.digests import sha256_file, sha256_json
from selfsame.core.layout import HISTORY, LEARNED, PROFILE, VALIDATED, WEIGHTS
from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo, count_rows, read_column, take_all, take_inputs
from selfsame.model.folder import read_config, validated, write_views
from selfsame.model.kept import Arrays, Kept, keep
from selfsame.observe.notes import note
from selfsame.params.compute import ComputeParams
from selfsame.params.evaluate import EvaluateParams
from selfsame.params.prediction import PredictionParams
from selfsame.report.data_checks import (
    POOL_SAMPLE,
    QUERY_ROWS,
    DataChecks,
    Drift,
    evenly,
    measure_drift,
)
from selfsame.report.doubtful import doubt, doubtful_file, doubtful_gallery, settled
from selfsame.report.files import digest_files, read_history, settings_of, write_csv
from selfsame.report.findings import Findings, ModelFindings, metrics
from selfsame.report.gallery import gate_galleries, mistakes
from selfsame.report.gate import Gate
from selfsame.report.learned import read_learned
from selfsame.report.model_card import CARD, render_card
from selfsame.report.promotion import promote
from selfsame.report.reference import fit_reference
from selfsame.report.report_page import render_report
from selfsame.report.rows_profile import profile_inputs, profile_predictions
from selfsame.report.scores import Scores
from selfsame.report.summary import render_summary
from selfsame.report.target import Target, target_of
from selfsame.stats.profile import Profile
from selfsame.stats.share import Share

if TYPE_CHECKING:
    from selfsame.model.models import Model

MODELS = ("baseline", "student")


def asked_by_strategy(labeled: Path, answers: Path) -> dict[str, int]:
    """Count the labeled rows that people labeled on request, by the strategy that chose them."""
    given = read_annotations(answers)
    ids = read_column(labeled, "example_id").tolist()
    return dict(sorted(Counter(given[each].strategy for each in ids if each in given).items()))


def answers_of(stage: Stage, kept: Kept) -> Callable[[str, str], np.ndarray]:
    """Return what a model says, named, of a role's rows: of the pool, of the sample that is looked at.

    A model ``….validated`` is the one from before a refit on validation rows, if there was one.
    """

    @cache
    def load(folder: Path) -> Model:
        from selfsame.model.device import prepare_device
        from selfsame.model.models import load_model

        views = stage.section("prediction", PredictionParams).test_time_augmentation
        return load_model(folder, prepare_device(stage.section("compute", ComputeParams)), views)

    def answer(name: str, role: str) -> np.ndarray:
        folder = stage.inputs[name.removesuffix(".validated")]
        if name.endswith(".validated"):
            folder = validated(folder)
        table = stage.inputs[role]

        def make() -> Arrays:
            from selfsame.model.models import answer_table, predict_inputs

            if role == "pool":
                return {"said": predict_inputs(load(folder), take_inputs(table, looked_at(table)))}
            return {"said": answer_table(load(folder), table)}

        return kept.get("answers", [folder, table], make)["said"]

    return answer


def share_of(rows: np.ndarray) -> Share:
    """Count the rows that are true."""
    return Share(int(rows.sum()), len(rows))


def looked_at(pool: Path) -> np.ndarray:
    """Return the positions of the pool rows that both models are asked about."""
    return evenly(count_rows(pool), QUERY_ROWS)


def learn_reference(stage: Stage, kept: Kept, target: Target) -> tuple[str, Arrays]:
    """Fit a simple model to labeled and validation rows; return its name, and what it says of whom.

    Of labeled and validation rows, one after the other, ``out_of_fold`` and ``halved`` are the answers of
    models trained without them; ``holdout`` are those of the whole model.
    """
    learned, holdout = [stage.inputs[role] for role in ("labeled", "validation")], stage.inputs["holdout"]

    def make() -> Arrays:
        labels = np.concatenate([read_column(table, "label") for table in learned])
        reference = fit_reference(np.concatenate([take_all(table) for table in learned]), labels, target)
        return {
            "name": np.frombuffer(reference.name.encode(), np.uint8),
            "out_of_fold": reference.out_of_fold,
            "sureness": np.empty((0, 0)) if reference.sureness is None else reference.sureness,
            "holdout": reference.predict(take_all(holdout)),
            **({} if reference.halved is None else {"halved": reference.halved}),
        }

    found = kept.get("reference", [*learned, holdout], make)
    return found["name"].tobytes().decode(), found


def profile_of(stage: Stage, kept: Kept) -> Profile:
    """Return what the inputs are like that were learned."""
    tables = [stage.inputs[role] for role in ("pool", "labeled", "validation")]

    def make() -> Arrays:
        text = profile_inputs(tables[0], tables[1:]).text()
        return {"profile": np.frombuffer(text.encode(), np.uint8)}

    return Profile.parse(kept.get("profile", tables, make)["profile"].tobytes().decode())


def checks(
    stage: Stage,
    kept: Kept,
    target: Target,
    gate: Gate,
    near: Mapping[str, int],
    judged: Mapping[str, Scores],
    answers: Callable[[str, str], np.ndarray],
) -> DataChecks:
    """Compare rows that should be alike, on a sample of the pool."""
    pool, known = stage.inputs["pool"], [stage.inputs[role] for role in ("labeled", "validation")]
    sample = evenly(count_rows(pool), POOL_SAMPLE)

    def make() -> Arrays:
        learned, held = (take_all(table) for table in known)
        labels = np.concatenate([read_column(table, "label") for table in known])
        seen = take_inputs(pool, sample)
        drift = measure_drift(
            np.concatenate([learned, held]), target.kinds(labels), seen, target.kinds(gate.labels[sample])
        )
        return {
            "drift": np.array([drift.differing.part, drift.differing.total]),
            "p_value": np.array(drift.p_value),
        }

    found = kept.get("checks", [*known, pool, stage.inputs["pseudo_labels"]], make)
    rows = looked_at(pool)
    student = target.labels(answers("student.validated", "pool"))
    return DataChecks(
        pool_disagreement=share_of(target.differ(gate.labels[rows], student, gate)),
        validation_disagreement=share_of(
            target.differ(judged["baseline"].predicted, judged["student"].predicted, gate)
        ),
        near_copies=Share(near["rows"], near["of"]),
        drift=Drift(float(found["p_value"]), Share(*found["drift"].tolist())),
    )


def main(stage: Stage) -> None:
    """Score both models, promote the better one, measure the gate, write the report."""
    own = stage.section("evaluate", EvaluateParams)
    target = target_of(TableInfo.of(stage.inputs["labeled"]))
    kept = keep(stage.spec.name, stage.spec.code, stage.params, but="evaluate")
    answers = answers_of(stage, kept)
    labels = {role: read_column(stage.inputs[role], "label") for role in ("labeled", "validation")}
    learned = np.concatenate([labels["labeled"], labels["validation"]])

    judged = {
        name: target.score(labels["validation"], answers(f"{name}.validated", "validation"))
        for name in MODELS
    }
    promotion = promote(target, *judged.values(), own.promotion_level)
    weights = {name: sha256_file(stage.inputs[name] / WEIGHTS) for name in MODELS}
    chosen = {"champion": promotion.champion, "weights": weights}
    note(choice={**chosen, "sha256": sha256_json(chosen)})  # from here on the holdout may be read
    labels["holdout"] = read_column(stage.inputs["holdout"], "label")
    # The bytes alone: a file that DVC has linked from its cache is read-only.
    shutil.copytree(
        stage.inputs[promotion.champion], stage.outputs["champion"], copy_function=shutil.copyfile
    )
    write_views(
        stage.outputs["champion"], stage.section("prediction", PredictionParams).test_time_augmentation
    )
    gate = target.gate(stage.inputs["pseudo_labels"], stage.inputs["hidden_labels"])
    judges = gate.record.judged_on
    calibration = target.calibration(
        answers(f"{promotion.champion}.validated", judges), read_column(stage.inputs[judges], "label"), gate
    )
    calibration.save(stage.outputs["champion"])
    said = [answers(promotion.champion, role) for role in ("pool", "holdout")]
    profile = profile_predictions(profile_of(stage, kept), target, calibration, *said)
    (stage.outputs["champion"] / PROFILE).write_text(profile.text(), encoding="utf-8")
    reference_name, reference = learn_reference(stage, kept, target)
    constant = target.constant(learned)

    baseline, student = (
        ModelFindings(
            name,
            judged[name],
            target.score(labels["holdout"], answers(name, "holdout")),
            read_history(stage.inputs[name] / HISTORY),
        )
        for name in MODELS
    )
    champion = student if promotion.champion == "student" else baseline
    judged_tables = {role: stage.inputs[role] for role in ("labeled", "validation")}
    doubts = doubt(
        learned, reference["sureness"], settled(judged_tables, read_annotations(stage.inputs["labels"]))
    )
    accounted = json.loads(stage.inputs["accounting"].read_text(encoding="utf-8"))
    findings = Findings(
        title=own.title,
        target=target,
        labeled=labels["labeled"],
        asked=asked_by_strategy(stage.inputs["labeled"], stage.inputs["labels"]),
        dropped=accounted["dropped"],
        gate=gate,
        baseline=baseline,
        student=student,
        reference=ModelFindings(
            reference_name,
            target.score(labels["validation"], reference["out_of_fold"][len(labels["labeled"]) :]),
            target.score(labels["holdout"], reference["holdout"]),
            {},
        ),
        reference_rows=len(learned),
        learning_curve=(
            (target.score(learned, reference["halved"]), target.score(learned, reference["out_of_fold"]))
            if "halved" in reference
            else None
        ),
        constant=ModelFindings(
            f"always saying {target.words.constant.format(target.named(constant))}",
            None,
            target.score(labels["holdout"], np.full(len(labels["holdout"]), constant)),
            {},
        ),
        promotion=promotion,
        learned=read_learned(
            stage.inputs["student"] / LEARNED, gate.truth, partial(target.differ, gate=gate)
        ),
        refitted=(stage.outputs["champion"] / VALIDATED).is_dir(),
        method=read_config(stage.inputs["student"])["recipe"]["retrain"]["method"],
        settings=settings_of(stage),
        digests=digest_files(stage.inputs.values()),
        teachers=tuple(sorted(set(read_column(stage.inputs["pseudo_labels"], "teacher")))),
        checks=checks(stage, kept, target, gate, accounted["near_copies"], judged, answers),
        galleries=(
            *gate_galleries(target, gate, stage.inputs["pool"]),
            mistakes(target, stage.inputs["holdout"], champion.holdout),
            *([doubtful_gallery(judged_tables, learned, doubts)] if len(doubts.sureness) else []),
        ),
    )
    text = json.dumps(metrics(findings), indent=2, sort_keys=True, allow_nan=False)
    stage.outputs["metrics"].write_text(text + "\n", encoding="utf-8")
    write_csv(stage.outputs["doubtful_labels"], doubtful_file(target, judged_tables, learned, doubts))
    for name, columns in target.plots(findings).items():
        write_csv(stage.outputs[name], columns)
    (stage.outputs["champion"] / CARD).write_text(render_card(findings), encoding="utf-8")
    stage.outputs["summary"].write_text(render_summary(findings), encoding="utf-8")
    stage.outputs["report"].write_text(render_report(findings), encoding="utf-8")
    kept.clean()


if __name__ == "__main__":
    from selfsame.runner import run_stage

    run_stage("evaluate", main)
