# ruff: noqa: E501
"""The page of ``benchmarks/scale.py``."""

from itertools import pairwise
from pathlib import Path
from typing import Any

STEPS = ("split", "pseudo_label", "retrain, loading", "retrain, mapping", "retrain", "evaluate", "predict")
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

Two cores, beside light work (load {load}, these stages' own included), in three runs of a day; the machine computed up to
1.5 times as slowly in one of them. Processor seconds are those of all threads: two predict, [where a core is free](models.md#a-core-that-is-free), but one in `predict`. Parts have 50,000 rows; about 1,000 rows are held
out. `retrain` is one epoch, so that it is loading, and the record of what was taught.
"""
KINDS = {
    "tables": "Rows of 30 features; the net is an MLP of 128 and 128.",
    "images": "Images of 32×32 in color; the net has three convolutions of 16, 32 and 64 filters.",
}
TAIL = """
## MNIST to 99 %

The preset `mnist-1000` takes [690 s of one core](results.md), where it took 836: the goal, half of it, is missed. In one
draw of 720 `retrain` took 612, `pseudo_label` 35, `evaluate` 31 (eight views of each of 58,000 and 10,000 images),
`train_baseline` 33; on two cores about 500, and less since `pseudo_label` (22 to 26) and `evaluate` (21 to 27) use both. Its two
trainings run beside each other; the second, which learns the validation rows too, has twice as many steps, 400 s. Four
fifths of a step are convolution, batch normalization and pooling; channels last in memory would save a tenth of it. 99 % is what
the baseline alone reaches, in some draws: 0.9881 to 0.9913. `retrain.max_epochs: 80` halves it: four draws of 2026-11-26,
whose labels each step made anew, reached 0.9924 to 0.9937. The preset keeps 160, as its goal is 0.994.

## A cluster

`RAY_ADDRESS=host:6379 dvc repro` (or a scheduled deployment with that variable) lets the workers of a Ray cluster
label: start it with the command of the cloud (`ray up`), with the project, `.scratch` and the data on a file
system that all machines see under the same path, and the same installation (`pip install -c constraints.txt
'selfsame[ray]'`). Without the variable Ray starts on this machine and stops with the stage. Ray gives a
lost worker's part to another one, up to five times: `tests/engine` kills a worker that has heard a part and one that
has written one, and the bytes are the same. DVC hashes what a stage reads and writes, once, on the machine where it
runs.

On paper, from what 10⁷ rows of 30 features took: 10⁹ are 281 GB of examples, 317 GB of splits and 85 GB of labels
(and as much again in DVC's cache, where the file system can't link). Labeling is an hour of one thread, 4 minutes of
16 workers that nothing else holds up; `split` is 1.0 hours of one process, and `retrain` holds
9 GB beside the mapped inputs, and 9 GB more for each round. At 0.05 dollars for a core's hour and 0.02 for a gigabyte's month, both assumed, one machine of 16
cores and 128 GB costs a few dollars for that day, and the bytes 13 a month. Nobody has run it.

## A pool in an object store

```
selfsame init s3://BUCKET/pool --target species    # writes data/pool.listing and params.yaml
dvc repro
selfsame refresh                                    # later, or 'selfsame run --refresh' by schedule: lists it anew
```

A listing is a text: the address, and every object below it with its ETag and size. `data.path` names it, or a folder
where it lies beside files of your own (labels here, the pool there), and `operation.refresh_url` the address. Its
objects are files below it in each message and record: `data/pool.listing/part-0.csv`. Tables, photos and arrays are
read where they lie, by Arrow's file system: an object of at most 8 MB by one request, of a larger one
8 MB at a time, where they are needed. What comes to this machine are the examples that `download` makes of them. `selfsame inspect` and
`selfsame predict` take an address, too; `data.path: s3://…` is refused, with these words.

Keys, region and endpoint are those of the standard variables (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`,
`AWS_DEFAULT_REGION`, `AWS_ENDPOINT_URL`), `~/.aws/credentials` or the machine's role.

**What DVC tracks is the listing.** The same objects again run nothing, another object runs `download`. It doesn't see the store: what is put, changed
or deleted there counts from the next `selfsame refresh` on, which asks for each object's ETag (a request each, 32 at
once). Whoever opens an object compares ETag and size, and stops where the store has another one than was listed;
of an object of more than 8 MB it looks again after each request, so no two contents become one file. `verify` hashes the listing and doesn't ask the store; the manifest names the
address and has ETags in place of digests of content. `selfsame refresh` says how many objects were added, changed and are
gone. A store that can't be reached, refuses, or doesn't have an object any more ends a command or stage in one sentence,
within half a minute also where nobody answers (`selfsame run --refresh` asks as often as `operation.retries` says: three
times more took 102 seconds in all); what was made before stays in DVC's cache. Back at an old listing
(git keeps it: `selfsame run --commit` commits it), DVC's cache has the examples made of the old objects; without
them, `download` needs the objects. `erase` refuses: take the rows out in the store, then refresh. So does
`selfsame score`: take `selfsame predict`.

**Many small objects** cost requests, two for each that is read (a table's file: four), and 32 at once for photos; table
files are read one after another. From a local server that answered some 250 requests a second beside other work
(load 7 to 14), 20,000 photos of 8×8 were listed in 54 to 87 seconds (148 MB) and read by `download` in 162 to 174 (242 MB, 26 of
them computing); 100,000 files were listed in 473 seconds (372 MB). `dvc status` took 1.4 to 1.9 seconds, most of them to
start. Without the server, a photo costs 0.2 to 0.4 ms of this machine and a table's file 0.8 ms, with 1,000 objects as with
20,000. With 40 ms for each answer 2,000 photos took 3.9 seconds, 15 before they were asked for 32 at once.

## Known limits

* `split` holds nothing of every row: ids, labels and roles lie in unnamed files of `.scratch`, at most 85 bytes a
  row, as do those of `selfsame inspect`. `split.group_column` and `split.time_column` hold
  every row's group or time, and sort them. 3,000,000 rows took 230 MB, and 236 where half of them were repeats. Of images a
  batch of 8,192 is read, shared out to the roles and written, which takes a gigabyte at 32×32 in color. It looks for near copies of 200 rows that judge among 5,000,000 values of labeled rows and as many of the pool (160,000
  rows of 30 features), evenly spaced: that costs the same for any pool, and of a larger one a near copy is seen only
  if it is among these.
* `retrain` holds of every pool row its label (9 bytes) and, for each round, 9 bytes of the record of what was taught;
  and its inputs, unless they are mapped: what training draws of a mapped file counts as its memory too, and the
  system takes it back.
* `evaluate` holds nothing of every pool row either. Of a regression it sorts the spreads and errors of all, in memory. Its predictions are made in its own process.
* What the audit holds is [measured there](auditor.md#large-pools-and-long-histories).
* A part's kept predictions and decisions lie on disk until the stage is done: as much again as its output.
* Photos are decoded by threads of `download`, on one machine, 16 MB of pixels at a time; to write them takes ten times as
  much memory, whatever their number.

## Not tested

{untested}
* Ray on more than one machine. More than one GPU; several machines for `training.processes`. [One GPU was](gpu.md),
  and reached 15 to 70 % of bare steps.
* A store other than a local server (moto) that speaks S3: its latency, its limits of requests, roles as keys; more than
  100,000 objects; an object of more than 24 MB.
"""


def per_row(sizes: dict[str, Any], step: str, least: str | None = None, most: str | None = None) -> float:
    """Return the processor seconds of a row between two sizes; without them, of the largest beyond the smallest."""
    own = [rows for rows in ordered(sizes) if step in sizes[rows]]
    least, most = least or own[0], most or own[-1]
    return max(sizes[most][step]["cpu"] - sizes[least][step]["cpu"], 0) / (int(most) - int(least))


def ordered(sizes: dict[str, Any]) -> list[str]:
    """Return the sizes, the smallest first."""
    return sorted(sizes, key=int)


def table(sizes: dict[str, Any], what: str, title: str) -> list[str]:
    """Return the lines of a table of a figure by step and size."""
    order = ordered(sizes)
    lines = [
        f"| {title} | {' | '.join(f'{int(rows):,} rows' for rows in order)} |",
        "|---" * (len(order) + 1) + "|",
    ]
    for step in STEPS:
        figures = [f"{sizes[rows][step][what]:,.1f}" if step in sizes[rows] else "" for rows in order]
        lines += [f"| {step} | {' | '.join(figures)} |"] if any(figures) else []
    return [*lines, ""]


def growth(sizes: dict[str, Any]) -> list[str]:
    """Return what a row costs from each size to the next, and how the peak grows."""
    order = ordered(sizes)
    if len(order) < 2:
        return []
    pairs = list(pairwise(order))
    head = [f"µs a row, {int(least):,} to {int(most):,}" for least, most in pairs]
    lines = [
        "What a row costs beyond the smaller size; the straight line drawn on to 10⁹ rows; and the largest peak "
        f"by that of {int(order[1]):,} rows:",
        "",
        f"| | {' | '.join(head)} | hours for 10⁹ rows, one thread | peak |",
        "|---" * (len(pairs) + 3) + "|",
    ]
    for step in STEPS:
        own = [rows for rows in order[1:] if step in sizes[rows]]
        if not own:
            continue
        costs = [
            f"{per_row(sizes, step, *pair) * 1e6:.1f}" if all(step in sizes[rows] for rows in pair) else ""
            for pair in pairs
        ]
        peak = sizes[own[-1]][step]["memory"] / sizes[own[0]][step]["memory"]
        grown = f"{peak:.2f} times" if len(own) > 1 else ""
        lines += [f"| {step} | {' | '.join(costs)} | {per_row(sizes, step) * FAR / 3600:.1f} | {grown} |"]
    return [*lines, ""]


def shares(sizes: dict[str, Any], what: str) -> list[str]:
    """Return what of a labeled row's time is spent on what."""
    own = [rows for rows in ordered(sizes) if "bare" in sizes[rows]]
    if not own:
        return []
    bare = dict(sizes[own[-1]]["bare"])
    on_two = bare.pop("on two threads", None)
    whole = sum(bare.values())
    spent = ", ".join(f"{name} {bare[name] * 1e6:.2f} ({bare[name] / whole:.0%})" for name in bare)
    share = bare["computing"] / whole
    lines = [
        f"Of a labeled row of {what} ({int(own[-1]):,} rows; µs of a processor, step by step in one process): {spent}; together "
        f"{whole * 1e6:.2f}. *Computing* is the bare net on tensors in memory: labeling by one core reaches {share:.0%} of its throughput.",
    ]
    if on_two:
        least, most = [rows for rows in ordered(sizes) if int(rows) <= int(own[-1])][-2:]  # of one run
        clock = (sizes[most]["pseudo_label"]["wall"] - sizes[least]["pseudo_label"]["wall"]) / (
            int(most) - int(least)
        )
        reached = on_two / clock
        lines[0] += (
            f" With two cores a row takes {clock * 1e6:.2f} µs of the clock (from {int(least):,} to {int(most):,} rows), and "
            f"{on_two * 1e6:.2f} of the bare net on two threads: {reached:.0%}. "
            f"The goal of 85 % is {'met' if reached >= 0.85 else 'missed'}."
        )
    return [*lines, ""]


def write_page(results: dict[str, Any], page: Path, plot: Path) -> None:
    """Write page and plot."""
    loads = [
        own["load"]
        for kind in KINDS
        for sizes in results.get(kind, {}).values()
        for own in sizes.values()
        if "load" in own
    ]
    lines = [HEAD.format(load=f"{min(loads):.0f} to {max(loads):.0f}" if loads else "unknown")]
    for kind, words in KINDS.items():
        if kind in results:
            sizes = results[kind]
            lines += [f"**{words}**", "", *table(sizes, "cpu", "processor seconds")]
            lines += [*table(sizes, "memory", "largest memory, MB"), *growth(sizes)]
    lines += ["![seconds and memory against rows](scale.svg)", ""]
    lines += [
        "The lines are drawn far beyond what was measured, and memory of `retrain` grows with them (below).",
        "",
    ]
    for kind in KINDS:
        lines += shares(results.get(kind, {}), kind)
    if "kills" in results:
        found = results["kills"]
        lines += [
            f"`pseudo_label` of {found['rows']:,} rows in {found['parts']} parts was killed {len(found['finished'])} times, a random while after "
            "it had got on by some parts (or, towards the end, at its start): "
            f"no finished part was made again, and the bytes were {'the same' if found['same'] else 'others'}. "
            f"Parts whose predictions were finished after each kill (and one table of those who judge): {', '.join(map(str, found['finished']))}.",
            "",
        ]
    if "ray" in results:
        found = results["ray"]
        one, two = found["one"]["wall"], found["two"]["wall"]
        same = len({found[name]["labels"] for name in ("local", "one", "two")}) == 1
        lines += [
            f"Ray, {found['rows']:,} images labeled in 16 parts, on the clock, its start included, at a load of {found['two']['load']:.0f}: "
            f"{found['local']['wall']:.0f} s in the stage's process, {one:.0f} s with one worker, {two:.0f} s with two, the bytes "
            f"{'the same' if same else 'others'}. Two workers are {one / two:.2f} times as fast as one: the goal of 1.6 is "
            f"{'met' if one / two >= 1.6 else 'missed'}. Starting Ray, and Python with torch in each worker, takes about "
            "ten seconds: a pool that is labeled in half a minute gains little (72,000 images: 1.37 times).",
            "",
        ]
    if "steps" in results:
        lines += steps_of(results["steps"])
    untested = []
    if max(map(int, results["tables"])) < 10**7:
        untested += ["10⁷ rows: they are drawn on from the line."]
    if "images" not in results or max(map(int, results["images"])) < 10**6:
        untested += ["10⁶ images: they are drawn on from the line."]
    if "ray" not in results:
        untested += [
            "Whether two workers of Ray are faster than one, and by how much: other work filled both cores."
        ]
    page.write_text(
        "\n".join(lines) + TAIL.replace("{untested}", "\n".join(f"* {each}" for each in untested)),
        encoding="utf-8",
    )
    draw(results, plot)


def steps_of(found: dict[str, Any]) -> list[str]:
    """Return the shares of bare steps."""
    lines = [
        "Trainings with MNIST's recipe on images of 32×32 in color, beside bare steps (forward, backward, optimizer on "
        "tensors in memory) of the same net and as many rows; and what a training spends beside them:",
        "",
        "| threads | training | rows a step | ms a step | bare, ms | bare | views | validation | labeling | moving average |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    measured = [threads for threads in ("1", "2") if threads in found]
    for threads in measured:
        for stage in ("train_baseline", "retrain"):
            own = found[threads][stage]
            figures = [
                f"{own['rows_per_step']:.0f}",
                *(
                    f"{each * 1e3:.1f}"
                    for each in (own["training_seconds"] / own["steps"], own["bare"]["seconds"])
                ),
                f"{own['share_of_bare']:.0%}",
                *(
                    f"{own['beside'][name]:.0%}"
                    for name in ("views", "validation", "labeling", "moving average")
                ),
            ]
            lines += [f"| {threads} | `{stage}` | {' | '.join(figures)} |"]
    loads = " and ".join(f"{found[threads]['load']:.0f}" for threads in measured)
    two = "of the clock" if "2" in found else "not measured"
    return [
        *lines,
        "",
        f"One thread: seconds of the processor. Two: {two} (loads of {loads}). An epoch validates 1,000 rows and learns 1,000: with so few labels "
        "validation is most of what a baseline spends beside its steps. Labeling anew (with the views that it takes) is the "
        "method's own work. The goals of 95 and 90 % are missed; nothing was mended, as an epoch's figures belong to the "
        "history, and views of a batch by fewer operations would have other bits.",
        "",
    ]


def draw(results: dict[str, Any], plot: Path) -> None:
    """Draw both against the rows."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "scale"
    import matplotlib.pyplot as plt

    kinds = [kind for kind in KINDS if kind in results]
    figure, grid = plt.subplots(
        len(kinds), 2, figsize=(9, 3.5 * len(kinds)), layout="constrained", squeeze=False
    )
    for both, kind in zip(grid, kinds, strict=True):
        sizes = results[kind]
        for axes, (what, name) in zip(both, (("cpu", "processor seconds"), ("memory", "MB")), strict=True):
            for step in STEPS:
                own = [rows for rows in ordered(sizes) if step in sizes[rows]]
                axes.plot(
                    [int(rows) for rows in own], [sizes[rows][step][what] for rows in own], "o-", label=step
                )
            axes.set(
                xscale="log",
                yscale="log" if what == "cpu" else "linear",
                xlabel=f"rows ({kind})",
                ylabel=name,
            )
        both[1].legend(fontsize=7, loc="upper left")
    figure.savefig(plot, metadata={"Date": None})
