"""Advice that a reader may not like: that a simple model on the same labels does as well."""

from selfsame.report.findings import CHANCE, Findings


def advice(findings: Findings) -> str | None:
    """Advise the reference where it does as well as the champion; None where it doesn't.

    That is judged on the validation rows; the holdout, read after it, only says what came of it.
    """
    if not findings.reference_recommended:
        return None
    reference, champion = findings.reference, findings.of_champion
    apart, on_holdout = findings.reference_on_validation, findings.reference_on_holdout
    better = apart.lost > apart.gained and apart.p_value <= CHANCE
    return (
        f"{_titled(reference.name)} on the same labels {'is better' if better else 'does as well'}: it gets "
        f"{reference.validation.accuracy.value:.1%} of the validation rows right (cross-validated), the "
        f"champion {champion.validation.accuracy.value:.1%}. On the holdout it gets "
        f"{reference.holdout.accuracy.value:.1%}, the champion {champion.holdout.accuracy.value:.1%}"
        f"{holdout_verdict(on_holdout.p_value, on_holdout.gained > on_holdout.lost)} "
        f"(McNemar’s exact test, p = {on_holdout.p_value:.2g})."
    )


def holdout_verdict(p_value: float, champion_ahead: bool) -> str:
    """Say whether the holdout tells reference and champion apart, and which way, to end a sentence."""
    if p_value > CHANCE:
        return ", which is no more than chance would explain"
    return f"{'; there the champion is ahead' if champion_ahead else ''}, which is beyond chance"


def _titled(name: str) -> str:
    return f"{'An' if name[0] in 'aeiou' else 'A'} {name}"
