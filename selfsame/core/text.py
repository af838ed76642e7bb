"""Text files that people edit: UTF-8, or a sentence that says where they aren't."""

from pathlib import Path

from selfsame.core.errors import SelfsameError


def read_text(path: Path) -> str:
    """Read a file as UTF-8; a byte order mark is no part of it.

    Raises:
        SelfsameError: a byte is no UTF-8; its line is named.
    """
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise SelfsameError(
            f"{path}: not UTF-8: byte {content[error.start]:#04x} in line {line}",
            "save it as UTF-8; most such files are in Latin-1 or Windows-1252",
        ) from None
