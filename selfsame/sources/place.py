"""What lies at ``data.path``: every file there is read or refused, never overlooked.

Hidden files and what operating systems leave behind (``.DS_Store``, ``Thumbs.db``) are skipped and counted.
"""

from dataclasses import dataclass, field
from pathlib import Path

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LISTING
from selfsame.sources.faults import counted
from selfsame.sources.source import HOLDOUT, TRAIN, VALIDATION
from selfsame.sources.store import read_listing

PARTS = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "dev": VALIDATION,
    "test": HOLDOUT,
    "testing": HOLDOUT,
    "holdout": HOLDOUT,
}
POOL_FOLDERS = ("unlabeled", "unlabelled", "unlabeleddata", "unlabelleddata", "unsorted", "nolabel")
STRAY = (
    "thumbs.db",
    "desktop.ini",
    "__macosx",
    "$recycle.bin",
    "@eadir",
    "system volume information",
    "icon\r",
    "_success",  # what Spark leaves beside Parquet files
    "_metadata",
    "_common_metadata",
)
KEEPER = ".gitkeep"  # keeps an empty folder in git


@dataclass
class Place:
    """A file or folder that was looked through.

    Attributes:
        files: every file, sorted by its place below ``root``; none hidden, none stray.
        stores: what the listings of object stores hold, in words.
        skipped: hidden and stray ones, and folders of such names, by their place below ``root``.
        empty: folders below ``root`` that hold no file.
    """

    root: Path
    files: list[Path] = field(default_factory=list)
    stores: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    empty: list[Path] = field(default_factory=list)

    def name(self, path: Path) -> str:
        """Return a file's place below the root; of the root itself its name."""
        return path.name if path == self.root else path.relative_to(self.root).as_posix()

    @property
    def is_file(self) -> bool:
        """Whether it is one file, not a folder of files."""
        return self.files == [self.root]

    @property
    def note(self) -> list[str]:
        """Return a sentence on each store, and on what was skipped, if there are any."""
        if not self.skipped:
            return self.stores
        named = ", ".join(self.skipped[:5]) + (" …" if len(self.skipped) > 5 else "")
        return [*self.stores, f"{len(self.skipped)} hidden or system files were skipped: {named}"]


def look_through(root: Path) -> Place:
    """Find every file at ``data.path``; a listing of an object store is a folder of what it lists.

    Raises:
        SelfsameError: links that lead nowhere or in a circle, what is neither file nor folder, and names
            that aren't UTF-8: all of them in one message.
    """
    place, faults = Place(root), []

    def visit(path: Path) -> None:
        if path != root and (is_stray(path.name) or path.name.startswith(".")):
            place.skipped += [] if path.name == KEEPER else [_shown(place.name(path))]
        elif path != root and _shown(path.name) != path.name:
            faults.append(f"{_shown(str(path))}: its name is not UTF-8: rename it")
        elif path.is_dir():
            if path.is_symlink() and path.resolve() in path.absolute().parents:
                faults.append(f"{path}: a link to a folder that it lies in: remove it")
                return
            before = len(place.files)
            for each in sorted(path.iterdir()):
                visit(each)
            place.empty += [path] if len(place.files) == before and path != root else []
        elif path.is_file() and path.suffix == LISTING:
            listing = read_listing(path)
            place.stores.append(
                f"read in place: {counted(len(listing.objects), 'object')} of {listing.address}"
            )
            for each in (path / name for name in listing.objects):
                odd = any(is_stray(part) or part.startswith(".") for part in each.relative_to(path).parts)
                (place.skipped.append(place.name(each)) if odd else place.files.append(each))
        elif path.is_file():
            place.files.append(path)
        elif path.is_symlink():
            faults.append(f"{path}: a link that leads nowhere: remove it, or put the file there")
        else:
            faults.append(f"{path}: neither a file nor a folder: remove it")

    try:
        visit(root)
    except OSError as error:
        raise SelfsameError(f"{error.filename or root}: can't be read: {error.strerror}", "mend it") from None
    if faults:
        raise SelfsameError("\n".join(faults), "mend what is named above")
    place.files.sort(key=place.name)
    place.skipped.sort()
    return place


def is_stray(name: str) -> bool:
    """Tell whether a name is one that an operating system or an office program gives to its own files."""
    return name.lower() in STRAY or name.startswith("~$")


def files_at(place: Path) -> list[Path]:
    """Return the file itself, or every file below a folder, sorted by its place there."""
    return look_through(place).files


def is_empty(place: Path) -> bool:
    """Tell whether nothing was put there."""
    return not files_at(place)


def plain(name: str) -> str:
    """Return a name of a part or of a folder for the pool without case, hyphens and spaces."""
    return "".join(letter for letter in name.removesuffix(LISTING).casefold() if letter not in " -_.")


def part_of(name: str) -> int | None:
    """Return what a folder's or file's name says of the rows in it, as ``OWN_ROLES`` has it."""
    return PARTS.get(plain(name))


def is_pool(name: str) -> bool:
    """Tell whether a folder's name says that what it holds has no label."""
    return plain(name) in POOL_FOLDERS


def parts(names: list[str], place: Path) -> dict[str, int] | None:
    """Return which of the names at the top are parts of a usual layout; None if they make none.

    A layout is ``train`` beside ``val`` or ``test`` (any case, and their other names), perhaps with a folder
    for the pool.

    Raises:
        SelfsameError: something else lies beside them.
    """
    found = {name: part for name in names if (part := part_of(name)) is not None}
    others = [name for name in names if name not in found and not is_pool(name)]
    if TRAIN not in found.values() or (len(found) < 2 and others) or len(names) < 2:
        return None
    if others:
        raise SelfsameError(
            f"{place / others[0]}: lies beside {', '.join(found)}, which look like parts of one data set",
            "move it into one of them; or, if they are classes, into a folder of their own with another name",
        )
    return found


def columns_in_folders(place: Place) -> list[str]:
    """Say which folders are named as a partitioned table's are, whose column then stands nowhere else."""
    if place.is_file:
        return []
    folders = {
        part for file in place.files for part in file.relative_to(place.root).parts[:-1] if "=" in part
    }
    return (
        [f"the names of folders are not read as a column: {', '.join(sorted(folders)[:3])}"]
        if folders
        else []
    )


def refuse_files(source: str, place: Path) -> None:
    """Stop when files lie at ``data.path`` that a source would not read."""
    if not is_empty(place):
        raise SelfsameError(
            f"data.path = {place}: {files_at(place)[0]} lies there, but data.source = {source} reads no file",
            "set data.source to table or images to use it, or data.path to an empty folder",
        )


def _shown(name: str) -> str:
    """Return a name that can be printed: bytes that are no UTF-8 are written as escapes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
