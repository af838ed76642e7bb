"""Stage evaluate: choose the champion on validation, then read the holdout once and write the report.

In: ``labels`` (people's answers), ``labeled``, ``validation``, ``calibration``, ``pool``, ``holdout``,
``hidden_labels``, ``accounting`` (of rows without a role), ``pseudo_labels``, both models, params ``compute
evaluate``. Out: ``models/champion`` (a copy of the better model, or the scikit-learn baseline where that is
better than both; its calibration, the profile of its rows, its model card) and the report: ``metrics.json``,
``report.html``, ``summary.txt``, ``doubtful_labels.csv`` (given ones that look wrong), and for plots
``confusion_matrix.csv`` (the champion on the holdout), ``threshold.csv`` and ``reliability.csv``.
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
from selfsame.core.graph_file import by_stem
from selfsame.core.layout import HISTORY, ID, LEARNED, OUT_OF_FOLD, PROFILE, VALIDATED, WEIGHTS
from selfsame.core.space import taken
from selfsame.core.stage import Stage
from selfsame.core.tables import TableInfo, count_rows, distinct, read_column, take_all, take_inputs
from selfsame.model.folder import read_config, validated, write_views
from selfsame.model.kept import Arrays, Kept, keep
from selfsame.observe.notes import note
from selfsame.params.compute import ComputeParams
from selfsame.params.evaluate import EvaluateParams
from selfsame.params.prediction import PredictionParams
from selfsame.report.data_checks import POOL_SAMPLE, QUERY_ROWS, DataChecks, Drift, evenly, measure_drift
from selfsame.report.doubtful import doubt, doubtful_file, doubtful_gallery, settled
from selfsame.report.files import digest_files, dotted, read_history, settings_of, write_csv
from selfsame.report.findings import Findings, ModelFindings, metrics
from selfsame.report.gallery import gate_galleries, mistakes
from selfsame.report.gate import Gate
from selfsame.report.learned import read_learned
from selfsame.report.model_card import CARD, render_card
from selfsame.report.promotion import promote
from selfsame.report.report_page import render_report
from selfsame.report.rows_profile import profile_inputs, profile_predictions
from selfsame.report.scores import Scores
from selfsame.report.summary import render_summary
from selfsame.report.target import Target, target_of
from selfsame.report.words import family
from selfsame.stats.profile import Profile
from selfsame.stats.share import Share

if TYPE_CHECKING:
    from selfsame.families.reference import Reference
    from selfsame.model.models import Model

MODELS = ("baseline", "student")
REFERENCE = "reference"  # the scikit-learn baseline, which stands in no folder unless it is the champion


def answers_of(stage: Stage, kept: Kept, reference: Reference) -> Callable[[str, str], np.ndarray]:
    """Return what a model says, named, of a role's rows: of the pool, of the sample that is looked at.

    A model ``….validated`` is the one from before a refit on validation rows, if there was one; the
    scikit-learn baseline always learns them in the end.
    """

    @cache
    def load(name: str) -> Model:
        from selfsame.families.reference import JUDGED, WHOLE
        from selfsame.model.device import prepare_device
        from selfsame.model.models import load_model

        if name.startswith(REFERENCE):
            return reference.model(JUDGED if name.endswith(".validated") else WHOLE)
        folder = stage.inputs[name.removesuffix(".validated")]
        views = stage.section("prediction", PredictionParams).test_time_augmentation
        path = validated(folder) if name.endswith(".validated") else folder
        return load_model(path, prepare_device(stage.section("compute", ComputeParams)), views)

    def answer(name: str, role: str) -> np.ndarray:
        learned = [stage.inputs["labeled"], stage.inputs["validation"]]
        model = learned if name.startswith(REFERENCE) else [stage.inputs[name.removesuffix(".validated")]]
        table = stage.inputs[role]

        def make() -> Arrays:
            from selfsame.model.models import answer_table, predict_inputs

            if role == "pool":
                return {"said": predict_inputs(load(name), take_inputs(table, looked_at(table)))}
            return {"said": answer_table(load(name), table)}

        return kept.get(f"answers of {name}", [*model, table], make)["said"]

    return answer


def looked_at(pool: Path) -> np.ndarray:
    """Return the positions of the pool rows that both models are asked about."""
    return evenly(count_rows(pool), QUERY_ROWS)


def reference_of(stage: Stage, kept: Kept) -> Reference:
    """Fit the scikit-learn baseline to the labeled rows, and to labeled and validation rows."""
    from selfsame.families.reference import Reference, fit_reference, read_rows
    from selfsame.model.device import prepare_device
    from selfsame.model.inputs import Scaling

    prepare_device(stage.section("compute", ComputeParams))
    tables = [stage.inputs[role] for role in ("labeled", "validation")]
    scaling = Scaling.from_json(read_config(stage.inputs["baseline"])["scaling"])
    found = kept.get(REFERENCE, tables, lambda: fit_reference(*(read_rows(each, scaling) for each in tables)))
    return Reference(found, TableInfo.of(tables[0]), scaling)


def both_out_of_fold(
    stage: Stage, target: Target, reference: Reference, learned: np.ndarray
) -> tuple[Scores, Scores] | None:
    """Score baseline and scikit-learn baseline on labeled and validation rows, out of fold.

    None where the baseline is a net, or has not learned the validation rows in the end: then nothing tells
    what models like it say of rows that they have not learned.
    """
    said = stage.inputs["baseline"] / OUT_OF_FOLD
    if not said.is_file():
        return None
    baseline = reference.said(np.load(said))
    return target.score(learned, baseline), target.score(learned, reference.out_of_fold)


def write_champion(stage: Stage, name: str, reference: Reference, judged: Scores) -> None:
    """Copy the promoted model; the scikit-learn baseline is written as a training stage writes a model."""
    champion = stage.outputs["champion"]
    views = 1
    if name == REFERENCE:
        reference.save(champion, {name: measure.value for name, measure in judged.measures.items()})
    else:  # the bytes alone: a file that DVC has linked from its cache is read-only
        shutil.copytree(stage.inputs[name], champion, copy_function=shutil.copyfile)
        views = stage.section("prediction", PredictionParams).test_time_augmentation
    write_views(champion, views)


def shares_of(folder: Path) -> dict[str, float]:
    """Return what each family of a committee weighs; nothing of any other model."""
    from selfsame.model.models import load_model

    return load_model(folder).shares if read_config(folder)["model"]["architecture"] == "committee" else {}


def profile_of(stage: Stage, kept: Kept) -> Profile:
    """Return what the inputs are like that were learned."""
    tables = [stage.inputs[role] for role in ("pool", "labeled", "validation")]

    def make() -> Arrays:
        return {"profile": np.frombuffer(profile_inputs(tables[0], tables[1:]).text().encode(), np.uint8)}

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

    def make() -> Arrays:
        learned = np.concatenate([take_all(table) for table in known])
        labels = target.kinds(np.concatenate([read_column(table, "label") for table in known]))
        sample = evenly(count_rows(pool), POOL_SAMPLE)
        said = target.kinds(taken(gate.labels, sample))
        drift = measure_drift(learned, labels, take_inputs(pool, sample), said)
        return {
            "drift": np.array([drift.differing.part, drift.differing.total]),
            "p_value": np.array(drift.p_value),
        }

    found = kept.get("checks", [*known, pool, stage.inputs["pseudo_labels"]], make)
    rows = looked_at(pool)
    student = target.labels(answers("student.validated", "pool"))
    return DataChecks(
        pool_disagreement=Share.of(target.differ(taken(gate.labels, rows), student, gate)),
        validation_disagreement=Share.of(
            target.differ(judged["baseline"].predicted, judged["student"].predicted, gate)
        ),
        near_copies=Share(near["rows"], near["of"]),
        drift=Drift(float(found["p_value"]), Share(*found["drift"].tolist())),
    )


def main(stage: Stage) -> None:
    """Score both models, promote the better one, measure the gate, write the report."""
    from selfsame.families.reference import WHOLE

    own = stage.section("evaluate", EvaluateParams)
    target = target_of(TableInfo.of(stage.inputs["labeled"]), own.metric)
    kept = keep(stage.spec.name, stage.spec.code, stage.params, but="evaluate")
    reference = reference_of(stage, kept)
    answers = answers_of(stage, kept, reference)
    labels = {role: read_column(stage.inputs[role], "label") for role in ("labeled", "validation")}
    learned = np.concatenate([labels["labeled"], labels["validation"]])

    judged = {
        name: target.score(labels["validation"], answers(f"{name}.validated", "validation"))
        for name in (*MODELS, REFERENCE)
    }
    promotion = promote(
        target,
        *judged.values(),
        own.promotion_level,
        own.scikit_learn_champion,
        both_out_of_fold(stage, target, reference, learned),
    )
    weights = {name: sha256_file(stage.inputs[name] / WEIGHTS) for name in MODELS}
    chosen = {"champion": promotion.champion, "weights": {**weights, REFERENCE: reference.digest}}
    note(choice={**chosen, "sha256": sha256_json(chosen)})  # from here on the holdout may be read
    labels["holdout"] = read_column(stage.inputs["holdout"], "label")
    write_champion(stage, promotion.champion, reference, judged[REFERENCE])
    gate = target.gate(stage.inputs["pseudo_labels"], stage.inputs["hidden_labels"])
    role = gate.record.calibrated_on
    calibration = target.calibration(
        answers(f"{promotion.champion}.validated", role), read_column(stage.inputs[role], "label"), gate
    )
    calibration.save(stage.outputs["champion"])
    said = [answers(promotion.champion, role) for role in ("pool", "holdout")]
    profile = profile_predictions(profile_of(stage, kept), target, calibration, *said)
    (stage.outputs["champion"] / PROFILE).write_text(profile.text(), encoding="utf-8")
    constant, curve = target.constant(learned), reference.halved()
    models = {
        name: ModelFindings(
            family(reference.family(WHOLE), target.words) if name == REFERENCE else name,
            scores,
            target.score(labels["holdout"], answers(name, "holdout")),
            {} if name == REFERENCE else read_history(stage.inputs[name] / HISTORY),
            {} if name == REFERENCE else shares_of(stage.inputs[name]),
        )
        for name, scores in judged.items()
    }
    tables = {role: stage.inputs[role] for role in ("labeled", "validation")}
    given = read_annotations(stage.inputs["labels"])
    doubts = doubt(learned, reference.sureness, settled(tables, given))
    strategies = [given[each].strategy for each in read_column(tables["labeled"], ID) if each in given]
    student = stage.inputs["student"]
    accounted = json.loads(stage.inputs["accounting"].read_text(encoding="utf-8"))
    findings = Findings(
        title=own.title,
        target=target,
        labeled=labels["labeled"],
        asked=dict(sorted(Counter(strategies).items())),
        dropped=accounted["dropped"],
        gate=gate,
        **models,
        reference_rows=len(learned),
        learning_curve=curve and tuple(target.score(learned[curve[0]], said) for said in curve[1:]),
        constant=ModelFindings(
            f"always saying {target.words.constant.format(target.named(constant))}",
            None,
            target.score(labels["holdout"], np.full(len(labels["holdout"]), constant)),
            {},
        ),
        promotion=promotion,
        learned=read_learned(student / LEARNED, gate.truth, partial(target.differ, gate=gate)),
        refitted=(student / VALIDATED).is_dir(),
        method=read_config(student)["recipe"]["retrain"]["method"],
        settings={
            **settings_of((stage.inputs["baseline"], student), stage.inputs["pseudo_labels"]),
            by_stem(stage.spec.outputs)["champion"].as_posix(): dotted(
                {name: section.model_dump() for name, section in stage.params.items()}
            ),
        },
        digests=digest_files(stage.inputs.values()),
        teachers=distinct(stage.inputs["pseudo_labels"], "teacher"),
        checks=checks(stage, kept, target, gate, accounted["near_copies"], judged, answers),
        galleries=(
            *gate_galleries(target, gate, stage.inputs["pool"]),
            mistakes(target, stage.inputs["holdout"], models[promotion.champion].holdout),
            *([doubtful_gallery(tables, learned, doubts)] if len(doubts.sureness) else []),
        ),
    )
    text = json.dumps(metrics(findings), indent=2, sort_keys=True, allow_nan=False)
    stage.outputs["metrics"].write_text(text + "\n", encoding="utf-8")
    write_csv(stage.outputs["doubtful_labels"], doubtful_file(target, tables, learned, doubts))
    for name, columns in target.plots(findings).items():
        write_csv(stage.outputs[name], columns)
    (stage.outputs["champion"] / CARD).write_text(render_card(findings), encoding="utf-8")
    stage.outputs["summary"].write_text(render_summary(findings), encoding="utf-8")
    stage.outputs["report"].write_text(render_report(findings), encoding="utf-8")
    kept.clean()


if __name__ == "__main__":
    from selfsame.runner import run_stage

    run_stage("evaluate", main)
