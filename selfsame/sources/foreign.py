"""Files that are no tables, told by the ends of their names or by their first bytes: what to do instead."""

from pathlib import Path

from selfsame.core.errors import SelfsameError

UNPACK, AS_CSV, AS_PARQUET = "unpack it", "save it as CSV", "save it as Parquet"
CODE = f"{AS_PARQUET}: a pickle runs whatever code it holds"
INSTEAD = {
    "": "name it .csv, if it is a table",
    **dict.fromkeys((".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst", ".lz4"), UNPACK),
    **dict.fromkeys(
        (".xls", ".xlsb", ".xlsm", ".ods", ".numbers", ".json", ".jsonl", ".xml", ".arff"), AS_CSV
    ),
    **dict.fromkeys((".dta", ".sav", ".sas7bdat", ".rds", ".db", ".sqlite", ".html"), AS_CSV),
    **dict.fromkeys((".feather", ".arrow", ".orc", ".h5", ".hdf5", ".parquet.gz"), AS_PARQUET),
    **dict.fromkeys((".pkl", ".pickle", ".pt", ".joblib"), CODE),
    ".npy": "save the arrays of images and labels in one npz, as x_train and y_train",
}
CONTENT = (  # first bytes, what they are of, what to do
    (b"PAR1", "a Parquet file", "name it .parquet"),
    (b"PK\x03\x04", "packed", f"{AS_CSV}, or {UNPACK}"),
    (b"\x1f\x8b", "packed by gzip", "name it .csv.gz"),
    (b"BZh", "packed", UNPACK),
    (b"\xfd7zXZ", "packed", UNPACK),
    (b"\x28\xb5\x2f\xfd", "packed", UNPACK),
    (b"\xd0\xcf\x11\xe0", "an old Excel file", AS_CSV),
    (
        b"version https://git-lfs",
        "a pointer to a file that Git LFS keeps elsewhere",
        "fetch it by 'git lfs pull'",
    ),
    (b"<!doctype html", "a web page", "fetch the file itself"),
    (b"<html", "a web page", "fetch the file itself"),
    (b"{\\rtf", "a text of a word processor", AS_CSV),
    (b"%pdf", "a PDF", AS_CSV),
)


def instead(name: str, otherwise: str) -> str:
    """Return what to do about a file by the end of its name, in small letters."""
    longest = max((end for end in INSTEAD if end and name.endswith(end)), key=len, default=None)
    return INSTEAD[longest] if longest else INSTEAD[""] if not Path(name).suffix else otherwise


def refuse_other_content(path: Path, start: bytes) -> None:
    """Stop if a file that is called a text begins as something else does.

    Args:
        start: its first bytes.
    """
    for sign, kind, fix in CONTENT:
        if start.lstrip(b"\xef\xbb\xbf \r\n").lower().startswith(sign.lower()):
            raise SelfsameError(f"{path}: no table: it is {kind}", fix)
