"""The model card of a release: Markdown with the metadata block that model hubs read."""

import json

from selfsame.audit.case import NOT_RECORDED, Case
from selfsame.audit.licenses import license_of, spdx_id
from selfsame.audit.questions import Answer
from selfsame.audit.target import score_name, target_of

HONEST = """\
* The record is tamper-*evident*, and only against someone who cannot also rewrite the git history or the
  signing key. Ask for the digest in a signed tag.
* The run is meant to be bit-equal on CPU with the pinned environment; on a GPU within the measured tolerance.
* The record supports Annex IV 2(d) of the EU AI Act (labelling procedures). It is no statement of conformity.
* Provenance is SLSA build level 1: the machine that built it also wrote the record."""

USE = """\
```python
from selfsame.predict import load_model

model = load_model("model")
print(model.predict(rows))  # a table, an array or paths; of a table the columns model.feature_names_in_
```

`model.onnx`, if it is there, is the same model for ONNX Runtime; its metadata name columns and classes."""


def model_card(case: Case, answers: list[Answer]) -> str:
    """Return the card of the model under audit, all of it taken from the record."""
    manifest = case.held("manifest").document("manifest") or {}
    metrics, side, target = case.metrics, case.side, target_of(case)
    terms = license_of(manifest) or NOT_RECORDED
    lines = [
        "---",
        "library_name: selfsame",
        "license: unknown",  # the model's own: a person gives it
        f"datasets: [{json.dumps(manifest.get('source', 'not recorded'))}]",
        "tags: [semi-supervised, pseudo-labels]",
        "---",
        "",
        f"# {case.params('evaluate').get('title', case.artifact.as_posix())}",
        "",
        f"Classes: {', '.join(target.names) or target.missing_names}. "
        f"Data: {manifest.get('origin', NOT_RECORDED)}; license of the data: "
        f"{(spdx_id(terms) or '').lower() or terms}.",
        "",
    ]
    if side:
        scores, name = metrics[side]["holdout"], score_name(metrics)
        second = {"accuracy": "macro_f1", "r2": "rmse"}[name]
        words = {"accuracy": "accuracy", "r2": "R²", "macro_f1": "macro F1", "rmse": "root mean square error"}
        interval = f"{scores[f'{name}_low']:.4f} to {scores[f'{name}_high']:.4f}"
        lines += [
            f"| the {side} on the holdout | |",
            "| --- | --- |",
            f"| {words[name]} | {scores[name]:.4f} ({interval}) |",
            f"| {words[second]} | {scores[second]:.4f} |",
            f"| the baseline's {words[name]} | {metrics['baseline']['holdout'][name]:.4f} |",
            "",
        ]
    lines += ["## How to use it", "", USE, ""]
    lines += ["## What an auditor asks", ""]
    for one in answers:
        lines += [f"{one.number}. **{one.question}** {one.answer}"]
    lines += ["", "## Honest words", "", HONEST, ""]
    lines += [
        "`model/` is the model, `lineage/` the record of every execution behind it, `audit.html` the audit.",
        "Check all of it offline: `selfsame verify . --key SIGNER.pub`, or "
        "`model_signing verify key . --signature model.sig --public_key SIGNER.pub`; if Sigstore signed it, "
        "with a network: `selfsame verify . --identity SIGNER --identity-provider URL`.",
        "",
    ]
    return "\n".join(lines)
