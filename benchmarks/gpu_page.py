# ruff: noqa: E501
"""The page of ``benchmarks/gpu.py``."""

from typing import Any

HEAD = """# On a GPU

Written by `python benchmarks/gpu.py page` from what that script measured, once, on one machine: {machine}.
Stages run in one process, without DVC. A *bare step* is the net's forward pass, backward pass and optimizer on a
batch of the same size that lies on the GPU; its share of a training says what all the rest costs: drawing and
augmenting batches, the moving average, validation after every epoch, labeling the pool anew. {goal}
*Any kernels*: a bare step where torch may choose kernels that aren't repeatable; here they always are.

What a step needs from the CPU (which rows, how each is changed) is drawn there, so that every device sees the
same batches and views, and follows through pinned memory, for which the GPU is not waited. Rows lie on the GPU
where they take at most half of its free memory.
{beside}
| training | steps | rows a step | seconds | ms a step | bare, ms | share of bare | any kernels, ms | peak memory, GB | holdout accuracy |
|---|---|---|---|---|---|---|---|---|---|
"""
GOAL = 0.9
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
LIMITS = """
What limits it was not profiled. What the code shows: kernels are launched one by one, which a GPU waits for where a
net is small (a bare step of the digits takes as long with 169 rows as with 50), and the changes of a step's views
are further launches; every batch is drawn and sent by Python; there are no CUDA graphs, and these presets don't set
`training.compile`; the CPU that does all this had other work. The first training of a process also loads its
kernels, which weighs most on the few steps of the digits' baseline.
"""
JPEG = """CIFAR-10 (JPEG copy) is a copy of all 60,000 images as lossy JPEGs of about quality 75: its accuracies are not
comparable with published ones. Accuracies are those of one view of each of the holdout's rows, one run each."""


def write_page(results: dict[str, Any]) -> str:
    """Return the page."""
    lines = [
        _line(name, results[part][stage])
        for (part, stage), name in NAMES.items()
        if _has(results, part, stage)
    ]
    told = [LIMITS] if any(own["share_of_bare"] < GOAL for own in _trainings(results)) else []
    told += [JPEG] if _has(results, "resnet") or _has(results, "fixmatch") else []
    for part, tell in (("digits", _digits), ("mnist", _mnist), ("resnet", _resnet), ("fixmatch", _fixmatch)):
        if part not in results:
            told.append(f"`{part}` was not run.")
        elif "error" in results[part]:
            told.append(f"`{part}` failed: {results[part]['error'].splitlines()[0]}")
        else:
            told.append(tell(results[part]))
    if _has(results, "cpu"):
        told.append(_cpu(results["cpu"]))
    head = HEAD.format(machine=_machine(results), goal=_goal(results), beside=_beside(results))
    return head + "\n".join(lines) + "\n" + "\n\n".join(told) + "\n"


def _trainings(results: dict[str, Any]) -> list[dict[str, Any]]:
    return [results[part][stage] for part, stage in NAMES if _has(results, part, stage)]


def _goal(results: dict[str, Any]) -> str:
    met = sum(own["share_of_bare"] >= GOAL for own in _trainings(results))
    return f"The goal of {GOAL:.0%} is met by {met} of {len(_trainings(results))}."


def _beside(results: dict[str, Any]) -> str:
    """Tell what else the machine did, which makes every figure of time worse than a free one's."""
    parts: dict[str, list[str]] = {}
    for part in dict.fromkeys(part for part, _ in NAMES):
        if beside := results.get(part, {}).get("beside"):
            parts.setdefault(beside, []).append(f"`{part}`")
    told = "; ".join(f"{', '.join(own)} beside {beside}" for beside, own in parts.items())
    return f"\n**The machine had other work**: {told}. Times are those of a busy CPU.\n" if told else ""


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
        f"dropout, weights (and what batch normalization keeps) differ by {found['largest_weight_difference']:.1e} at most, probabilities by "
        f"{found['largest_probability_difference']:.1e}; {found['same_class']:.2%} of the holdout's rows get the same class "
        f"(accuracy {found['accuracy'][0]:.4f} on the CPU and {found['accuracy'][1]:.4f}). Convolutions on the GPU compute in "
        f"TF32, torch's default, of 10 bits. The whole preset (with dropout, which each "
        f"device draws itself) took {stages:.0f} s from baseline to student and reached {own['retrain']['holdout_accuracy']:.4f}."
    )


def _cpu(own: dict[str, Any]) -> str:
    return (
        f"The same preset on two CPU threads, in processes beside the GPU's: {own['stage_seconds']:.0f} s, "
        f"{own['holdout_accuracy']:.4f}."
    )


def _mnist(own: dict[str, Any]) -> str:
    stages = sum(own[name]["stage_seconds"] for name in ("train_baseline", "pseudo_label", "retrain"))
    return (
        f"**MNIST.** From baseline to student, with both refits, the preset took {stages:.0f} s, of which `retrain` "
        f"{own['retrain']['stage_seconds']:.0f} s for a student with {own['retrain']['holdout_accuracy']:.4f} of {own['retrain']['holdout_rows']:,} rows."
    )


def _resnet(own: dict[str, Any]) -> str:
    return (
        f"**T15 and T5.** The tutorials report 0.8134 and with DisturbLabel 0.8246. Here {own['T15']['holdout_accuracy']:.4f} and "
        f"{own['T5']['holdout_accuracy']:.4f}, after {own['epochs']} epochs each (as many as 45 s for both had room for), batches of 256, "
        "SGD on a one-cycle schedule, flips and shifts, bfloat16; one run each, on the JPEG copy, and another recipe than theirs. "
        f"{_disturbed(own)}"
    )


def _disturbed(own: dict[str, Any]) -> str:
    gain = own["T5"]["holdout_accuracy"] - own["T15"]["holdout_accuracy"]
    if gain < 0:
        return f"DisturbLabel lost {-100 * gain:.1f} points in so few epochs: the gain that the tutorials report was not reproduced."
    return f"DisturbLabel gained {100 * gain:.1f} points."


def _fixmatch(own: dict[str, Any]) -> str:
    steps = own["retrain"]["steps"]
    return (
        f"**FixMatch with 250 labels** was started, not finished: {own['epochs']:,} epochs of the labeled rows, {steps:,} steps, a whole schedule of that length, "
        f"where the preset has 262,144 and the paper 1,048,576; rounds of 128 epochs instead of 256, a baseline of 150 epochs instead of 2,000. "
        f"From {own['train_baseline']['holdout_accuracy']:.4f} (baseline) to {own['retrain']['holdout_accuracy']:.4f} (student) of {own['retrain']['holdout_rows']:,} photos held out; the curve, on "
        "250 validation rows: `benchmarks/results/gpu-fixmatch.csv`."
    )
