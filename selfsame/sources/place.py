"""What lies at ``data.path``: every file there is read or refused, never overlooked.

Hidden files (a name with a dot in front, such as ``.DS_Store``) count as nothing.
"""

from pathlib import Path

from selfsame.core.errors import SelfsameError

TRAIN = "train"
HOLDOUTS = ("test", "holdout")
UNLABELED_FOLDER = "unlabeled"


def entries(folder: Path) -> list[Path]:
    """Return what lies in a folder, sorted by name."""
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def files_at(place: Path) -> list[Path]:
    """Return the file itself, or every file below a folder, sorted by its place there."""
    if not place.is_dir():
        return [place]
    below = (file for entry in entries(place) for file in files_at(entry))
    return sorted(below, key=lambda file: file.relative_to(place).as_posix())


def is_empty(place: Path) -> bool:
    """Tell whether nothing was put there."""
    return not files_at(place)


def parts(place: Path) -> list[tuple[Path, bool | None]]:
    """Return where the rows lie and whether they are the source's own holdout.

    A folder with ``train/`` and ``test/`` (or ``holdout/``), and perhaps ``unlabeled/``, has these places;
    any other has one, of which nothing is known (None).
    """
    aside = [name for name in HOLDOUTS if (place / name).is_dir()]
    if not (place / TRAIN).is_dir() or not aside:
        return [(place, None)]
    known = (TRAIN, UNLABELED_FOLDER, aside[0])
    for entry in entries(place):
        if entry.name not in known:
            raise SelfsameError(f"{entry}: lies beside {TRAIN}/ and {aside[0]}/", "move it into one of them")
    return [(place / name, name == aside[0]) for name in known if (place / name).is_dir()]


def refuse_files(source: str, place: Path) -> None:
    """Stop when files lie at ``data.path`` that a source would not read."""
    if not is_empty(place):
        raise SelfsameError(
            f"data.path = {place}: {files_at(place)[0]} lies there, but data.source = {source} reads no file",
            "set data.source to table or images to use it, or data.path to an empty folder",
        )
