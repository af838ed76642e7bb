"""How often the gate keeps its promise: ``python benchmarks/gate_precision.py [DRAWS]``.

For each of 200 draws of scikit-learn's digits (unless told): 5 labels a class teach a logistic regression,
200 other rows judge it, and the gate looks for the lowest threshold with a precision of at least the target
at a confidence of 0.95. On the rest of the rows, whose truth is known, the promise is kept or broken. A
draw in which no threshold is found makes no promise and breaks none.

The table in ``docs/decisions/2026-11-21-the-gate.md`` is what it prints.
"""

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from selfsame.selection.threshold import lowest_threshold
from selfsame.stats.share import Share

LABELS_PER_CLASS = 5
JUDGES = 200
CONFIDENCE_LEVEL = 0.95
TARGETS = (0.8, 0.85, 0.9, 0.95)


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    inputs, labels = load_digits(return_X_y=True)
    found = {target: [] for target in TARGETS}
    for seed in range(draws):
        order = np.random.default_rng(seed).permutation(len(labels))
        labeled = np.concatenate([order[labels[order] == each][:LABELS_PER_CLASS] for each in range(10)])
        rest = order[~np.isin(order, labeled)]
        teacher = LogisticRegression(C=0.01, max_iter=500).fit(inputs[labeled], labels[labeled])
        probabilities = teacher.predict_proba(inputs[rest]).astype(np.float32)
        confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels[rest]
        pool, truth = confidence[JUDGES:], right[JUDGES:]
        for target, answers in found.items():
            search = lowest_threshold(
                [pool], confidence[:JUDGES], right[:JUDGES], target, 1 - CONFIDENCE_LEVEL
            )
            if search.threshold is None:
                answers.append((0.0, None))
            else:
                kept = pool >= np.float32(search.threshold)
                answers.append((kept.mean(), truth[kept].mean()))
    print(
        "| promised precision | draws | threshold found | promise kept | 95 % interval | mean precision "
        "| mean coverage |\n|---|---|---|---|---|---|---|"
    )
    for target, answers in found.items():
        promised = [(coverage, precision) for coverage, precision in answers if precision is not None]
        kept = draws - sum(precision < target for _, precision in promised)
        low, high = Share(kept, draws).interval
        coverage, precision = np.mean(promised, axis=0) if promised else (np.nan, np.nan)
        print(
            f"| {target:g} | {draws} | {len(promised)} | {kept} ({kept / draws:.1%}) "
            f"| {low:.1%} to {high:.1%} | {precision:.3f} | {coverage:.3f} |"
        )


if __name__ == "__main__":
    main()
