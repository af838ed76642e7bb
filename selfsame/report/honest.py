"""What the findings come to in words: the headline, what to doubt, and what would help most."""

from collections.abc import Iterator

from selfsame.core.annotations import DOUBTED
from selfsame.report.data_checks import CHANCE as CHECK_CHANCE
from selfsame.report.findings import CHANCE, Findings, ModelFindings, verdict
from selfsame.report.scores import compare
from selfsame.report.words import a, architecture, capital, count, family, p_value, percent

FEW = 0.2  # of the pool: where fewer rows are accepted, another gate is looked for
SHORT = 0.1  # by so much the labeled rows lack the most frequent class before another draw is advised
DROPPED = {
    "repeat": "repeat the inputs of another row, which stays",
    "contradicting": "have the inputs of another row and another label, so that all copies are left out",
    "excluded": "are withdrawn by split.exclude",
    "group": "have no label and are of a group that others of which judge or are learned: left out",
}


def headline(findings: Findings) -> str:
    """Say in a sentence what came of it: first of all where something that is free does better."""
    free = {
        a(findings.reference.name) + " on the same labels": (findings.reference, findings.against_reference),
        findings.constant.name: (findings.constant, findings.against_constant),
    }
    better = {name: pair for name, pair in free.items() if verdict(pair[1]) == "worse"}
    if not better:
        return result(findings)
    name, (model, against) = min(better.items(), key=lambda item: item[1][0].holdout.errors.sum())
    return (
        f"{capital(name)} is better than the champion, beyond chance: on the holdout it "
        f"{_measured(findings, model)}, the {findings.champion.name} {findings.champion.holdout.said()} "
        f"({p_value(against.p_value)})."
    )


def result(findings: Findings) -> str:
    """Say which model is the champion, and how good both are."""
    champion, other = findings.champion, findings.other
    if champion is findings.reference:
        return (
            f"The scikit-learn baseline, {a(champion.name)}, is the champion: it "
            f"{_measured(findings, champion)}; the {other.name}, the better of what was trained beside it, "
            f"{other.holdout.said()}."
        )
    if champion is findings.student:
        stays, past = "is", "saw no pool"
    else:
        stays = "stays"
        past = "also learned from the pool" if findings.gate.coverage.total else "had no pool to learn from"
    return (
        f"The {champion.name} {stays} the champion: it {_measured(findings, champion)}; the {other.name}, "
        f"which {past}, {other.holdout.said()}."
    )


def simple(findings: Findings) -> str:
    """Say how the champion stands to the scikit-learn baseline, whichever way."""
    if findings.champion is findings.reference:
        return f"The champion is the scikit-learn baseline, {a(findings.reference.name)} on the same labels."
    found, reference = findings.against_reference, findings.reference
    apart = {
        "better": "the champion is better, beyond chance",
        "worse": "the champion is worse, beyond chance",
        "alike": "the champion is not better beyond chance",
    }[verdict(found)]
    return (
        f"The scikit-learn baseline, {a(reference.name)} on the same labels, "
        f"{_measured(findings, reference)}: {apart} (it gains {count(found.gained)} rows and loses "
        f"{count(found.lost)}, {p_value(found.p_value)})."
    )


def committee(findings: Findings) -> str:
    """Say what each family of the committee weighs; nothing where there is none."""
    model = findings.student if findings.champion is findings.student else findings.baseline
    if not model.shares:
        return ""
    heaviest = sorted(model.shares.items(), key=lambda each: -each[1])
    shares = [f"{family(name, findings.target.words)} {percent(share, 0)}" for name, share in heaviest]
    return (
        f"The {model.name} is a committee, weighed by what its members say of rows that they have not "
        f"learned: {', '.join(shares)}."
    )


def warnings(findings: Findings) -> list[str]:
    """Say in plain words what a reader should doubt."""
    return [
        *_of_labels(findings),
        *_of_the_gate(findings),
        *findings.target.doubts(findings),
        *_of_the_data(findings),
        *_of_the_choice(findings),
    ]


