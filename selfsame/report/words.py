"""How figures are written on a page, in a card, in a terminal."""

from dataclasses import dataclass
from math import sqrt

from selfsame.stats.share import Share

NOTHING = "–"  # stands for a figure that is not defined


FAMILIES = {
    "gaussian_process": "Gaussian process",
    "boosting": "gradient boosting",
    "forest": "random forest",
    "extra_trees": "forest of extra trees",
    "support_vectors": "support vector machine",
    "neighbors": "label spreading",
}


@dataclass(frozen=True)
class Words:
    """How a kind of target is spoken of.

    Attributes:
        learned: what is learned, after a comma: ``10 classes``.
        does: what a model does, in a sentence.
        use: what else than ``predict`` one may ask a model in Python.
        pseudo_label: a machine-made label.
        level: what the gate compares ``trust`` with; ``trust`` is what it knows of every pool row.
        doubtful, trusted: how the trust of the last accepted row is called, and of the first rejected one.
        right: the share of pseudo-labels that are right, or close, which are called ``good``.
        measured: after a model's name, its main measure and the number of rows: ``gets {} of {} right``.
        gained: of the student, rows gained and lost against the baseline.
        distance: what the promotion compares.
        constant: the answer of who sees no input, after "always saying".
        linear: a linear model.
        off: the heading of a label's distance from the truth; empty where labels have none.
        loss: what is minimized, with its unit.
    """

    learned: str
    does: str
    use: str
    pseudo_label: str
    level: str
    trust: str
    doubtful: str
    trusted: str
    right: str
    good: str
    measured: str
    gained: str
    distance: str
    constant: str
    linear: str
    off: str
    loss: str


def family(architecture: str, words: Words) -> str:
    """Name one of scikit-learn's families."""
    return words.linear if architecture == "linear" else FAMILIES[architecture]


def architecture(name: str, words: Words) -> str:
    """Return the family that has this name, as ``model.architecture`` knows it."""
    return {family(each, words): each for each in ("linear", *FAMILIES)}[name]


def percent(number: float | None, digits: int = 1) -> str:
    """Write a fraction in percent."""
    return NOTHING if number is None else f"{100 * number:.{digits}f}\N{NO-BREAK SPACE}%"


def decimal(number: float | None) -> str:
    """Write a score with three digits after the point."""
    return NOTHING if number is None else f"{number:.3f}"


def value(number: float | None) -> str:
    """Write a value, or an error in its unit, with four digits that count."""
    return NOTHING if number is None else f"{number:,.4g}" if abs(number) < 1e4 else f"{number:,.0f}"


def interval(share: Share) -> str:
    """Write a share's 95 % interval."""
    if share.interval is None:
        return NOTHING
    low, high = share.interval
    return f"{100 * low:.1f} to {100 * high:.1f}\N{NO-BREAK SPACE}%"


def count(number: int, noun: str = "") -> str:
    """Write a number of rows, thousands apart, and what is counted in its grammatical number."""
    return f"{number:,}" + (noun and f" {noun}" + ("" if number == 1 else "s"))


def number(parameter: float | None) -> str:
    """Write a parameter as a person would: 0.95, not its nearest binary fraction."""
    return NOTHING if parameter is None else f"{parameter:.6g}"


def p_value(number: float) -> str:
    """Write a p-value."""
    text = "p < 0.0001" if number < 0.0001 else f"p = {number:.2g}"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def a(name: str) -> str:
    """Put the article before a name."""
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def capital(sentence: str) -> str:
    """Begin a sentence."""
    return sentence[0].upper() + sentence[1:]


def heat(part: int, total: int) -> str:
    """Return how strongly to colour a cell; the root lets a few mistakes among many rows still be seen."""
    return f"{sqrt(part / total):.0%}"


FILTERS = {each.__name__: each for each in (percent, decimal, value, interval, count, number, p_value, heat)}
