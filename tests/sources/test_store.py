"""A pool in an object store, read where it lies, from a server of S3 on this machine."""

import gzip
import io
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryFile
from threading import Barrier
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from openpyxl import Workbook
from PIL import Image
from project import run_task
from ruamel.yaml import YAML
from typer.testing import CliRunner

from selfsame.cli import app
from selfsame.core.errors import PassingError, SelfsameError
from selfsame.core.layout import TO_SCORE
from selfsame.core.tables import TableInfo
from selfsame.erasure.files import require_writable
from selfsame.operation.refresh import refresh, target_of
from selfsame.params.data import Arrays, CaliforniaHousing, DataParams, Images, Table
from selfsame.scoring.score import _new_files
from selfsame.sources import images, store
from selfsame.sources.california_housing import CENSUS
from selfsame.sources.files import Reading, open_table_file
from selfsame.sources.opened import open_source
from selfsame.sources.place import look_through
from selfsame.sources.spill import Spill, read_spilled
from selfsame.sources.store import AwayError, StoreError, list_objects, read_listing, readable

ROWS = 40
PARAMS: dict[str, Any] = {"source": "table", "path": "-", "target_column": "species"}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(autouse=True)
def _environment(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "anyone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "anything")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def upload(folder: Path, server: str) -> str:
    """Put a folder's files into a bucket of its own; return its address."""
    from pyarrow.fs import S3FileSystem, copy_files

    there = S3FileSystem(endpoint_override=server, allow_bucket_creation=True)
    bucket = sha256(str(folder.absolute()).encode()).hexdigest()[:40]
    there.create_dir(bucket)
    copy_files(str(folder), f"{bucket}/pool/main", destination_filesystem=there)
    return f"s3://{bucket}/pool/main"


def put(address: str, name: str, content: bytes, server: str) -> None:
    from pyarrow.fs import S3FileSystem

    there = S3FileSystem(endpoint_override=server)
    with there.open_output_stream(f"{address.removeprefix('s3://')}/{name}") as file:
        file.write(content)


def remove(address: str, server: str) -> None:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    boto3.client("s3", endpoint_url=server).delete_object(Bucket=bucket, Key=key)


def listed(address: str, name: str = "pool.listing") -> Path:
    Path(name).write_text(list_objects(address), encoding="utf-8")
    return Path(name)


def a_table(folder: Path) -> Path:
    """Write labeled rows as CSV and two files of the pool, Parquet and packed CSV."""
    draw = np.random.default_rng(0)
    rows = pa.table({"length": draw.normal(size=ROWS), "width": draw.normal(size=ROWS)})
    species = pa.array(["setosa", "virginica"] * (ROWS // 2))
    folder.mkdir()
    pa_csv.write_csv(rows.append_column("species", species), folder / "labeled.csv")
    (folder / "more").mkdir()
    pq.write_table(rows.slice(3), folder / "more/part-0.parquet")
    text = io.BytesIO()
    pa_csv.write_csv(rows.slice(7), text)
    (folder / "more/part-1.csv.gz").write_bytes(gzip.compress(text.getvalue()))
    (folder / "_SUCCESS").write_bytes(b"")
    return folder


def photos(folder: Path) -> Path:
    draw = np.random.default_rng(0)
    for name in ("cat/1.png", "cat/2.png", "dog/1.jpg", "unlabeled/1.png", "unlabeled/deep/2.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (20, 24, 3), np.uint8)).save(folder / name)
    return folder


def arrays(folder: Path) -> Path:
    folder.mkdir()
    draw = np.random.default_rng(0)
    np.savez(folder / "all.npz", x_train=draw.integers(0, 255, (9, 8, 8), np.uint8), y_train=np.arange(9) % 3)
    return folder


def idx(folder: Path) -> Path:
    folder.mkdir()
    for name, values in (
        ("images", np.arange(4 * 9 * 8, dtype=np.uint8).reshape(4, 9, 8)),
        ("labels", b"abab"),
    ):
        shape = getattr(values, "shape", (4,))
        head = bytes([0, 0, 8, len(shape)]) + np.array(shape, ">u4").tobytes()
        whole = head + np.frombuffer(bytes(values), np.uint8).tobytes()
        (folder / f"train-{name}-idx{len(shape)}-ubyte.gz").write_bytes(gzip.compress(whole))
    return folder


def sheet(folder: Path) -> Path:
    folder.mkdir()
    book = Workbook()
    for row in (["length", "species"], *([number / 7, "ab"[number % 2]] for number in range(20))):
        book.active.append(row)
    book.save(folder / "rows.xlsx")
    return folder


def content(params: DataParams, place: Path) -> tuple[Any, list[Any]]:
    """Return what a source says that it is, and all that it gives."""
    source = open_source(params, place)
    batches = [
        (each.inputs.tobytes(), each.labels.tolist(), each.own, each.kept["file"] if each.kept else None)
        for each in source.batches
    ]
    return source.info, batches


@pytest.mark.parametrize(
    ("make", "params"),
    [
        (a_table, Table.model_validate(PARAMS)),
        (photos, Images.model_validate({"source": "images", "path": "-", "image_size": 8})),
        (arrays, Arrays.model_validate({"source": "arrays", "path": "-"})),
        (idx, Arrays.model_validate({"source": "arrays", "path": "-"})),
        (sheet, Table.model_validate(PARAMS)),
    ],
    ids=["table", "images", "arrays", "idx", "sheet"],
)
@pytest.mark.parametrize("whole_bytes", [store.WHOLE_BYTES, 0], ids=["at once", "in ranges"])
def test_objects_are_read_as_files_are(
    make: Any, params: DataParams, whole_bytes: int, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "WHOLE_BYTES", whole_bytes)
    folder = make(Path("mine"))
    listing = listed(upload(folder, server))
    assert content(params, listing) == content(params, folder)
    assert look_through(listing).skipped == look_through(folder).skipped
    digests = open_source(params, listing).content
    assert len(digests) == (1 if make is photos else len(look_through(folder).files))
    assert {each.name for each in Path().iterdir()} == {"mine", "pool.listing"}, "something was copied"


def test_a_listing_beside_files_is_a_folder_of_its_name(server: str) -> None:
    folder = photos(Path("mine"))
    address = upload(folder / "unlabeled", server)
    both = Path(folder.rename("both"))
    for file in sorted((both / "unlabeled").rglob("*.png")):
        file.unlink()
    (both / "unlabeled/deep").rmdir()
    (both / "unlabeled").rmdir()
    listed(address, "both/unlabeled.listing")
    params = Images.model_validate({"source": "images", "path": "-", "image_size": 8})
    info, ((_, labels, _, _),) = content(params, both)
    assert (info.classes, labels) == (("cat", "dog"), [0, 0, 1, -1, -1])


def test_another_object_than_was_listed_is_not_read(server: str) -> None:
    address = upload(a_table(Path("mine")), server)
    YAML().dump(
        {"data": {**PARAMS, "path": "data/pool.listing"}, "operation": {"refresh_url": address}},
        Path("params.yaml"),
    )
    assert refresh().changed
    assert not refresh().changed
    listing = Path("data/pool.listing")
    labeled = Path("mine/labeled.csv").read_bytes()
    put(address, "labeled.csv", labeled.replace(b"setosa", b"Setosa"), server)
    with pytest.raises(SelfsameError, match=r"labeled\.csv: the store has another object") as caught:
        open_source(Table.model_validate(PARAMS), listing)
    assert "selfsame refresh" in caught.value.fix
    assert refresh().changed
    assert open_source(Table.model_validate(PARAMS), listing).info.classes == ("Setosa", "virginica")
    put(address, "labeled.csv", labeled, server)
    put(address, "new.csv", labeled, server)
    remove(f"{address}/more/part-0.parquet", server)
    assert refresh().message.endswith("4 objects, 1 added, 1 changed, 1 gone")
    listing.write_text("something else", encoding="utf-8")
    assert refresh().changed
    assert target_of(address, Path("data")) == Path("data/main.listing")


def test_what_cannot_be_listed_is_named(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    address = upload(a_table(Path("mine")), server)
    with pytest.raises(SelfsameError, match="no object is there"):
        list_objects(f"{address}/nowhere")
    with pytest.raises(SelfsameError, match="s3://no-such-bucket-here"):
        list_objects("s3://no-such-bucket-here/pool")
    bucket, _, key = address.removeprefix("s3://").partition("/")
    client = boto3.client("s3", endpoint_url=server)
    for name in ("a//b.csv", "a\rb.csv", "../b.csv"):
        client.put_object(Bucket=bucket, Key=f"{key}/{name}", Body=b"x")
        with pytest.raises(SelfsameError, match="no file can be called"):
            list_objects(address)
        client.delete_object(Bucket=bucket, Key=f"{key}/{name}")
    Path("mine/odd.listing").write_text("something else")
    with pytest.raises(SelfsameError, match=r"odd\.listing: no listing of an object store"):
        look_through(Path("mine"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(PassingError, match=address):
        list_objects(address)


@pytest.mark.parametrize(
    ("make", "params"),
    [
        (a_table, Table.model_validate(PARAMS)),
        (photos, Images.model_validate({"source": "images", "path": "-", "image_size": 8})),
        (arrays, Arrays.model_validate({"source": "arrays", "path": "-"})),
    ],
    ids=["table", "images", "arrays"],
)
def test_a_store_in_trouble_ends_the_reading_in_one_sentence(
    make: Any, params: DataParams, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = upload(make(Path("mine")), server)
    listing = listed(address)
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        with pytest.raises(AwayError, match=r"^pool\.listing/.*NETWORK_CONNECTION") as caught:
            content(params, listing)
    assert "\n" not in caught.value.what
    first = sorted(read_listing(listing).objects)[0 if make is not a_table else 2]
    remove(f"{address}/{first}", server)
    with pytest.raises(StoreError, match=f"{first}: the store doesn't have that object any more"):
        content(params, listing)


def test_a_large_object_that_goes_while_it_is_read_is_not_a_broken_file(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "WHOLE_BYTES", 0)
    monkeypatch.setattr(store, "READ_AT_ONCE", 100)
    address = upload(a_table(Path("mine")), server)
    listing = listed(address)
    for name in ("labeled.csv", "more/part-0.parquet"):
        pieces = open_table_file(listing / name, Reading()).pieces(["length"])
        remove(f"{address}/{name}", server)
        with pytest.raises(StoreError, match=f"{name}: the store doesn't have that object any more"):
            list(pieces)
        whole = Path("mine", name).read_bytes()
        put(address, name, whole, server)
        held = readable(listing / name)
        assert not isinstance(held, Path)
        assert held.read(150) == whole[:150]
        put(address, name, whole.replace(b"1", b"2"), server)
        with pytest.raises(StoreError, match=f"{name}: the store has another object there"):
            pa.input_stream(held).read()


def test_photos_of_a_store_are_asked_for_many_at_once(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = photos(Path("mine"))
    for number in range(store.ASKED_AT_ONCE - 5):
        shutil.copy(folder / "cat/1.png", folder / f"unlabeled/more-{number}.png")
    listing = listed(upload(folder, server))
    all_asked = Barrier(store.ASKED_AT_ONCE, timeout=20)
    read = images.read_photo
    monkeypatch.setattr(images, "read_photo", lambda *given: (all_asked.wait(), read(*given))[1])
    content(Images.model_validate({"source": "images", "path": "-", "image_size": 8}), listing)


def test_rows_of_many_files_are_told_apart() -> None:
    with TemporaryFile() as file:
        with Spill(file) as spill:
            for number in (0, 100_000):
                spill.write(number, {"length": pa.array([number])})
        assert [(number, columns["length"][0].as_py()) for number, columns in read_spilled(file)] == [
            (0, 0),
            (100_000, 100_000),
        ]


def test_a_small_table_is_fetched_twice_in_all(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = listed(upload(a_table(Path("mine")), server))
    fetched: list[Path] = []
    opened = store._opened
    monkeypatch.setattr(store, "_opened", lambda path, *rest: (fetched.append(path), opened(path, *rest))[1])
    with TemporaryFile() as spill:
        for _ in open_source(Table.model_validate(PARAMS), listing, spill).batches:
            pass
    assert max(Counter(fetched).values()) == 2, "once for its columns, once for its rows"


@pytest.mark.parametrize("command", ["inspect", "init"])
@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("s3://", "s3://: names no bucket"),
        ("s3:///pool", "s3:///pool: names no bucket"),
        ("gs://mine/pool", "gs://mine/pool: no address that is read"),
    ],
)
def test_an_address_that_is_none_is_refused(command: str, address: str, said: str) -> None:
    Path("presets").mkdir()
    made = CliRunner().invoke(app, [command, address])
    assert isinstance(made.exception, SelfsameError)
    assert made.exception.what.startswith(said)
    assert not Path("params.yaml").exists()


def test_a_published_set_is_read_there_too(server: str) -> None:
    folder = Path("mine")
    folder.mkdir()
    rows = np.random.default_rng(0).uniform(1, 9, (20, len(CENSUS)))
    pa_csv.write_csv(pa.table(dict(zip(CENSUS, rows.T, strict=True))), folder / "census.csv")
    params = CaliforniaHousing(source="california_housing", path="-")
    assert content(params, listed(upload(folder, server))) == content(params, folder)


def test_one_object_is_a_listing_of_one(server: str) -> None:
    address = upload(a_table(Path("mine")), server)
    listing = listed(f"{address}/more/part-0.parquet")
    (file,) = look_through(listing).files
    assert file.name == "part-0.parquet"
    assert pq.read_table(readable(file)).num_rows == ROWS - 3


def test_init_and_inspect_take_an_address(server: str) -> None:
    address = upload(a_table(Path("mine")), server)
    (Path("presets")).symlink_to(Path(__file__).resolve().parent.parent.parent / "presets")
    inspected = CliRunner().invoke(app, ["inspect", address, "--target", "species"])
    assert "3 files" in inspected.output or "labeled.csv" in inspected.output, inspected.output
    assert not Path("data").exists()
    made = CliRunner().invoke(app, ["init", address, "--target", "species"])
    assert made.exit_code == 0, made.output
    written = YAML(typ="safe").load(Path("params.yaml"))
    assert written["operation"]["refresh_url"] == address
    assert written["data"]["path"] == "data/main.listing"
    assert f"selfsame init {address}'" in Path("params.yaml").read_text()
    assert not refresh().changed


def test_predict_takes_an_address(server: str) -> None:
    from selfsame.model.inputs import Scaling
    from selfsame.model.models import Model, save_model
    from selfsame.model.nets import build_net
    from selfsame.params.model import read_model

    info = TableInfo("table", "classification", ("setosa", "virginica"), features=("length", "width"))
    net = read_model({"architecture": "mlp", "widths": [4]})
    model = Model(build_net(net, info), net, info, Scaling((0.0, 0.0), (1.0, 1.0)))
    save_model(Path("model"), model, [{"epoch": 1}])
    address = upload(a_table(Path("mine")), server)
    for place, output in ((address, "there.parquet"), ("mine", "here.parquet")):
        asked = ["predict", place, "--model", "model", "--threads", "1", "-o", output]
        made = CliRunner().invoke(app, asked)
        assert made.exit_code == 0, made.output
    assert pq.read_table("there.parquet").equals(pq.read_table("here.parquet"))


def test_a_stage_writes_the_bytes_that_it_writes_of_files(server: str) -> None:
    folder = a_table(Path("mine"))
    address = upload(folder, server)
    made = {}
    for place in (folder, listed(address)):
        run_task("download", Path(), data={**PARAMS, "path": str(place)})
        made[place] = {file.name: file.read_bytes() for file in Path("data/raw/examples").iterdir()}
    assert len({json.dumps(sorted(each)) for each in made.values()}) == 1
    assert list(made[folder].values()) == list(made[place].values())
    manifest = json.loads(Path("data/raw/manifest.json").read_text())
    etags = {line.split("\t")[2]: line.split("\t")[0] for line in place.read_text().splitlines()[1:]}
    assert f"read in place: 4 objects of {address}/" in manifest["notes"]
    assert manifest["content_sha256"] == {
        name: f"ETag {etags[name]}" for name in etags if not name.startswith("_")
    }


def test_a_listing_is_not_scored(server: str) -> None:
    TO_SCORE.mkdir(parents=True)
    listing = listed(upload(a_table(Path("mine")), server), str(TO_SCORE / "pool.listing"))
    with pytest.raises(SelfsameError, match=f"{listing}: what an object store holds is not scored"):
        _new_files()


def test_rows_in_a_store_are_not_erased(server: str) -> None:
    listing = listed(upload(a_table(Path("mine")), server))
    with pytest.raises(SelfsameError, match="erase can't write the objects") as caught:
        require_writable(Table.model_validate({**PARAMS, "path": str(listing)}))
    assert "in the store" in caught.value.fix