def suggestions(findings: Findings) -> list[str]:
    """Say what would help, that which helps most first."""
    found = []
    reference = findings.reference
    helps = reference.holdout.errors.sum() < findings.constant.holdout.errors.sum()
    if verdict(findings.against_reference) == "worse" or (
        verdict(findings.against_constant) == "worse" and helps
    ):
        found.append(
            f"Another family of models: one that learns from so few rows, as {a(reference.name)} does "
            f"(model.architecture: {architecture(reference.name, findings.target.words)})."
        )
    return found + other_shares(findings) + more_labels(findings) + other_gates(findings)


def other_shares(findings: Findings) -> list[str]:
    """Advise rows as they come, or another score, where the most frequent class wins for lack of its rows."""
    if verdict(findings.against_constant) != "worse":
        return []
    kinds, constant = findings.target.kinds, findings.constant.holdout
    most = kinds(constant.predicted[:1])[0]
    shares = [float((kinds(labels) == most).mean()) for labels in (findings.labeled, constant.actual)]
    if shares[0] >= shares[1] - SHORT:
        return []
    return [
        f"Other shares of the classes, or another score: {percent(shares[1], 0)} of the holdout rows are "
        f"{findings.target.named(constant.predicted[0])}, but {percent(shares[0], 0)} of the labeled ones, "
        "so that models expect too few of them. A split.labels_per_class below 1 labels rows as they come; "
        "where rare classes matter as much, evaluate.metric: balanced_accuracy says so, "
        "and training.class_weights: inverse_share is how to learn that."
    ]


def more_labels(findings: Findings) -> list[str]:
    """Say what half of the labels teach less than all, with its uncertainty; nothing where it is no less."""
    if findings.learning_curve is None:
        return []
    half, whole = findings.learning_curve
    gained = compare(half, whole)
    if gained.saved <= 0:
        return []
    sure = verdict(gained) == "better"
    first, last = (
        ("More labels", "The next doubling may well help too")
        if sure
        else ("More labels, perhaps", f"{count(len(whole), 'row')} can't tell that from luck")
    )
    if verdict(findings.against_reference) == "better":
        last += f"; the {findings.champion.name} is better than that, and may gain less"
    return [
        f"{first}: {a(findings.reference.name)} has {half.said()} ({half.span()}) with half of the labels "
        f"and {whole.said()} ({whole.span()}) with all of them (cross-validated, {p_value(gained.p_value)}). "
        f"{last}; 'selfsame ask' names the rows to label first."
    ]


def other_gates(findings: Findings) -> list[str]:
    """Recommend another setting of the gate where few rows passed; nothing where enough did."""
    gate, label = findings.gate, findings.target.words.pseudo_label
    if not gate.coverage.total or (gate.coverage.value or 0) >= FEW:
        return []
    part = f"only {percent(gate.coverage.value)}" if gate.coverage.part else "no row"
    few = f"{part} of the pool has an accepted {label}"
    offers = [each for each in findings.target.offers(gate) if each.kept.coverage.part > gate.coverage.part]
    worthy = [each for each in offers if each.worthy]
    if worthy:
        best = max(worthy, key=lambda each: each.kept.coverage.part)
        return [
            f"Another gate: {few}. With {best.setting} it would be {percent(best.kept.coverage.value)}, "
            f"{best.expectation}{_known(findings, best.kept.right.total, best.kept.right.value)}."
        ]
    most = max(offers, key=lambda each: each.kept.coverage.part, default=None)
    lax = (
        f" With {most.setting} it would be {percent(most.kept.coverage.value)}, {most.expectation}."
        if most
        else ""
    )
    return [f"Not another gate, though {few}.{lax} More labels are worth more than worse {label}s."]


def _known(findings: Findings, known: int, right: float | None) -> str:
    return f" ({percent(right)} are {findings.target.words.good} where the truth is known)" if known else ""


def _measured(findings: Findings, model: ModelFindings) -> str:
    holdout = model.holdout
    return findings.target.words.measured.format(holdout.said(), count(len(holdout), "holdout row"))


