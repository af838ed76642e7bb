"""Whatever stands in a file that a person may edit or a disk may spoil: it is read, or it is one sentence.

Hypothesis makes the content. ``SELFSAME_FUZZ`` says how many examples each test tries (50 by default).
"""

import copy
import csv
import gzip
import io
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from PIL import Image
from pydantic import TypeAdapter

from selfsame.active.answers import read_answers
from selfsame.audit.lineage import parse_lineage
from selfsame.core.annotations import COLUMNS, read_annotations
from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_stages, read_yaml
from selfsame.model.models import load_model, save_model
from selfsame.params.check import check_params
from selfsame.params.data import DATA
from selfsame.params.split import SplitParams
from selfsame.start.guess import guess
from selfsame.start.survey import survey
from tests.conftest import ROOT

EXAMPLES = int(os.environ.get("SELFSAME_FUZZ", "50"))
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="SELFSAME_FUZZ" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
fewer = settings(fuzzed, max_examples=max(10, EXAMPLES // 5))  # of what takes longer
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([0, 1, -1, 10_000, 1_000_000, 2**31, 2**63, 2**64]),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["", "auto", "1e999", "../..", "/", "~", "${data.path}", "\0", "!!python/object:os.system"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)
PARAMS = [read_yaml(path) for path in sorted((ROOT / "presets").glob("*.yaml"))]


def places(values: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every key."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield (*path, key)
            yield from places(value, (*path, key))


def read_or_said(read: Callable[[], Any]) -> None:
    """Read, or be told in one sentence that has its fix."""
    with suppress(SelfsameError):
        read()


@st.composite
def spoilt(draw: st.DrawFn, content: bytes) -> bytes:
    """Cut, flip, double or replace bytes of a whole file."""
    start = draw(st.integers(0, len(content)))
    end = draw(st.integers(start, min(len(content), start + 200)))
    middle = draw(
        st.one_of(
            st.just(b""),
            st.binary(max_size=30),
            st.text(max_size=20).map(lambda text: text.encode()),
            st.sampled_from(
                [b"\0", b"\xe4", b"{" * 500, b"[" * 500, b"- " * 200, b"&a *a", b"!!binary x", b"\t"]
            ),
        )
    )
    return content[:start] + middle + content[end:]


@fuzzed
@given(st.data())
def test_a_value_of_params(data: st.DataObject) -> None:
    params = copy.deepcopy(data.draw(st.sampled_from(PARAMS)))
    for _ in range(data.draw(st.integers(1, 3))):
        *path, last = data.draw(st.sampled_from(list(places(params))))
        where = params
        for key in path:
            where = where[key]
        where[last] = data.draw(VALUES)
        if data.draw(st.booleans()):
            where[data.draw(st.text(max_size=10))] = data.draw(VALUES)
    read_or_said(lambda: check_params(params))


@fuzzed
@given(spoilt((ROOT / "params.yaml").read_bytes()))
def test_the_text_of_params(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    read_or_said(lambda: check_params(read_yaml(path)))


@fuzzed
@given(spoilt((ROOT / "dvc.yaml").read_bytes()))
def test_the_graph(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    path = tmp_path / "dvc.yaml"
    path.write_bytes(content)
    read_or_said(lambda: read_stages(path))


LABELS = (",".join(COLUMNS) + "\nab,cat,ä,2026-01-01T00:00:00+00:00,margin\n").encode() * 2


@fuzzed
@given(spoilt(LABELS))
def test_the_labels_that_people_gave(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    read_or_said(lambda: read_annotations(path))
    read_or_said(lambda: read_answers(path, "me"))


TASK = {
    "data": {"example_id": "ab"},
    "annotations": [
        {
            "was_cancelled": False,
            "completed_by": {"email": "a@b"},
            "created_at": "2026-01-01",
            "result": [{"value": {"choices": ["cat"]}}],
        }
    ],
}


@fuzzed
@given(st.data())
def test_an_export_of_label_studio(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "answers.json"
    task = copy.deepcopy(TASK)
    *inner, last = data.draw(st.sampled_from(list(places(task))))
    where: Any = task
    for key in inner:
        where = where[key]
    where[last] = data.draw(VALUES)
    path.write_bytes(data.draw(st.just(json.dumps([task]).encode()) | spoilt(json.dumps([task]).encode())))
    read_or_said(lambda: read_answers(path, None))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A net of a few weights."""
    from selfsame.core.tables import TableInfo
    from selfsame.model.inputs import Scaling
    from selfsame.model.models import Model
    from selfsame.model.nets import build_net
    from selfsame.params.model import read_model

    params = read_model({"architecture": "mlp"})
    info = TableInfo("tiny", "classification", ("a", "b"), features=("u", "v"))
    folder = tmp_path_factory.mktemp("model") / "champion"
    torch.manual_seed(0)
    model = Model(build_net(params, info), params, info, Scaling((0.0, 0.0), (1.0, 1.0)), {"training": {}})
    folder.mkdir()
    save_model(folder, model, [{"epoch": 1.0}])
    load_model(folder)
    return folder


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@fuzzed
@given(st.data())
def test_a_models_folder(model: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(sorted(path for path in model.iterdir() if path.suffix != ".csv")))
    whole = path.read_bytes()
    try:
        path.write_bytes(data.draw(spoilt(whole)))
        read_or_said(lambda: load_model(model))
    finally:
        path.write_bytes(whole)


def made(write: Callable[[io.BytesIO], Any]) -> bytes:
    """Return what a writer puts into a file."""
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def _book(file: io.BytesIO) -> None:
    book = Workbook()
    for row in COLUMNS_OF_TABLE:
        book.active.append(row)
    book.save(file)


COLUMNS_OF_TABLE = [["a", "b", "when", "y"]] + [
    [row * 7 % 11 + 0.5, ("red", "blue")[row % 2], f"2024-01-{row % 28 + 1:02}", ("x", "y", "")[row % 3]]
    for row in range(40)
]
CSV = "".join(",".join(map(str, row)) + "\n" for row in COLUMNS_OF_TABLE).encode()
TABLE = pa.table(
    dict(zip(COLUMNS_OF_TABLE[0], map(list, zip(*COLUMNS_OF_TABLE[1:], strict=True)), strict=True))
)
TABLES = {
    "t.csv": CSV,
    "t.tsv": CSV.replace(b",", b"\t").replace(b"\n", b"\r\n"),
    "u.csv": CSV.decode().encode("utf-16"),
    "t.csv.gz": gzip.compress(CSV, mtime=0),
    "t.parquet": made(lambda file: pq.write_table(TABLE, file)),
    "t.xlsx": made(_book),
}
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 9, 9, 3), dtype=np.uint8)


def picture(kind: str) -> Image.Image:
    """Return a picture of a mode."""
    if kind == "I;16":
        return Image.fromarray(PIXELS[0, ..., 0].astype(np.uint16) * 256)
    return Image.fromarray(PIXELS[0]).convert(kind)


def _head(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes()


PHOTOS = {
    f"{kind}.{end}": made(lambda file, kind=kind, end=end: picture(kind).save(file, end))
    for kind, end in (("RGB", "png"), ("P", "png"), ("RGB", "jpeg"), ("CMYK", "jpeg"), ("P", "gif"),
                      ("RGB", "tiff"), ("I;16", "tiff"), ("RGBA", "webp"), ("1", "bmp"), ("RGB", "ppm"))
}  # fmt: skip
ARRAYS = {
    "own.npz": made(lambda file: np.savez(file, x_train=PIXELS, y_train=np.arange(12) % 2)),
    "packed.npz": made(lambda file: np.savez_compressed(file, x_train=PIXELS, y_train=np.arange(12) % 2)),
    "train-images-idx3-ubyte": _head(PIXELS[..., 0]) + PIXELS[..., 0].tobytes(),
    "train-images-idx3-ubyte.gz": gzip.compress(_head(PIXELS[..., 0]) + PIXELS[..., 0].tobytes(), mtime=0),
}


def look(place: Path, **data: Any) -> None:
    """Look at data as ``inspect`` does, with a draw of all roles; what is wrong with them is gathered."""
    params = TypeAdapter(DATA).validate_python({"path": "-", **data})
    for fault in survey(params, SplitParams(labels_per_class="all", validation_per_class=0.25), place).faults:
        assert fault.what and fault.fix


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder that is emptied before each example."""
    return tmp_path / "inbox"


def put(place: Path, files: Mapping[str, bytes]) -> None:
    shutil.rmtree(place, ignore_errors=True)
    for name, content in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)


READINGS = st.fixed_dictionaries(
    {},
    optional={
        "decimal": st.sampled_from([".", ","]),
        "thousands": st.sampled_from([None, ",", "'"]),
        "separator": st.sampled_from([",", ";", "|", " "]),
        "encoding": st.sampled_from(["utf-8", "cp1252", "utf-16", "utf-16-le", "latin-1", "utf-32"]),
        "header": st.booleans(),
        "skip_rows": st.integers(0, 50),
        "target_kind": st.sampled_from(["classification", "regression"]),
        "ignore_columns": st.sampled_from([[], ["b"], "auto"]),
        "category_columns": st.sampled_from([[], ["a"]]),
        "date_columns": st.sampled_from([{}, {"when": None}, {"when": "%d.%m.%Y"}, {"b": "%"}]),
    },
)


@fewer
@given(st.data())
def test_a_table_of_ones_own(place: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(TABLES)))
    put(place, {name: data.draw(spoilt(TABLES[name]))})
    look(place, source="table", target_column=data.draw(st.sampled_from("yab")), **data.draw(READINGS))
    read_or_said(lambda: guess(place, data.draw(st.sampled_from(["y", None]))))


@fewer
@given(st.lists(st.lists(st.text(max_size=6), min_size=1, max_size=4), max_size=8), st.data())
def test_a_table_of_any_words(place: Path, rows: list[list[str]], data: st.DataObject) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, delimiter=data.draw(st.sampled_from(",;\t|"))).writerows([["a", "y"], *rows])
    put(place, {"t.csv": file.getvalue().encode("utf-8", "surrogatepass")})
    look(place, source="table", target_column="y", **data.draw(READINGS))
    read_or_said(lambda: guess(place, "y"))


@fewer
@given(st.data())
def test_photos_of_ones_own(place: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(PHOTOS)))
    put(
        place,
        {
            f"cat/{name}": data.draw(spoilt(PHOTOS[name])),
            **{f"{kind}/{each}": content for kind in ("dog", "cat/more") for each, content in PHOTOS.items()},
        },
    )
    look(place, source="images", image_size=8)
    read_or_said(lambda: guess(place))


@fewer
@given(spoilt(b"file,label\ncat/a.png,x\ndog\\a.png,y\nb.png,\n" * 2))
def test_a_table_beside_photos(place: Path, content: bytes) -> None:
    photo = PHOTOS["RGB.png"]
    put(place, {"labels.csv": content, "cat/a.png": photo, "dog/a.png": photo, "dog/b.png": photo})
    look(place, source="images", image_size=8)


@fewer
@given(st.data())
def test_arrays_of_ones_own(place: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(ARRAYS)))
    labels = (np.arange(12) % 2).astype(np.uint8)
    beside = {} if name.endswith("npz") else {"train-labels-idx1-ubyte": _head(labels) + labels.tobytes()}
    put(place, {name: data.draw(spoilt(ARRAYS[name])), **beside})
    look(place, source="arrays")


@fuzzed
@given(VALUES | st.binary(max_size=60))
def test_a_record_whose_name_fits(content: Any) -> None:
    """Its name is the digest of its bytes, so that only what it says can be wrong."""
    try:
        made = content if isinstance(content, bytes) else json.dumps(content).encode()
    except ValueError:  # a surrogate
        return
    path = Path("lineage/split") / f"{sha256(made).hexdigest()}.json"
    records, problems = parse_lineage({path: made})
    assert not records and len(problems) == 1
