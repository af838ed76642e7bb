"""Score what is new in ``data/to_score``: each file once, by its content, whatever happens on the way.

A scoring's folder in ``data/scored`` holds ``predictions/`` (a part for each file, one for a few thousand
photos), ``scoring.json`` (model, inputs, rows), and how unlike the rows are to the training's. It is put
together under another name, part by part, and renamed when it is whole; a scoring that was killed is taken up
by the next one with the same model, which keeps the parts that are there. One without its provenance record
counts as not whole.
"""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from selfsame.core.digests import files_under, sha256_file, sha256_json
from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import StageSpec
from selfsame.core.layout import CHAMPION, DRIFT_PAGE, PROFILE, SCORE, SCORED, SCORING, TO_SCORE
from selfsame.observe import record
from selfsame.observe.notes import note
from selfsame.params.monitoring import MonitoringParams
from selfsame.params.reading import load_section
from selfsame.processes import lock
from selfsame.scoring.columns import Columns, Wish
from selfsame.scoring.drift import compare
from selfsame.scoring.drift_page import write_drift
from selfsame.scoring.parts import Part, add_up, score_part
from selfsame.scoring.predictor import load_model
from selfsame.scoring.read import is_photo
from selfsame.scoring.run import notes
from selfsame.sources.place import look_through
from selfsame.sources.store import listing_of
from selfsame.stats.profile import Profile

PARTIAL = ".partial-"
PREDICTIONS = "predictions"  # the folder of the parts
PHOTOS = 4096  # of a part
FORMAT = 1  # of SCORING
CODE = ("selfsame/scoring",)


@dataclass(frozen=True)
class Scoring:
    """One scoring.

    Attributes:
        folder: where the predictions are.
        model: sha256 of every file that a prediction rests on.
        inputs: path and sha256 of every file that was scored.
        threshold: calibrated confidence below which rows are abstained from.
        repeats: files that have the content of another one, and were not scored again.
        refused: what is wrong with files that can't be scored, in words.
        notes: what a person should know, in words.
        alarms: in what the rows or the predictions are unlike those of the training; None if the champion
            has no profile to tell by.
    """

    folder: Path
    model: dict[str, str]
    inputs: dict[str, str]
    rows: int
    abstained: int
    threshold: float | None
    repeats: list[str]
    refused: list[str]
    notes: list[str]
    alarms: list[str] | None

    def as_json(self) -> dict[str, Any]:
        """Return values that JSON can hold."""
        return {**asdict(self), "folder": self.folder.as_posix()}

    def told(self) -> list[str]:
        """Return sentence by sentence what was scored, without the drift."""
        files = f"{len(self.inputs)} file{'s' * (len(self.inputs) > 1)}"
        said = [f"{self.rows} rows of {files} scored: {self.folder}", *self.notes]
        if self.repeats:
            said.append(f"not scored again, with the content of another file: {', '.join(self.repeats)}")
        return said

    def lines(self) -> list[str]:
        """Return all of it sentence by sentence."""
        said = self.told()
        if self.alarms is None:
            said.append(f"drift was not measured: {CHAMPION} has no {PROFILE}; run evaluate again")
        elif self.alarms:
            said += [f"drift: {each}" for each in self.alarms]
        else:
            said.append("no drift: rows and predictions are like those of the training")
        return said if self.alarms is None else [*said, f"pictures: {self.folder / DRIFT_PAGE}"]


def score_new(wish: Wish, device: str = "auto", threads: int | None = None) -> Scoring | None:
    """Predict what is new in ``data/to_score`` with the champion of the moment; None if nothing is.

    Raises:
        SelfsameError: no file can be scored, another scoring is under way, or the champion was replaced
            meanwhile. Files that can't be scored beside others that can are told in ``Scoring.refused``, and
            are tried again the next time.
    """
    SCORED.mkdir(parents=True, exist_ok=True)
    with _turn():
        _take_back()
        new, repeats = _new_files()
        if not new:
            return None
        columns = load_model(CHAMPION, device, threads).columns(wish)  # type: ignore[arg-type]
        profile = Profile.load(CHAMPION)
        folder = _begin(columns, profile)
        parts = _parts(new, folder)
        refused = [fault for part in parts if (fault := score_part(part, columns, profile))]
        whole = [part for part in parts if part.target.exists()]
        if not whole:
            raise SelfsameError("\n".join(refused), f"mend the files, or take them out of {TO_SCORE}")
        return _finish(folder, columns, profile, whole, repeats, refused)


@contextmanager
def _turn() -> Iterator[None]:
    with (SCORED / ".lock").open("a", encoding="utf-8") as file:
        if not lock(file, wait=False):
            raise SelfsameError("another scoring is under way here", "wait for its end")
        yield


def scorings() -> list[Path]:
    """Return the folders of the scorings that are whole, the first one first."""
    return sorted(path.parent for path in SCORED.glob(f"*/{SCORING}") if not path.parent.name.startswith("."))


