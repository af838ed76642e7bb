"""The drawing of the graph says what ``dvc.yaml`` says, and leads to the digests and parameters."""

import re
from pathlib import PurePath

from project import ROOT

from selfsame.core.digests import sha256_json
from selfsame.core.graph_file import read_stages
from selfsame.report.graph import BOX, Drawing, digest_of, draw_graph

STAGES = read_stages(ROOT / "dvc.yaml", resolved=False)


def draw(digests: dict[str, str], told: dict[str, object]) -> Drawing:
    return draw_graph(list(STAGES.values()), digests, told)


def test_every_edge_is_one_of_the_graph_and_none_is_missing() -> None:
    drawn = [(edge.start, edge.end) for edge in draw({}, {}).edges]
    written = [(name, out) for name, spec in STAGES.items() for out in spec.outputs]
    read = [(path, name) for name, spec in STAGES.items() for path in spec.inputs]
    assert sorted(drawn) == sorted(written + read)


def test_a_path_that_is_a_parameter_is_not_told() -> None:
    """The page would follow from a section that no dependency of its stage names."""
    names = {box.path: box.name for box in draw({}, {}).boxes}
    assert names["${data.path}"] == "the source"


def test_lanes_are_few() -> None:
    drawing = draw({}, {})
    assert len({box.x for box in drawing.boxes}) <= 12


def test_nothing_lies_on_anything_else() -> None:
    drawing = draw({}, {})
    places = [(box.x, box.top) for box in drawing.boxes]
    assert len(set(places)) == len(places)
    for edge in drawing.edges:
        assert edge.top < edge.bottom
        passed = [box.path for box in drawing.boxes if box.x == edge.x and edge.top < box.top < edge.bottom]
        assert not passed, f"{edge.start} to {edge.end} runs through {passed}"
    assert max(box.top + BOX for box in drawing.boxes) < drawing.height
    assert all(len(PurePath(box.path).stem) <= 16 for box in drawing.boxes)  # fits its box


def test_a_box_shows_its_digest_and_leads_to_it() -> None:
    digests = {
        "data/splits/pool/part-00000.parquet": "ab" * 32,
        "models/student/config.json": "cd" * 32,
        "models/student/model.safetensors": "ef" * 32,
        "models/student_2/config.json": "12" * 32,
    }
    drawing = draw(digests, {"models/student": {"model.widths": [3]}})
    boxes = {box.path: box for box in drawing.boxes}
    pool, student = boxes["data/splits/pool"], boxes["models/student"]
    assert (pool.digest, pool.link) == ("ab" * 32, "data/splits/pool/part-00000.parquet")
    files = {path: digest for path, digest in digests.items() if path.startswith("models/student/")}
    assert (student.digest, student.link) == (sha256_json(files), "models/student/config.json")
    assert digest_of(files) == student.digest
    assert (boxes["models/baseline"].digest, boxes["models/baseline"].link) == ("", "")
    links = {bar.name: bar.link for bar in drawing.bars if bar.link}
    assert links == {"retrain": "parameters-of-models/student"}


def test_it_is_told_in_words() -> None:
    words = draw({}, {}).words
    assert "download reads the source. split reads examples, reading, labels." in words
    assert re.search(r"retrain reads labeled, .*pseudo_labels\. evaluate reads", words)
