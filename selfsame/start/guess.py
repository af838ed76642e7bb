"""From files alone to section ``data``: each guess with its reason, by the stages' own analysis."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from selfsame.core.errors import SelfsameError
from selfsame.params.data import Arrays, DataParams, Images, Table
from selfsame.params.model import LITE_WEIGHTS
from selfsame.sources.analysis import Analysis, analyze_table
from selfsame.sources.delimited import NoHeaderError, PreambleError, open_text, opened
from selfsame.sources.faults import counted, listed
from selfsame.sources.files import (
    EXCEL_ENDINGS,
    PARQUET_ENDINGS,
    TEXT_ENDINGS,
    Reading,
    TableFile,
    open_table_file,
)
from selfsame.sources.foreign import instead
from selfsame.sources.images import find_photos
from selfsame.sources.labels_table import USUAL_TARGETS
from selfsame.sources.place import look_through
from selfsame.sources.spelling import NO_GUESS, share_of
from selfsame.sources.store import StoreError, readable
from selfsame.sources.target import ClassTarget
from selfsame.sources.words import COMMA_NUMBER, NUMBER, is_no_label

GROUP_NAMES = re.compile(
    r"(?i)(patient|subject|participant|user|person|camera|site|family|animal)s?([ _-]?(id|no|nr))?"
)
ROUNDS = 8  # of analysis; each mends what the one before found
LARGEST_PHOTO = 64  # pixels; larger ones take long without a GPU, from scratch
TRAINED_PHOTO = 128  # pixels, for a net with trained weights, of which only the last layer learns
MOST_VALUES_AS_CLASSES = 30  # different numbers; more are values to predict
PHOTO_ENDINGS = (
    *(".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm", ".avif", ".heic"),
)
ARRAY_ENDINGS = (".npz", "-ubyte", "-ubyte.gz", ".idx", ".idx.gz")
TABLE_ENDINGS = (*TEXT_ENDINGS, *(f"{each}.gz" for each in TEXT_ENDINGS), *PARQUET_ENDINGS, *EXCEL_ENDINGS)


@dataclass
class Draft:
    """Section ``data`` as guessed.

    Attributes:
        keys: what is written; defaults aren't.
        why: the reason of a guess, by its key.
        gate: which gate its target needs.
        group: a column that looks like one of groups.
        trained: photos that are large enough for trained weights, whose package is installed.
    """

    keys: dict[str, Any]
    why: dict[str, str] = field(default_factory=dict)
    analysis: Analysis | None = None
    gate: str = "threshold"
    group: str | None = None
    trained: bool = False

    @property
    def params(self) -> DataParams:
        """Return the section, checked."""
        shapes: dict[str, type[DataParams]] = {"table": Table, "images": Images, "arrays": Arrays}
        return shapes[self.keys["source"]].model_validate(self.keys)

    def set(self, key: str, value: Any, why: str) -> None:
        """Set a key, or add to its list or mapping, with the reason."""
        old = self.keys.get(key)
        if isinstance(value, list):
            value = [*(old or []), *(each for each in value if each not in (old or []))]
        elif isinstance(value, dict):
            value = {**(old or {}), **value}
        self.keys[key] = value
        self.why[key] = f"{self.why[key]}; {why}" if key in self.why and old is not None else why


def guess(path: Path, target: str | None = None, kind: str | None = None) -> Draft:
    """Guess what lies there and how it is to be read.

    Args:
        target: the column with the labels; None looks for one with a usual name, or that some files lack.
        kind: ``classification`` or ``regression``, where it was said.

    Raises:
        SelfsameError: it is none of table, photos and arrays; or the target column can't be guessed.
    """
    if not path.exists():
        raise SelfsameError(f"{path}: no such file or folder", "give the place of your data")
    files = look_through(path).files
    if not files:
        raise SelfsameError(f"{path}: no file is there", "put a table or photos there")
    names = [file.name.lower() for file in files]
    photos, arrays, tables = (
        sum(name.endswith(endings) for name in names)
        for endings in (PHOTO_ENDINGS, ARRAY_ENDINGS, TABLE_ENDINGS)
    )
    draft = Draft({"source": "table", "path": _place(path)})
    if photos > tables:
        draft.keys["source"] = "images"
        return _photos(draft, path, target)
    if arrays:
        draft.keys["source"] = "arrays"
        return draft
    if not tables:
        raise SelfsameError(
            f"{path}: neither a table nor photos nor arrays, but {listed(names, 3)}",
            instead(
                names[0], "give a CSV, TSV, Parquet or Excel file, a folder of photos, idx files or an npz"
            ),
        )
    return _table(draft, path, files, target, kind)


def _place(path: Path) -> str:
    absolute, here = path.absolute(), Path.cwd()
    return absolute.relative_to(here).as_posix() if absolute.is_relative_to(here) else str(absolute)


def _photos(draft: Draft, path: Path, target: str | None) -> Draft:
    from PIL import Image

    if target is not None:
        draft.keys["target_column"] = target
    album = find_photos(path, Images.model_validate(draft.keys))
    doubtful = album.classes.doubtful
    if doubtful:
        draft.set("unlabeled_values", doubtful, "folders or words that look like a mark for no label")
    sides = []
    for photo in album.photos[:: max(1, len(album.photos) // 200)]:
        try:
            with Image.open(readable(photo.path)) as image:
                sides.append(min(image.size))
        except Exception as error:  # whatever a broken file leads Pillow to is named when the photos are read
            if isinstance(error, StoreError):
                raise
    side = int(median(sides)) if sides else LARGEST_PHOTO
    why = f"the shorter side of the photos is {side} pixels, half of them less or more"
    if side > LARGEST_PHOTO:
        draft.trained = find_spec(LITE_WEIGHTS) is not None
        why += (
            "; the net starts from trained weights, which were made for larger ones"
            if draft.trained
            else "; the net learns from scratch: of few photos a class one from trained weights learns "
            "far more (pip install 'selfsame[trained]', then this command again)"
        )
    size = TRAINED_PHOTO if draft.trained else max(8, min(side, LARGEST_PHOTO))
    draft.set("image_size", size, why)
    return draft


def _table(draft: Draft, path: Path, files: list[Path], target: str | None, kind: str | None) -> Draft:
    opened = _reading(draft, files)
    draft.keys["target_column"] = target if target is not None else _target(draft, path, opened)
    for _ in range(ROUNDS):
        draft.analysis = found = analyze_table(path, Table.model_validate(draft.keys))
        if not (_mend_target(draft, found, kind) or _mend_signs(draft, found) or _mend_columns(draft, found)):
            break
    return _groups(draft, path)


def _groups(draft: Draft, path: Path) -> Draft:
    """Take a column that is called like one of groups, and whose values repeat, for one: it is no input."""
    assert draft.analysis is not None
    for name, seen in draft.analysis.seen.items():
        repeats = len(seen.words) < 0.5 * seen.known if seen.as_text else not seen.even and seen.whole
        if GROUP_NAMES.fullmatch(name) and repeats:
            draft.group = name
            draft.set("ignore_columns", [name], f"{name} (its rows belong together)")
            draft.analysis = analyze_table(path, Table.model_validate(draft.keys))
            break
    return draft


def _reading(draft: Draft, files: list[Path]) -> list[TableFile]:
    """Guess encoding and header; return the files, opened."""
    for file in files:
        if file.name.lower().endswith(TABLE_ENDINGS[: 2 * len(TEXT_ENDINGS)]) and not _is_utf8(file):
            draft.keys["encoding"] = "cp1252"
            draft.why["encoding"] = (
                f"{file.name} is not UTF-8; most such files are from Windows: look at its letters"
            )
    for _ in range(ROUNDS):
        keys = {key: draft.keys[key] for key in ("encoding", "header", "skip_rows") if key in draft.keys}
        try:
            return [open_table_file(file, Reading(**keys)) for file in files]
        except NoHeaderError:
            draft.set(
                "header", False, "the first line looks like values; the columns are column_1, column_2, …"
            )
        except PreambleError as error:
            draft.set("skip_rows", error.lines, error.what)
    return [open_table_file(file, Reading(**keys)) for file in files]


def _is_utf8(file: Path) -> bool:
    try:
        with opened(file) as stream:
            if stream.read(2) in (b"\xff\xfe", b"\xfe\xff"):
                return True  # UTF-16 with its mark, which is found out
        with open_text(file, "utf-8") as lines:
            while lines.read(1 << 20):
                pass
    except (OSError, EOFError):
        return True  # what is wrong is said when it is opened
    except UnicodeError:
        return False
    return True


def _target(draft: Draft, path: Path, files: list[TableFile]) -> str:
    """Guess the target column: what some files lack, or a usual name."""
    every = list(dict.fromkeys(name for file in files for name in file.names))
    partly = [name for name in every if not all(name in file.names for file in files)]
    usual = [name for name in every if name.lower() in USUAL_TARGETS]
    if len(partly) == 1 or len(usual) == 1:
        name = partly[0] if len(partly) == 1 else usual[0]
        draft.why["target_column"] = "some files lack it" if len(partly) == 1 else "its name"
        return name
    raise SelfsameError(
        f"{path}: which column has the labels? There are {listed(every, 40)}", "say it with --target COLUMN"
    )


def _mend_target(draft: Draft, found: Analysis, kind: str | None) -> bool:
    """Guess whether classes or values are to be learned, and which words mean no label."""
    target, keys = found.target, draft.keys
    if not isinstance(target, ClassTarget):
        return False
    words = {word: count for word, count in target.words.items() if not is_no_label(word, target.unlabeled)}
    if share_of(words, COMMA_NUMBER.fullmatch) >= 0.5 and "decimal" not in keys and kind != "classification":
        draft.set("decimal", ",", f"{target.name} has values such as {listed(words, 2)}")
        return True
    if "target_kind" not in keys and (kind == "regression" or (kind is None and _are_values(words, keys))):
        draft.gate = "agreement"
        draft.set("target_kind", "regression", f"{target.name} has {len(words):,} different numbers")
        return True
    if not target.classes.doubtful or "unlabeled_values" in keys or "classes" in keys:
        return False
    doubtful, names = target.classes.doubtful, target.classes.names
    empty = sum(target.classes.unlabeled.values())
    if len(names) - len(doubtful) < 2:
        draft.set("classes", list(names), f"without {listed(doubtful)} there are fewer than two")
    elif empty and not set(doubtful) & {"-1"}:
        draft.set("classes", list(names), f"other rows are empty, so {listed(doubtful)} is one")
    else:
        marks = [*(word for word in target.classes.unlabeled if word), *doubtful]
        rows = counted(sum(target.words[word] for word in doubtful), "row")
        why = (
            f"{listed(doubtful)} looks like a mark for no label ({rows}); if it is a class, set data.classes"
        )
        draft.set("unlabeled_values", marks, why)
    return True


def _are_values(words: Mapping[str, int], keys: Mapping[str, Any]) -> bool:
    point = keys.get("decimal", ".")
    plain = [word.replace(point, ".") for word in words]
    if not plain or not all(map(NUMBER.fullmatch, plain)):
        return False
    fractions = any(not float(word).is_integer() for word in plain)
    single = len(plain) > 5 and median(words.values()) == 1  # most stand in one row each
    return len(plain) > MOST_VALUES_AS_CLASSES or single or (fractions and len(plain) > 2)


def _mend_signs(draft: Draft, found: Analysis) -> bool:
    """Set the signs before decimals and between thousands."""
    for name, verdict in found.verdicts.items():
        key, value = verdict.remedy or NO_GUESS
        if key == "decimal" and any(
            seen.known and not seen.as_text and not seen.whole for seen in found.seen.values()
        ):
            continue  # other columns have points
        if key in ("decimal", "thousands") and key not in draft.keys:
            if key == "thousands" and value == ".":
                draft.set("decimal", ",", f"column {name!r} {verdict.why}")
            draft.set(key, value, f"column {name!r} {verdict.why}")
            return True
    return False


def _mend_columns(draft: Draft, found: Analysis) -> bool:
    """Leave out what can't be learned from, and set what else a column needs."""
    changed = False
    for name, verdict in found.verdicts.items():
        key, value = verdict.remedy or ("ignore_columns", [name])
        if not (verdict.fault or verdict.ignore) or key in ("decimal", "thousands", *NO_GUESS):
            continue
        if key == "missing_values" and key not in draft.keys:
            value = [*(word for word in Reading().missing if word), *value]
        why = f"{verdict.kind}: {verdict.why}" if "otherwise" in verdict.kind else verdict.kind
        draft.set(key, value, f"{name or 'the column without a name'} ({why})")
        changed = True
    return changed