def read_scoring(folder: Path) -> dict[str, Any]:
    """Return what a scoring's folder says of it.

    Raises:
        SelfsameError: it isn't one.
    """
    try:
        return json.loads((folder / SCORING).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SelfsameError(f"{folder}: no scoring: {error}", f"name a folder of {SCORED}") from None


def _recorded() -> tuple[set[str], set[str]]:
    """Return what the records of scorings name: the digests of inputs, and the paths of outputs."""
    from selfsame.audit.lineage import read_lineage

    records = [each for each in read_lineage(record.lineage_folder())[0] if each.stage == SCORE]
    read = [item for each in records for item in each.inputs.items()]
    scored = {digest for name, digest in read if Path(name).is_relative_to(TO_SCORE)}
    return scored, {name for each in records for name in each.outputs}


def _take_back() -> None:
    """Give a scoring that ended without its record back its former name: it is taken up, or made anew."""
    _, outputs = _recorded()
    for folder in scorings():
        if (folder / SCORING).as_posix() not in outputs:
            _rename(folder, SCORED / f"{PARTIAL}{read_scoring(folder)['key']}")


def _rename(source: Path, target: Path) -> None:
    if target.exists():
        shutil.rmtree(target)
    source.rename(target)


def _new_files() -> tuple[dict[Path, str], list[str]]:
    """Return the files that were never scored with their sha256, and those that have the bytes of others."""
    if not TO_SCORE.is_dir():
        raise SelfsameError(f"{TO_SCORE}: no such folder", "make it, and put there what is to be scored")
    files = look_through(TO_SCORE).files
    if stored := next((listing for file in files if (listing := listing_of(file))), None):
        raise SelfsameError(
            f"{stored}: what an object store holds is not scored", "take 'selfsame predict' for it"
        )
    with ThreadPoolExecutor() as threads:
        digests = list(threads.map(sha256_file, files))
    known, _ = _recorded()
    new: dict[str, Path] = {}
    repeats = []
    for path, digest in zip(files, digests, strict=True):
        if digest in new:
            repeats.append(path.as_posix())
        elif digest not in known:
            new[digest] = path
    return {path: digest for digest, path in new.items()}, repeats


def _begin(columns: Columns, profile: Profile | None) -> Path:
    """Return the folder that a scoring is put together in; what others of another model left is removed."""
    asked = [columns.model.digests, columns.facts, asdict(columns.wish), profile and profile.text()]
    key = sha256_json(asked)[:16]
    folder = SCORED / f"{PARTIAL}{key}"
    for left in SCORED.glob(f"{PARTIAL}*"):
        if left != folder:
            shutil.rmtree(left)
    (folder / PREDICTIONS).mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.is_file():
            path.unlink()
    return folder


def _parts(new: dict[Path, str], folder: Path) -> list[Part]:
    """Give every table a part, and photos one together; remove parts of files that are gone."""
    photos = [path for path in new if is_photo(path)]
    groups = [[path] for path in new if not is_photo(path)]
    groups += [photos[start : start + PHOTOS] for start in range(0, len(photos), PHOTOS)]
    parts = []
    for files in groups:
        digests = [new[path] for path in files]
        name = digests[0] if len(files) == 1 else sha256_json(digests)
        parts.append(Part(tuple(files), tuple(digests), folder / PREDICTIONS / f"{name}.parquet"))
    wanted = {part.target for part in parts}
    for path in files_under(folder / PREDICTIONS):
        if path not in wanted:
            path.unlink()
    return parts


def _finish(
    folder: Path,
    columns: Columns,
    profile: Profile | None,
    parts: list[Part],
    repeats: list[str],
    refused: list[str],
) -> Scoring:
    """Say what came of it, give the folder its name, and write the record."""
    summary, bins = add_up(parts, columns)
    drift = compare(profile, bins, load_section("monitoring", MonitoringParams)) if profile else None
    inputs = {
        path.as_posix(): digest
        for part in parts
        for path, digest in zip(part.files, part.digests, strict=True)
    }
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}"
    place = SCORED / f"{moment}-{sha256_json(sorted(inputs.values()))[:8]}"
    made = Scoring(
        folder=place,
        model=columns.model.digests,
        inputs=inputs,
        rows=summary.rows,
        abstained=summary.abstained,
        threshold=columns.facts.get("threshold"),
        repeats=repeats,
        refused=refused,
        notes=notes(columns, summary),
        alarms=None if drift is None else [each.words for each in drift if each.alarm],
    )
    if drift is not None:
        write_drift(drift, folder, made.told(), summary.rows)
    key = folder.name.removeprefix(PARTIAL)
    facts = {**made.as_json(), "key": key, "format_version": FORMAT}
    del facts["folder"]  # it may be moved
    text = json.dumps(facts, indent=1, ensure_ascii=False, sort_keys=True)
    (folder / SCORING).write_text(text + "\n", encoding="utf-8")
    _leave_record(made, folder, parts)
    return made


def _leave_record(made: Scoring, folder: Path, parts: list[Part]) -> None:
    """Rename a scoring's folder to its place and write its record; or neither.

    Raises:
        SelfsameError: an input or the champion isn't any more what the predictions were made of.
    """
    read = {**made.inputs, **{(CHAMPION / name).as_posix(): digest for name, digest in made.model.items()}}
    spec = StageSpec(SCORE, "selfsame score", "", CODE, tuple(read), (made.folder.as_posix(),), ())
    observer = record.begin(spec, {})
    changed = [name for name, digest in read.items() if sha256_file(Path(name)) != digest]
    if changed:
        for part in parts:
            if {path.as_posix() for path in part.files} & set(changed):
                part.target.unlink()
        raise SelfsameError(f"{', '.join(changed)}: changed while it was used for scoring", "score again")
    folder.rename(made.folder)
    try:
        counted = {"rows": made.rows, "abstained": made.abstained, "threshold": made.threshold}
        note(scored=counted | {"drift": made.alarms})
        observer.finish()
    except BaseException:
        made.folder.rename(folder)
        raise
