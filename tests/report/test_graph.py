"""The drawing of the pipeline's graph."""

from selfsame.core.digests import sha256_json
from selfsame.core.graph_file import StageSpec
from selfsame.report.graph import draw_graph


def stage(name: str, reads: tuple[str, ...], writes: tuple[str, ...]) -> StageSpec:
    return StageSpec(name, "", "", (), reads, writes, ())


STAGES = {
    "make": stage("make", (), ("data/table", "data/about.json")),
    "learn": stage("learn", ("data/table",), ("models/net",)),
    "judge": stage("judge", ("data/about.json", "models/net"), ("report.html",)),
}


def test_an_arc_joins_what_is_written_with_who_reads_it() -> None:
    graph = draw_graph(STAGES, {})
    assert [(arc.start.name, arc.end.name, arc.passes) for arc in graph.arcs] == [
        ("make", "learn", 0),
        ("make", "judge", 1),
        ("learn", "judge", 0),
    ]
    assert graph.words.startswith("learn reads what make wrote; judge reads what make wrote")


def test_boxes_stand_below_each_other_and_inside_the_drawing() -> None:
    graph = draw_graph(STAGES, {})
    for above, below in zip(graph.nodes, graph.nodes[1:], strict=False):
        assert above.top + above.height < below.top
    assert graph.height == graph.nodes[-1].top + graph.nodes[-1].height


def test_an_output_shows_the_digest_of_its_file_or_of_all_its_files() -> None:
    parts = {"data/table/0": "aa" * 32, "data/table/1": "bb" * 32}
    graph = draw_graph(STAGES, {"data/about.json": "cd" * 32, **parts})
    assert graph.nodes[0].outputs == (("data/table", sha256_json(parts)[:8]), ("data/about.json", "cdcdcdcd"))
    assert graph.nodes[1].outputs == (("models/net", ""),)
