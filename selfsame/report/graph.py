"""The pipeline's graph as the report draws it: stages are bars, what they write lies in lanes between them.

A lane runs from its box down to the last stage that reads it; an arrow ends on each bar that does.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePath

from selfsame.core.digests import sha256_json

MARGIN, LANE = 118, 104  # pixels: where the stages' names stand, a lane's width
BAR, BOX, BOX_WIDTH, GAP = 26, 36, 98, 20  # pixels: heights of a bar and a box, a box's width, room between


@dataclass(frozen=True)
class Step:
    """A stage: what it reads, and what it writes with the lane of each."""

    name: str
    reads: tuple[str, ...]
    writes: Mapping[str, int]


# Files that no stage writes, with their lanes. What ``data.path`` names stands in params.yaml.
SOURCE, ANSWERS = "the source", "data/annotations/labels.csv"
GIVEN = {SOURCE: 4, ANSWERS: 0}
SPLITS = "data/splits/"
# ``dvc.yaml`` once more, in the order written: DVC lets no stage depend on that file, so the report can't
# read it. A test compares the two edge by edge.
STEPS = (
    Step("download", (SOURCE,), {"data/raw/examples": 4, "data/raw/manifest.json": 5}),
    Step(
        "split",
        ("data/raw/examples", ANSWERS),
        {
            f"{SPLITS}labeled.parquet": 1,
            f"{SPLITS}validation.parquet": 2,
            f"{SPLITS}calibration.parquet": 3,
            f"{SPLITS}pool": 4,
            f"{SPLITS}scaling.json": 5,
            f"{SPLITS}holdout.parquet": 7,
            f"{SPLITS}hidden_labels.parquet": 8,
        },
    ),
    Step(
        "train_baseline",
        (f"{SPLITS}labeled.parquet", f"{SPLITS}validation.parquet", f"{SPLITS}scaling.json"),
        {"models/baseline": 6},
    ),
    Step(
        "pseudo_label",
        (f"{SPLITS}calibration.parquet", f"{SPLITS}validation.parquet", f"{SPLITS}pool", "models/baseline"),
        {"data/pseudo_labels": 3},
    ),
    Step(
        "retrain",
        (
            f"{SPLITS}labeled.parquet",
            f"{SPLITS}validation.parquet",
            f"{SPLITS}pool",
            f"{SPLITS}scaling.json",
            "data/pseudo_labels",
        ),
        {"models/student": 5},
    ),
    Step(
        "evaluate",
        (
            ANSWERS,
            f"{SPLITS}labeled.parquet",
            f"{SPLITS}validation.parquet",
            f"{SPLITS}pool",
            f"{SPLITS}holdout.parquet",
            f"{SPLITS}hidden_labels.parquet",
            "models/baseline",
            "data/pseudo_labels",
            "models/student",
        ),
        {
            "models/champion": 4,
            "reports/report.html": 5,
            "reports/metrics.json": 3,
            "reports/confusion_matrix.csv": 2,
            "reports/threshold.csv": 6,
            "reports/reliability.csv": 7,
        },
    ),
)
# What a stage was told is known from what it wrote.
TOLD_BY = {
    "train_baseline": "models/baseline",
    "pseudo_label": "data/pseudo_labels",
    "retrain": "models/student",
    "evaluate": "models/champion",
}


@dataclass(frozen=True)
class Bar:
    """A stage's bar, and where on the page its parameters stand; empty where the page doesn't know them."""

    name: str
    top: int
    link: str


@dataclass(frozen=True)
class Box:
    """Something on disk.

    Attributes:
        digest: of its bytes; empty of what the page didn't read.
        link: the id on the page that its digests stand at; empty likewise.
    """

    path: str
    x: int
    top: int
    digest: str
    link: str

    @property
    def name(self) -> str:
        """What a stage calls it."""
        return PurePath(self.path).stem


@dataclass(frozen=True)
class Edge:
    """Between a stage and something that it writes or reads: a line straight down."""

    start: str
    end: str
    x: int
    top: int
    bottom: int
    reads: bool


@dataclass(frozen=True)
class Drawing:
    """All of it, in pixels."""

    bars: tuple[Bar, ...]
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int

    @property
    def words(self) -> str:
        """The same for those who can't see it."""
        return " ".join(f"{bar.name} reads {self._read_by(bar.name)}." for bar in self.bars)

    def _read_by(self, stage: str) -> str:
        names = {box.path: box.name for box in self.boxes}
        return ", ".join(names[edge.start] for edge in self.edges if edge.end == stage)


def draw_graph(digests: Mapping[str, str], told: Mapping[str, object]) -> Drawing:
    """Lay out the graph.

    Args:
        digests: sha256 of every file that the page follows from, by path.
        told: the parameters that are known, by the path that ``TOLD_BY`` names.
    """
    boxes = {path: _box(path, lane, 0, digests) for path, lane in GIVEN.items()}
    bars: dict[str, Bar] = {}
    top = BOX + GAP
    for step in STEPS:
        told_by = TOLD_BY.get(step.name, "")
        bars[step.name] = Bar(step.name, top, parameters_id(told_by) if told_by in told else "")
        below = top + BAR + GAP
        boxes |= {path: _box(path, lane, below, digests) for path, lane in step.writes.items()}
        top = below + BOX + GAP
    lanes = 1 + max(max(step.writes.values()) for step in STEPS)
    return Drawing(
        tuple(bars.values()),
        tuple(boxes.values()),
        tuple(_edges(bars, boxes)),
        MARGIN + LANE * lanes,
        top - GAP + 1,
    )


def parameters_id(path: str) -> str:
    """Return the id of the table with the parameters that something was made with."""
    return f"parameters-of-{path}"


def digest_of(files: Mapping[str, str]) -> str:
    """Return the digest of a file, or one of several files' digests and names."""
    return next(iter(files.values())) if len(files) == 1 else sha256_json(dict(files))


def _box(path: str, lane: int, top: int, digests: Mapping[str, str]) -> Box:
    files = {file: digest for file, digest in digests.items() if file == path or file.startswith(f"{path}/")}
    centre = MARGIN + lane * LANE + LANE // 2
    return Box(path, centre, top, digest_of(files) if files else "", next(iter(files), ""))


def _edges(bars: Mapping[str, Bar], boxes: Mapping[str, Box]) -> Iterator[Edge]:
    for step in STEPS:
        bar = bars[step.name]
        for path in step.reads:
            yield Edge(path, step.name, boxes[path].x, boxes[path].top + BOX, bar.top, reads=True)
        for path in step.writes:
            yield Edge(step.name, path, boxes[path].x, bar.top + BAR, boxes[path].top, reads=False)
