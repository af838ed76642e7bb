# ruff: noqa: E501
"""The page of ``benchmarks/scale.py``."""

from pathlib import Path
from typing import Any

STEPS = ("split", "pseudo_label", "retrain, loading", "retrain, mapping", "predict")
FAR = 10**9
HEAD = """# Scale

Written by `python benchmarks/scale.py page` from what that script measured. A pool lies in parts on disk
([how](architecture.md#parts)); memory holds one.

| key | |
|---|---|
| `split.rows_per_part` | rows of a part, at most: what is worked on at once, and repeated after a kill |
| `resources.memory_gb` | a larger pool is mapped from a file in `.scratch` by `retrain`; null: any is held |
| `resources.engine: ray`, `workers`, `gpus_per_worker` | Ray's workers label parts; `selfsame predict --workers N` |
| `training.processes` | torchrun trains in so many processes ([how](models.md#several-processes)) |

Section `resources` is declared by no stage: an edit there reruns nothing, and outputs have the same bytes.

## Measured

One thread of a CPU that was busy with other work, so that processor seconds count and the clock does
not. Rows have 30 features, parts 50,000 rows; the net is an MLP of 128 and 128. About 1,000 rows are held out.
"""
TAIL = """
## A cluster

`RAY_ADDRESS=host:6379 dvc repro` (or a scheduled deployment with that variable) lets the workers of a Ray cluster
label: start it with the command of the cloud (`ray up`), with the project, `.scratch` and the data on a file
system that all machines see under the same path, and the same installation (`pip install -c constraints.txt
'selfsame[ray]'`). Without the variable Ray starts on this machine and stops with the stage. Ray gives a
lost worker's part to another one, up to five times (tested on a small function, not on the stage). On paper, labeling needs the processor seconds above divided by
the workers; DVC still hashes what a stage reads and writes, once, on the machine where it runs.

## Known limits

* `split` holds about 25 bytes a row (ids, labels, roles). It looks for near copies of 200 rows that judge among
  5,000,000 values of labeled rows and as many of the pool (160,000 rows of 30 features), evenly spaced: that costs
  the same for any pool, and of a larger one a near copy is seen only if it is among these.
* `retrain` holds of every pool row its id, label and, for each round, 9 bytes of the record of what was taught.
* `evaluate` holds about 30 bytes a pool row, and the ids; its predictions are made in its own process.
* A part's kept predictions and decisions lie on disk until the stage is done: as much again as its output.
* Photos are decoded by threads of `download`, on one machine.

## Not tested

* More than 300,000 rows of tables, and images but for 600 (on which the steps run): 10⁶ and
  10⁷ rows and 10⁵ images are drawn on from the line, not seen; nor is that seconds a row stay within 15 %.
* Ray on more than one machine; whether two workers are faster than one, by how much; a worker of the stage killed
  (a small function's was). Training steps against bare ones on one and two threads: other work on the machine hides both.
* More than one GPU; several machines for `training.processes`. [One GPU was](gpu.md), and reached 15 to 70 % of bare steps.
* A pool at `s3://…`: it is not read; what DVC tracks is a folder of this machine or of a shared file system.
* 10⁷ rows killed: what was killed is said above, and in `tests/tasks/test_pseudo_label.py` at every third part.
"""


def per_row(sizes: dict[str, Any], step: str, what: str = "cpu") -> float:
    """Return what a row costs beyond the smallest size, from the largest one."""
    least, most = min(sizes, key=int), max(sizes, key=int)
    return (sizes[most][step][what] - sizes[least][step][what]) / (int(most) - int(least))


def write_page(results: dict[str, Any], page: Path, plot: Path) -> None:
    """Write page and plot."""
    sizes = results["tables"]
    order = sorted(sizes, key=int)
    lines = [HEAD]
    for what, title in (("cpu", "processor seconds"), ("memory", "largest memory, MB")):
        lines += [f"| {title} | {' | '.join(f'{int(rows):,} rows' for rows in order)} |"]
        lines += ["|---" * (len(order) + 1) + "|"]
        lines += [
            f"| {step} | {' | '.join(f'{sizes[rows][step][what]:,.1f}' for rows in order)} |"
            for step in STEPS
        ]
        lines += [""]
    lines += ["What a row costs beyond the start, and the straight line drawn on to 10⁹ rows:", ""]
    lines += ["| | µs a row | hours for 10⁹ rows, one thread |", "|---|---|---|"]
    for step in STEPS:
        cost = max(per_row(sizes, step), 0.0)
        lines += [f"| {step} | {cost * 1e6:.1f} | {cost * FAR / 3600:.1f} |"]
    lines += ["", "![seconds and memory against rows](scale.svg)", ""]
    lines += [
        "The line is drawn far beyond what was measured, and memory of `split` and `retrain` grows with it (below).",
        "",
    ]
    bare = sizes[order[-1]].get("bare")
    if bare:
        whole = per_row(sizes, "pseudo_label")
        lines += [
            f"Of a labeled row's {whole * 1e6:.1f} µs, reading takes {bare['reading'] * 1e6:.1f}, preparing "
            f"{bare['preparing'] * 1e6:.1f}, the net {bare['computing'] * 1e6:.1f}; the rest is digesting, keeping, "
            f"deciding and writing. So small a net is labeled with at {bare['computing'] / whole:.0%} of its own "
            "speed: the goal of 85 % is missed for tables.",
            "",
        ]
    if "kills" in results:
        found = results["kills"]
        lines += [
            f"`pseudo_label` of {found['rows']:,} rows in {found['parts']} parts was killed {len(found['finished'])} times, a random while after "
            "it had got on by a part or two (or, towards the end, at its start): "
            f"no finished part was made again, and the bytes were {'the same' if found['same'] else 'others'}. "
            f"Parts whose predictions were finished after each kill (and one table of those who judge): {', '.join(map(str, found['finished']))}.",
            "",
        ]
    page.write_text("\n".join(lines) + TAIL, encoding="utf-8")
    draw(sizes, order, plot)


def draw(sizes: dict[str, Any], order: list[str], plot: Path) -> None:
    """Draw both against the rows."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "scale"
    import matplotlib.pyplot as plt

    figure, both = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    for axes, (what, name) in zip(both, (("cpu", "processor seconds"), ("memory", "MB")), strict=True):
        for step in STEPS:
            axes.plot(
                [int(rows) for rows in order], [sizes[rows][step][what] for rows in order], "o-", label=step
            )
        axes.set(xscale="log", xlabel="rows", ylabel=name, ylim=(0, None))
    both[0].legend(fontsize=8)
    figure.savefig(plot, metadata={"Date": None})
