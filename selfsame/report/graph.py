"""The pipeline's graph as the report draws it: a column of stages, and arcs to those that read of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from selfsame.core.digests import sha256_json
from selfsame.core.graph_file import StageSpec

LINE, HEAD = 16, 30  # pixels: height of an output's line, of a box's name
BOX, GAP = 300, 26  # pixels: width of a box, room between two
BEND = 16  # pixels that an arc reaches out further for every stage it passes by


@dataclass(frozen=True)
class Node:
    """A stage's box: its outputs with the first digits of their digests, empty where the page read none."""

    name: str
    outputs: tuple[tuple[str, str], ...]
    top: int

    @property
    def height(self) -> int:
        """Pixels."""
        return HEAD + LINE * len(self.outputs)

    @property
    def middle(self) -> int:
        """Pixels from the top of the drawing."""
        return self.top + self.height // 2


@dataclass(frozen=True)
class Arc:
    """Something that ``start`` wrote and ``end`` reads; neighbours are joined by a straight line."""

    start: Node
    end: Node
    passes: int

    @property
    def path(self) -> str:
        """The line, in SVG's words."""
        if not self.passes:
            return f"M 40 {self.start.top + self.start.height} V {self.end.top}"
        reach = BOX + BEND * (self.passes + 1)
        one, other = self.start.middle, self.end.middle
        return f"M {BOX} {one} C {reach} {one} {reach} {other} {BOX} {other}"


@dataclass(frozen=True)
class Graph:
    """The whole drawing."""

    nodes: tuple[Node, ...]
    arcs: tuple[Arc, ...]

    @property
    def width(self) -> int:
        """Pixels."""
        return BOX + BEND * (1 + max((arc.passes for arc in self.arcs), default=0))

    @property
    def height(self) -> int:
        """Pixels."""
        return self.nodes[-1].top + self.nodes[-1].height

    @property
    def words(self) -> str:
        """The same for those who can't see it."""
        return "; ".join(f"{arc.end.name} reads what {arc.start.name} wrote" for arc in self.arcs)


def draw_graph(stages: Mapping[str, StageSpec], digests: Mapping[str, str]) -> Graph:
    """Lay the stages out one below the other, in the order of ``dvc.yaml``.

    Args:
        digests: sha256 of every file that the report follows from, by path.
    """
    nodes: dict[str, Node] = {}
    top = 1
    for name, spec in stages.items():
        nodes[name] = Node(name, tuple((path, _digest(path, digests)[:8]) for path in spec.outputs), top)
        top += nodes[name].height + GAP
    order = list(stages)
    arcs = [
        Arc(nodes[one], nodes[other], order.index(other) - order.index(one) - 1)
        for one in order
        for other in order
        if set(stages[one].outputs) & set(stages[other].inputs)
    ]
    return Graph(tuple(nodes.values()), tuple(arcs))


def _digest(path: str, digests: Mapping[str, str]) -> str:
    """Return a file's digest, or one of all the files below a folder; empty if there are none."""
    files = {file: digest for file, digest in digests.items() if file.startswith(f"{path}/")}
    return digests.get(path) or (sha256_json(files) if files else "")
