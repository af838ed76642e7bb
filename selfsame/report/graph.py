"""The pipeline's graph as the report draws it: stages are bars, what they write lies in lanes between them.

It is read from ``dvc.yaml``. A lane runs from its box down to the last stage that reads it; an arrow ends on
each bar that does.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from selfsame.core.digests import sha256_json
from selfsame.core.graph_file import PARAMETER, StageSpec

MARGIN, LANE = 118, 104  # pixels: where the stages' names stand, a lane's width
BAR, BOX, BOX_WIDTH, GAP = 26, 36, 98, 20  # pixels: heights of a bar and a box, a box's width, room between


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
        """What a stage calls it; the source's path is in ``params.yaml``, no input of the page."""
        return "the source" if PARAMETER.fullmatch(self.path) else PurePath(self.path).stem


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


def draw_graph(
    stages: Sequence[StageSpec], digests: Mapping[str, str], told: Mapping[str, object]
) -> Drawing:
    """Lay out the graph.

    Args:
        stages: unresolved; what reads a path comes after what writes it.
        digests: sha256 of every file that the page follows from, by path.
        told: what has parameters that are known, by its path.
    """
    lanes = _lanes(stages)
    written = {path for stage in stages for path in stage.outputs}
    boxes = {path: _box(path, lane, 0, digests) for path, lane in lanes.items() if path not in written}
    bars: dict[str, Bar] = {}
    top = BOX + GAP
    for stage in stages:
        link = next((parameters_id(path) for path in stage.outputs if path in told), "")
        bars[stage.name] = Bar(stage.name, top, link)
        below = top + BAR + GAP
        boxes |= {path: _box(path, lanes[path], below, digests) for path in stage.outputs}
        top = below + BOX + GAP
    edges = tuple(_edges(stages, bars, boxes))
    width = MARGIN + LANE * (1 + max(lanes.values()))
    return Drawing(tuple(bars.values()), tuple(boxes.values()), edges, width, top - GAP + 1)


def parameters_id(path: str) -> str:
    """Return the id of the table with the parameters that something was made with."""
    return f"parameters-of-{path}"


def digest_of(files: Mapping[str, str]) -> str:
    """Return the digest of a file, or one of several files' digests and names."""
    return next(iter(files.values())) if len(files) == 1 else sha256_json(dict(files))


def _lanes(stages: Sequence[StageSpec]) -> dict[str, int]:
    """Give every path the first lane that is free from its box down to the last stage that reads it.

    Of what one stage writes, that which is read farthest down comes first; a box alone takes a lane too.
    """
    written = {path: row for row, stage in enumerate(stages) for path in stage.outputs}
    last_read = {path: row for row, stage in enumerate(stages) for path in stage.inputs}
    spans = {path: (written.get(path, -1), last_read.get(path, -1)) for path in {**last_read, **written}}
    lanes: dict[str, int] = {}
    busy_until: list[int] = []  # the row of the last stage, or box, that each lane leads to
    for path, (start, end) in sorted(spans.items(), key=lambda item: (item[1][0], -item[1][1], item[0])):
        free = [lane for lane, until in enumerate(busy_until) if until <= start]
        lane = free[0] if free else len(busy_until)
        busy_until[lane : lane + 1] = [max(end, start + 1)]
        lanes[path] = lane
    return lanes


def _box(path: str, lane: int, top: int, digests: Mapping[str, str]) -> Box:
    files = {file: digest for file, digest in digests.items() if file == path or file.startswith(f"{path}/")}
    centre = MARGIN + lane * LANE + LANE // 2
    return Box(path, centre, top, digest_of(files) if files else "", next(iter(files), ""))


def _edges(stages: Sequence[StageSpec], bars: Mapping[str, Bar], boxes: Mapping[str, Box]) -> Iterator[Edge]:
    for stage in stages:
        bar = bars[stage.name]
        for path in stage.inputs:
            yield Edge(path, stage.name, boxes[path].x, boxes[path].top + BOX, bar.top, reads=True)
        for path in stage.outputs:
            yield Edge(stage.name, path, boxes[path].x, bar.top + BAR, boxes[path].top, reads=False)
