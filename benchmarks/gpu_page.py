# ruff: noqa: E501
"""The page of ``benchmarks/gpu.py``."""

from typing import Any

HEAD = """# On a GPU

Written by `python benchmarks/gpu.py page` from what that script measured, once, on one machine: {machine}.
Stages run in one process, without DVC. A *bare step* is the net's forward pass, backward pass and optimizer on a
batch of the same size that lies on the GPU; its share of a training says what all the rest costs: drawing and
augmenting batches, the moving average, validation after every epoch, labeling the pool anew. Goal: 90 %.
*Any kernels*: a bare step where torch may choose kernels that aren't repeatable; here they always are.

What a step needs from the CPU (which rows, how each is changed) is drawn there, so that every device sees the
same batches and views, and follows through pinned memory, for which the GPU is not waited. Rows lie on the GPU
where they take at most half of its free memory.

| training | steps | rows a step | seconds | ms a step | bare, ms | share of bare | any kernels, ms | peak memory, GB | holdout accuracy |
|---|---|---|---|---|---|---|---|---|---|
"""
NAMES = {
    ("digits", "train_baseline"): "digits, baseline",
    ("digits", "retrain"): "digits, student",
    ("mnist", "train_baseline"): "MNIST with 1,000 labels, baseline",
    ("mnist", "retrain"): "MNIST with 1,000 labels, student",
    ("resnet", "T15"): "CIFAR-10 (JPEG copy), ResNet-18 on all labels (T15)",
    ("resnet", "T5"): "the same with DisturbLabel, α = 0.3 (T5)",
    ("fixmatch", "train_baseline"): "CIFAR-10 (JPEG copy), 250 labels, baseline",
    ("fixmatch", "retrain"): "CIFAR-10 (JPEG copy), 250 labels, FixMatch",
}
JPEG = """
CIFAR-10 (JPEG copy) is a copy of all 60,000 images as lossy JPEGs of about quality 75: its accuracies are not
comparable with published ones. Accuracies are those of one view of each of the holdout's rows, one run each."""


def write_page(results: dict[str, Any]) -> str:
    """Return the page."""
    lines = [
        _line(name, results[part][stage])
        for (part, stage), name in NAMES.items()
        if _has(results, part, stage)
    ]
    told = [JPEG] if _has(results, "resnet") or _has(results, "fixmatch") else []
    for part, tell in (("digits", _digits), ("mnist", _mnist), ("resnet", _resnet), ("fixmatch", _fixmatch)):
        if part not in results:
            told.append(f"`{part}` was not run.")
        elif "error" in results[part]:
            told.append(f"`{part}` failed: {results[part]['error'].splitlines()[0]}")
        else:
            told.append(tell(results[part]))
    if _has(results, "cpu"):
        told.append(_cpu(results["cpu"]))
    return HEAD.format(machine=_machine(results)) + "\n".join(lines) + "\n" + "\n\n".join(told) + "\n"


def _has(results: dict[str, Any], part: str, *stage: str) -> bool:
    return part in results and "error" not in results[part] and all(name in results[part] for name in stage)


def _machine(results: dict[str, Any]) -> str:
    own = results["machine"]
    where = own["card"] or "no GPU at all"
    return f"{where} beside {own['cores']} CPU cores, torch {own['torch']}, Python {own['python']}"


def _line(name: str, own: dict[str, Any]) -> str:
    cells = [
        name,
        f"{own['steps']:,}",
        f"{own['rows_per_step']:.0f}",
        f"{own['training_seconds']:.1f}",
        f"{1e3 * own['training_seconds'] / own['steps']:.2f}",
        f"{1e3 * own['bare']['seconds']:.2f}",
        f"{own['share_of_bare']:.0%}",
        f"{1e3 * own['bare']['seconds_any_kernels']:.2f}",
        f"{own['peak_bytes'] / 1e9:.2f}",
        f"{own['holdout_accuracy']:.4f}",
    ]
    return f"| {' | '.join(cells)} |"


def _digits(own: dict[str, Any]) -> str:
    found = own["difference"]
    stages = sum(own[name]["stage_seconds"] for name in ("train_baseline", "pseudo_label", "retrain"))
    return (
        f"**Digits, GPU against CPU.** After {found['steps']} steps from the same weights on the same batches, without "
        f"dropout, weights differ by {found['largest_weight_difference']:.1e} at most, probabilities by "
        f"{found['largest_probability_difference']:.1e}; {found['same_class']:.2%} of the holdout's rows get the same class "
        f"(accuracy {found['accuracy'][0]:.4f} and {found['accuracy'][1]:.4f}). The whole preset (with dropout, which each "
        f"device draws itself) took {stages:.0f} s from baseline to student and reached {own['retrain']['holdout_accuracy']:.4f}."
    )


def _cpu(own: dict[str, Any]) -> str:
    return (
        f"The same preset on two CPU threads, in processes beside the GPU's: {own['stage_seconds']:.0f} s, "
        f"{own['holdout_accuracy']:.4f}."
    )


def _mnist(own: dict[str, Any]) -> str:
    stages = sum(own[name]["stage_seconds"] for name in ("train_baseline", "pseudo_label", "retrain"))
    return f"**MNIST.** From baseline to student, with both refits, the preset took {stages:.0f} s."


def _resnet(own: dict[str, Any]) -> str:
    return (
        f"**T15 and T5.** The tutorials report 0.8134 and with DisturbLabel 0.8246. Here {own['T15']['holdout_accuracy']:.4f} and "
        f"{own['T5']['holdout_accuracy']:.4f}, after {own['epochs']} epochs each (as many as a minute had room for), batches of 256, "
        "SGD on a one-cycle schedule, flips and shifts, bfloat16; one run each, on the JPEG copy, and another recipe than theirs."
    )


def _fixmatch(own: dict[str, Any]) -> str:
    steps = own["retrain"]["steps"]
    return (
        f"**FixMatch with 250 labels** was started, not finished: {steps:,} steps, a whole schedule of that length, where the preset has "
        f"262,144 and the paper 1,048,576; rounds of 128 epochs instead of 256, a baseline of 150 epochs instead of 2,000. "
        f"From {own['train_baseline']['holdout_accuracy']:.4f} (baseline) to {own['retrain']['holdout_accuracy']:.4f}; the curve, on "
        "250 validation rows: `benchmarks/results/gpu-fixmatch.csv`."
    )
