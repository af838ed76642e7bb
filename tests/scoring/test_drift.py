"""Drift: silent on rows like the training's, loud on a shift, a new category, another share of classes."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from browser import Browser, barriers
from champions import ISLANDS, SPECIES, Command, Trained, penguins
from scipy.stats import binom
from test_score import enter

from flows.figures import read_figures
from selfsame.core.layout import SCORED, TO_SCORE
from selfsame.core.tables import TableInfo
from selfsame.params.monitoring import MonitoringParams
from selfsame.scoring.drift import Drift, compare
from selfsame.stats.profile import BELOW, CLASS, CONFIDENCE, Profile, columns_of, of_classes

OWN = MonitoringParams()


def profile_of(inputs: np.ndarray, said: np.ndarray, info: TableInfo) -> Profile:
    variables = of_classes(info.classes, said.argmax(axis=1), said.max(axis=1), 0.8)
    return Profile.of_inputs(inputs, info).having(*variables)


def against(profile: Profile, inputs: np.ndarray, said: np.ndarray, info: TableInfo) -> list[Drift]:
    values = {name: values for name, _, values in columns_of(inputs, info)}
    confidence = said.max(axis=1)
    values |= {CLASS: said.argmax(axis=1).astype(float), CONFIDENCE: confidence}
    values |= {BELOW: (confidence < 0.8).astype(float)}
    return compare(profile, [each.count(values[each.name]) for each in profile.variables], OWN)


def alarms(found: list[Drift]) -> list[str]:
    return [each.before.name for each in found if each.alarm]


@pytest.fixture
def rows(penguins_trained: Trained) -> tuple[np.ndarray, np.ndarray, TableInfo]:
    """Inputs, what a good model would say of them, and what they are."""
    model, table = penguins_trained.model, penguins(800, seed=7)
    inputs = model.preparation.of_batch(table.combine_chunks().to_batches()[0], "here", 0)
    truth = np.array([SPECIES.index(each) for each in table["species"].to_pylist()])
    said = np.random.default_rng(0).dirichlet((1, 1, 1), 800)
    said[np.arange(800), truth] += 2
    return inputs, said / said.sum(axis=1, keepdims=True), model.info


def test_halves_of_the_same_rows_alarm_no_more_often_than_the_level_says(
    rows: tuple[np.ndarray, np.ndarray, TableInfo],
) -> None:
    inputs, said, info = rows
    alarmed, small = 0, 0
    for seed in range(100):
        order = np.random.default_rng(seed).permutation(len(inputs))
        one, other = order[:400], order[400:]
        profile = profile_of(inputs[one], said[one], info)
        alarmed += bool(alarms(against(profile, inputs[other], said[other], info)))
        small += bool(alarms(against(profile, inputs[other[:60]], said[other[:60]], info)))
    assert alarmed <= 100 * OWN.drift_level
    assert binom.sf(small - 1, 100, OWN.drift_level) > 0.01, "60 rows alarm more often than the level says"


def test_numbers_that_are_drawn_anew_do_not_alarm_either() -> None:
    info = TableInfo("any", "classification", ("a", "b"), features=tuple(f"x{each}" for each in range(40)))
    alarmed = 0
    for seed in range(100):
        draw = np.random.default_rng(seed)
        old, new = draw.standard_t(2, (500, 40)), draw.standard_t(2, (80, 40))
        old[draw.random(old.shape) < 0.1] = np.nan
        new[draw.random(new.shape) < 0.1] = np.nan
        profile = Profile.of_inputs(old, info)
        counts = [
            variable.count(values)
            for variable, (_, _, values) in zip(profile.variables, columns_of(new, info), strict=True)
        ]
        alarmed += bool(alarms(compare(profile, counts, OWN)))
    assert binom.sf(alarmed - 1, 100, OWN.drift_level) > 0.01


def test_what_changed_alarms(rows: tuple[np.ndarray, np.ndarray, TableInfo]) -> None:
    inputs, said, info = rows
    profile = profile_of(inputs[:400], said[:400], info)
    names = [*info.features]
    new, of_new = inputs[400:], said[400:]

    def changed(feature: str, change: object) -> np.ndarray:
        made = new.copy()
        made[:, names.index(feature)] = change(made[:, names.index(feature)])
        return made

    assert alarms(against(profile, new, of_new, info)) == []
    assert alarms(against(profile, changed("mass_g", lambda each: each + 500), of_new, info)) == ["mass_g"]
    assert alarms(against(profile, changed("bill_mm", lambda each: each * 25.4), of_new, info)) == ["bill_mm"]
    gone = changed("bill_mm", lambda each: np.where(np.arange(len(each)) % 2, np.nan, each))
    assert alarms(against(profile, gone, of_new, info)) == ["bill_mm"]
    strange = new.copy()
    islands = [names.index(f"island={each}") for each in ISLANDS]
    strange[np.ix_(np.arange(0, 400, 16), islands)] = 0.0  # 6 % of the rows have a value never seen
    found = against(profile, strange, of_new, info)
    assert alarms(found) == ["island"] and "6.2% of the rows are new" in found[0].alarm
    few = of_new.argmax(axis=1) != 2
    assert CLASS in alarms(against(profile, new[few], of_new[few], info))
    assert {BELOW, CONFIDENCE} <= {*alarms(against(profile, new, of_new**0.01 / 3, info))}


def test_a_scoring_tells_of_drift(
    penguins_trained: Trained,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    selfsame: Command,
    browser: Browser,
) -> None:
    enter(penguins_trained, tmp_path, monkeypatch)
    rows = penguins(300, seed=11).drop_columns(["species"])
    pa_csv.write_csv(rows, TO_SCORE / "alike.csv")
    selfsame("score")
    assert b"no drift: rows and predictions are like those of the training" in selfsame.out
    heavier = rows.set_column(3, "mass_g", pc.add(rows["mass_g"], 5000))
    island = pa.array(["<Mars>"] * 30 + rows["island"].to_pylist()[30:])
    pa_csv.write_csv(heavier.set_column(1, "island", island), TO_SCORE / "other.csv")
    earlier = set(SCORED.glob("2*"))
    selfsame("score", status=7)
    assert b"drift: input 'mass_g': PSI " in selfsame.out
    assert re.search(rb"drift: input 'island': .*10\.0% of the rows are new", selfsame.out)
    (folder,) = set(SCORED.glob("2*")) - earlier  # both may be of one second
    table = pq.read_table(folder / "drift.parquet").to_pylist()
    assert {each["name"] for each in table if each["alarm"]} >= {"mass_g", "island"}
    mass = next(each for each in table if each["name"] == "mass_g")
    assert mass["new"] == 1.0 and sum(mass["now"]) == pytest.approx(1)
    page = (folder / "drift.html").read_text(encoding="utf-8")
    assert page.count("<svg") == len(table) and "100.0% of the rows are new" in page and "://" not in page
    assert barriers(browser, (folder / "drift.html").absolute()) == []
    assert page.count(f"PSI {mass['psi']:.2f}") == 2, "in the section and in its picture's label, once each"
    figures = [*read_figures(folder / "drift.html")]
    assert len(figures) == len(table) and figures[0][0].startswith("mass_g: PSI ")
    assert all(image.startswith("data:image/svg+xml;base64,") for _, image in figures)
    (folder.parent.parent.parent / "models/champion/profile.json").unlink()
    pa_csv.write_csv(rows[:20], TO_SCORE / "few.csv")
    selfsame("score")
    assert b"drift was not measured: models/champion has no profile.json" in selfsame.out


def test_a_profile_is_small_and_tells_what_the_rows_were_like(penguins_trained: Trained) -> None:
    profile = Profile.load(penguins_trained.champion)
    assert profile is not None and Profile.parse(profile.text()) == profile
    named = {each.name: each for each in profile.variables}
    assert list(named) == ["banded", "bill_mm", "island", "mass_g", CLASS, CONFIDENCE, BELOW]
    assert named["island"].words == ISLANDS and len(named["bill_mm"].edges) == 11
    pool = pq.read_table(penguins_trained.folder / "data/splits/pool")
    assert sum(named["mass_g"].counts) == len(pool) and named["mass_g"].counts[-2:] == (0, 0)
    assert named["mass_g"].edges[0] == pc.min(pool["mass_g"]).as_py()
    wide = np.random.default_rng(0).normal(size=(50, 3000))
    info = TableInfo("any", "regression", features=tuple(f"x{each}" for each in range(3000)))
    assert len(Profile.of_inputs(wide, info).variables) == 500


def test_images_are_told_apart_by_brightness_and_contrast(digits_trained: Trained) -> None:
    images = pq.read_table(digits_trained.table("holdout"))
    inputs = images["image"].combine_chunks().to_numpy_ndarray().reshape(-1, 1, 8, 8)
    info = digits_trained.model.info
    profile = Profile.of_inputs(inputs[::2], info)
    for change, expected in ((lambda each: each, []), (lambda each: each // 2, ["brightness", "contrast"])):
        values = [values for _, _, values in columns_of(change(inputs[1::2]), info)]
        counts = [each.count(seen) for each, seen in zip(profile.variables, values, strict=True)]
        assert sorted(alarms(compare(profile, counts, OWN))) == expected
