"""What is wrong with given data, gathered, so that a person mends all of it in one go."""

from collections.abc import Iterable
from dataclasses import dataclass

from selfsame.core.errors import SelfsameError
from selfsame.sources.store import StoreError

SHOWN = 5  # of many like things in a message
LONGEST = 80  # characters of a word in a message
MOST = 20  # faults that a message tells one by one


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, and what to do about it."""

    what: str
    fix: str

    @classmethod
    def of(cls, error: SelfsameError) -> "Fault":
        """Take an error for one of several; a store's trouble ends the search."""
        if isinstance(error, StoreError):
            raise error
        return cls(error.what, error.fix)


def stop_if_any(faults: Iterable[Fault]) -> None:
    """Raise one error that names all faults, if there are any.

    Raises:
        SelfsameError: with the one fault's own fix, or each fix beside its fault.
    """
    found = list(dict.fromkeys(faults))
    if len(found) == 1:
        raise SelfsameError(found[0].what, found[0].fix)
    if found:
        lines = [f"{each.what}\n    fix: {each.fix}" for each in found[:MOST]]
        more = [f"and {len(found) - MOST} more"] if len(found) > MOST else []
        raise SelfsameError(
            "\n".join([f"{len(found)} things are wrong with the data", *lines, *more]),
            "mend all of them; 'selfsame inspect' shows every column",
        )


def listed(words: Iterable[object], shown: int = SHOWN) -> str:
    """Return words for a message, quoted: the first few, and how many more."""
    every = list(words)
    more = f" and {len(every) - shown} more" if len(every) > shown else ""
    return ", ".join(map(shortened, every[:shown])) + more


def shortened(word: object) -> str:
    """Return a word quoted, without the rest of a very long one."""
    text = repr(word)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def counted(number: int, noun: str) -> str:
    """Return ``1 row``, ``2 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
