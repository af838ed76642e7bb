"""What an audit comes to in one word, and the status with which its command exits."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from selfsame.audit.records import Problem

# The gravest first: word → what it means, the exit status, the kinds of problems that lead to it.
VERDICTS: dict[str, tuple[str, int, tuple[str, ...]]] = {
    "broken": (
        "something is not what it was",
        1,
        ("workspace", "cache", "remote", "lock", "record", "history", "release"),
    ),
    "incomplete": ("not all that is behind it is recorded", 3, ("chain", "missing")),
    "stale": ("the project has moved on since it was made", 4, ("stale",)),
    "dirty": ("files or code that took part are in no commit", 5, ("git", "code")),
    "unsigned": ("complete and current, its code is committed, but nobody has signed it", 6, ("signature",)),
}
VERIFIED = "verified"
KINDS = {  # what a problem of each kind is about, for a person
    "workspace": "A result was changed",
    "cache": "A stored copy was changed",
    "remote": "A copy at the remote was changed, or is not there",
    "lock": "The list of results (dvc.lock) says something else than the records",
    "record": "A record is damaged, or not signed as it should be",
    "history": "Records contradict each other, or were taken away",
    "release": "The release is not what was signed",
    "chain": "It is not recorded where a file came from",
    "missing": "A result is nowhere to be found",
    "stale": "The project has moved on",
    "git": "A file is not as the commit has it",
    "code": "Code that ran is in no commit",
    "signature": "Nobody has signed it",
}


def verdict_on(problems: Iterable[Problem]) -> str:
    """Return the word for the gravest problem; ``verified`` without any."""
    kinds = {problem.kind for problem in problems}
    return next((word for word, (_, _, own) in VERDICTS.items() if kinds & set(own)), VERIFIED)


def exit_status(verdict: str, strict: bool = False) -> int:
    """Return the status for a verdict; what is only unsigned fails if ``strict``."""
    if verdict == VERIFIED or (verdict == "unsigned" and not strict):
        return 0
    return VERDICTS[verdict][1]


def verdict_line(
    verdict: str, sound: str = "complete and current, its code is committed, and it is signed"
) -> str:
    """Return the first line of an answer.

    Args:
        sound: what ``verified`` means, which depends on what was looked at.
    """
    meaning = VERDICTS[verdict][0] if verdict in VERDICTS else sound
    return f"{verdict}: {meaning}"


@dataclass(frozen=True)
class Report:
    """What was found.

    Attributes:
        problems: empty when everything is as it should be.
        checked: what was read or followed → how many.
    """

    problems: list[Problem]
    checked: dict[str, int]

    @property
    def verdict(self) -> str:
        """One word for all of it."""
        return verdict_on(self.problems)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as values that JSON can hold."""
        problems = [asdict(problem) for problem in self.problems]
        return {"verdict": self.verdict, "problems": problems, "checked": self.checked}

    def format(self) -> str:
        """Return the verdict, one line for every problem, and what was checked."""
        counts = ", ".join(f"{count} {name}" for name, count in self.checked.items())
        first = verdict_line(self.verdict, sound="every byte that was read is as it should be")
        return "\n".join([first, *map(str, self.problems), f"checked {counts}"])