def _of_labels(findings: Findings) -> Iterator[str]:
    biased = {
        strategy: rows
        for strategy, rows in findings.asked.items()
        if strategy.split(",")[0] not in ("random", DOUBTED)  # "random, guess shown" is a random draw too
    }
    if biased:
        chosen = ", ".join(f"{strategy} {rows}" for strategy, rows in biased.items())
        yield (
            f"{sum(biased.values())} of {len(findings.labeled)} labeled rows were asked for ({chosen}) and "
            "are no random draw: the shares of their classes, and how hard they are, say nothing about the "
            "data. The gate, the promotion and the scores rest on validation and holdout rows, which stay a "
            "random draw."
        )


def _of_the_gate(findings: Findings) -> Iterator[str]:
    gate, label = findings.gate, findings.target.words.pseudo_label
    if not gate.coverage.total:
        return
    if findings.champion is findings.reference:
        yield (
            "The pool did not help: on rows that neither has learned, a simple model is farther ahead of "
            "what was trained than luck explains, so that all that was learned from the pool is left aside."
        )
    elif findings.champion is findings.baseline:
        yield (
            "The pool did not help where the champion is chosen: on validation the student is no "
            "farther ahead than luck explains, so everything that was learned from it is left aside."
        )
    if findings.learned_accepted and not gate.coverage.part:
        learned = (
            "all that the student has of the pool are the rows along which its label spreading goes"
            if "neighbors" in findings.student.shares
            else "the student learned from the labeled rows alone, and differs from the baseline only by its "
            "seed and its schedule"
        )
        yield f"No {label} was accepted: {learned}. {gate.record.verdict}"
    if findings.method == "offline" and findings.learned:
        taught, accepted_rows = findings.learned[0].taught, gate.coverage.part
        if taught < accepted_rows:
            yield (
                f"Of {count(accepted_rows)} accepted {label}s the student learned {count(taught)}, drawn at "
                "random: together they weigh as much as all would."
            )
    accepted, rejected = gate.of_accepted, gate.of_rejected
    if accepted.right.total and rejected.right.total and accepted.goodness <= rejected.goodness:
        said = [findings.target.quality(kept) for kept in (accepted, rejected)]
        yield f"The gate says nothing here: accepted {label}s are {said[0]}, rejected ones {said[1]}."


def _of_the_data(findings: Findings) -> Iterator[str]:
    checks = findings.checks
    pool, validation = checks.pool_disagreement, checks.validation_disagreement
    if checks.disagreement_p_value < CHECK_CHANCE:
        yield (
            f"Student and teacher disagree on {percent(pool.value)} of the pool, but on "
            f"{percent(validation.value)} of the validation rows: "
            "one of them has learned something of the pool that isn't so elsewhere."
        )
    if checks.near_copies.part:
        yield (
            f"{checks.near_copies.part} of {checks.near_copies.total} holdout and validation rows have a "
            "near copy among the rows that were learned from: the scores may flatter."
        )
    if checks.drift.p_value < CHECK_CHANCE:
        yield (
            f"The pool looks different from the labeled rows, in {checks.drift.differing.part} of "
            f"{checks.drift.differing.total} features beyond chance: what was shown on validation rows, a "
            "guaranteed precision above all, need not hold there."
        )
    for reason, rows in findings.dropped.items():
        if rows["rows"]:
            yield (
                f"{count(rows['rows'], 'row')}, {count(rows['labels'])} of them labeled, "
                f"{DROPPED.get(reason, f'were dropped ({reason})')}."
            )


def _of_the_choice(findings: Findings) -> Iterator[str]:
    found, chosen = findings.on_holdout, findings.promotion.trained
    errors = {model.name: model.holdout.errors.sum() for model in findings.models}
    better = min(errors, key=errors.__getitem__)
    if errors[better] < errors[chosen]:
        yield (
            f"The {chosen} was chosen on validation, as it must be; on the holdout the {better} does better."
        )
    if found.p_value > CHANCE:
        yield (
            "On the holdout baseline and student differ by no more than chance would explain (paired "
            f"permutation test, {p_value(found.p_value)})."
        )
