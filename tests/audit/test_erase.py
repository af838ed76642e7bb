"""Rows erased for good: no byte left that can be reached, no other row moved, a receipt that holds."""

import base64
import json
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from PIL import Image
from project import Project
from real_project import commit, execute
from states import OWN, made, with_params

from selfsame.core.annotations import ANNOTATIONS, Annotation, format_annotations

ROLES = ("labeled", "validation", "calibration", "pool", "holdout")
FILES = {"first.csv": 40, "more.csv": 40}
RARE = 50


def rows_of_own() -> list[str]:
    """The row ``RARE`` alone has a color of its own."""
    random = np.random.default_rng(0)
    lines = []
    for row, (a, b) in enumerate(random.normal(size=(80, 2))):
        color = "teal" if row == RARE else "red" if a > 0 else "blue"
        lines.append(f"{a:.9f},{b:.9f},{color},{'yes' if a + b > 0 else 'no'}")
    return lines


@pytest.fixture(scope="module")
def finished_own(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A table of one's own in two files, twice run, pushed; an answer by a person in it."""
    root = tmp_path_factory.mktemp("own") / "project"
    rows, files, start = rows_of_own(), {}, 0
    for name, count in FILES.items():
        files[name] = "a,b,color,kind\n" + "\n".join(rows[start : start + count]) + "\n"
        start += count
    data = {"data": OWN["data"] | {"path": "data/inbox"}}
    split = {"split": {"labels_per_class": 5, "validation_per_class": 5}}
    project = made(root, with_params(data, split), files)
    (root / ANNOTATIONS).write_text(format_annotations([answer(ids_of(project, "pool")[0])]))
    project.run("dvc", "remote", "add", "--quiet", "--default", "store", str(root.with_name("store")))
    with (root / ".gitignore").open("a") as ignored:
        ignored.write("/.scratch/\n")
    execute(project, project.stages[1:])
    commit(project, "an answer")
    project.run("dvc", "push", "--quiet")
    return project


@pytest.fixture
def own(finished_own: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    root = tmp_path / "project"
    shutil.copytree(finished_own.root, root, symlinks=True)
    shutil.copytree(finished_own.root.with_name("store"), root.with_name("store"))
    copy = Project(root)
    copy.run("dvc", "remote", "modify", "store", "url", str(root.with_name("store")))
    commit(copy, "a remote of its own")
    monkeypatch.chdir(root)
    return copy


def answer(example_id: str) -> Annotation:
    return Annotation(example_id, "yes", "Ada", "2026-01-01T00:00:00Z", "margin")


def ids_of(project: Project, role: str) -> list[str]:
    path = project.root / "data/splits" / role
    path = path if path.is_dir() else path.with_suffix(".parquet")
    return ds.dataset(path, format="parquet").to_table(columns=["example_id"]).column(0).to_pylist()


def roles_of(project: Project) -> dict[str, str]:
    return {each: role for role in ROLES for each in ids_of(project, role)}


def places_with(root: Path, words: list[bytes]) -> list[str]:
    """Every file outside of git that has one of these bytes, and every table with one of these ids."""
    found = []
    for path in (file for file in root.rglob("*") if file.is_file() and ".git" not in file.parts):
        content = path.read_bytes()
        if any(word in content for word in words):
            found.append(path.relative_to(root).as_posix())
        elif content[:4] == b"PAR1" and "example_id" in pq.read_schema(path).names:
            ids = pq.read_table(path, columns=["example_id"]).column(0).to_pylist()
            found += [path.as_posix()] if {word.decode() for word in words} & set(ids) else []
    return found


def test_rows_are_erased_everywhere_and_no_other_moves(own: Project, signer: tuple[Path, Path]) -> None:
    private, public = signer
    before = roles_of(own)
    examples = ds.dataset(own.root / "data/raw/examples", format="parquet").to_table().to_pylist()
    place = {row["example_id"]: row["source_row"] for row in examples}
    answered = next(iter((own.root / ANNOTATIONS).read_text().splitlines()[1:])).split(",")[0]
    gone = [answered]
    for name in ("labeled", "validation", "pool", "holdout"):
        fits = (each for each, role in before.items() if role == name and place[each] != RARE)
        gone.append(next(each for each in fits if each not in gone))
    lines = [rows_of_own()[place[each]].encode() for each in gone]
    words = [*(each.encode() for each in gone), *lines, *(line.split(b",")[0] for line in lines)]
    assert len(places_with(own.root, words)) > 10 and places_with(own.root.with_name("store"), words)

    plan = own.selfsame("erase", *gone)
    assert plan.returncode == 0 and "nothing is changed yet" in plan.stdout, plan
    assert "1 lines of data/annotations/labels.csv" in plan.stdout
    assert "of 75, 0 get another role, 0 another id" in plan.stdout
    assert "commits with ids of theirs in data/annotations/labels.csv" in plan.stdout
    assert own.run("git", "status", "--porcelain") == "" and roles_of(own) == before

    done = own.selfsame("erase", *gone, "--yes", "--key", str(private))
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "left:" not in done.stdout
    assert roles_of(own) == {each: role for each, role in before.items() if each not in gone}
    assert places_with(own.root, words) == [] and places_with(own.root.with_name("store"), words) == []
    assert own.run("git", "status", "--porcelain") == ""

    for answer_of in ("taint", "rows"):
        asked = own.selfsame(answer_of, gone[0])
        assert "erased on 20" in asked.stdout + asked.stderr
    told = json.loads(own.selfsame("taint", *gone, "--json").stdout)
    assert told["models"] == [] and set(told["erased"]) == set(gone) and told["examples"] == {}
    verified = own.selfsame("verify", "--key", str(public))
    assert verified.returncode == 0 and "1 attestations" in verified.stdout, verified
    receipt = next((own.root / "attestations").glob("*.json"))
    said = json.loads(base64.b64decode(json.loads(receipt.read_bytes())["payload"]))["predicate"]
    assert said["objectsRemoved"]["cache"] > 10 and said["objectsRemoved"]["remote"] > 10
    assert said["otherRows"] == {"anotherRole": 0, "anotherId": 0} and len(said["modelsBefore"]) > 1
    assert own.repro().ran == ()

    again = own.selfsame("erase", gone[0])
    assert again.returncode == 1 and "erased on 20" in again.stderr
    faults_of_a_receipt(own, receipt, public, rows_of_own()[place[gone[1]]])


def faults_of_a_receipt(own: Project, receipt: Path, public: Path, row: str) -> None:
    """A changed, lost, foreign or broken receipt is found; so is a row that is back."""
    other = own.root.with_name("other.pem")
    making = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(other)]
    subprocess.run(making, check=True, capture_output=True)
    subprocess.run(
        ["openssl", "ec", "-in", str(other), "-pubout", "-out", str(other)], check=True, capture_output=True
    )
    assert "no signature by this key" in own.selfsame("verify", "--key", str(other)).stdout
    content = receipt.read_bytes()
    receipt.write_bytes(content.replace(b"payloadType", b"payloadtype"))
    assert "expected a whole attestation of its name" in own.selfsame("verify").stdout
    receipt.unlink()
    own.run("git", "commit", "-qam", "no receipt")
    assert "expected an attestation that was committed" in own.selfsame("verify").stdout
    own.run("git", "revert", "--no-edit", "HEAD")
    assert own.selfsame("verify", "--key", str(public)).returncode == 0
    with (own.root / "data/inbox/more.csv").open("a") as file:
        file.write(row + "\n")
    execute(own, own.stages)
    commit(own, "it is back")
    back = own.selfsame("verify")
    assert back.returncode == 1 and "it is back in the examples" in back.stdout


def test_a_failed_run_leaves_all_as_it_was(own: Project) -> None:
    labeled = [each for each, role in roles_of(own).items() if role == "labeled"]
    table = pq.read_table(own.root / "data/splits/labeled.parquet").to_pylist()
    gone = [row["example_id"] for row in table if row["label"] == 0 and row["example_id"] in labeled]
    failed = own.selfsame("erase", *gone, "--yes")
    assert failed.returncode == 1 and "split.erased leaves none of 5 labeled rows" in failed.stderr
    assert own.run("git", "status", "--porcelain") == ""
    assert not (own.root / "attestations").exists()
    assert own.selfsame("verify").returncode == 0


def test_a_word_that_goes_with_its_row_gives_others_new_ids(own: Project) -> None:
    """The plan says so with numbers, and answers and withdrawals go by the new ids."""
    from selfsame.core.annotations import read_annotations
    from selfsame.erasure.carry_out import _edited
    from selfsame.erasure.plan import planned
    from selfsame.params.reading import load_section
    from selfsame.params.split import SplitParams

    examples = ds.dataset(own.root / "data/raw/examples", format="parquet").to_table().to_pylist()
    rare = next(row["example_id"] for row in examples if row["source_row"] == RARE)
    (answered,) = read_annotations(ANNOTATIONS)
    withdrawn = next(
        each for each, role in roles_of(own).items() if role == "pool" and each not in (rare, answered)
    )
    own.set("split", exclude=[withdrawn])
    execute(own, own.stages[1:])
    commit(own, "one is withdrawn")
    with planned([rare]) as plan:
        assert len(plan.renamed) == plan.others == 79 and plan.moved > 30
        said = plan.format()
        assert f"of 79, {plan.moved} get another role, 79 another id" in said
        assert "those of column color change with the rows" in said
        with suppress(KeyError), _edited(plan):
            assert list(read_annotations(ANNOTATIONS)) == [plan.renamed[answered]]
            assert load_section("split", SplitParams).exclude == [plan.renamed[withdrawn]]
            raise KeyError  # all is put back
    assert list(read_annotations(ANNOTATIONS)) == [answered]
    assert own.run("git", "status", "--porcelain") == ""


@pytest.mark.parametrize("ending", ["npz", "xlsx"])
def test_arrays_and_excel_files_are_refused_and_nothing_changes(ending: str, own: Project) -> None:
    inbox = own.root / "data/inbox"
    if ending == "npz":
        np.savez(inbox / "own.npz", x=np.zeros((4, 2)), y=np.arange(4) % 2)
        own.set("data", source="arrays")
        refused = "data.source = arrays: erase can't write its files"
    else:
        from openpyxl import Workbook

        book = Workbook()
        for row in ["a,b,color,kind", *rows_of_own()[:40]]:
            book.active.append(row.split(","))
        book.save(inbox / "first.xlsx")
        (inbox / "first.csv").unlink()
        refused = "erase can't write Excel files"
        execute(own, own.stages)
    commit(own, "another form")
    before = own.run("git", "status", "--porcelain", "--ignored")
    done = own.selfsame("erase", ids_of(own, "labeled")[0], "--yes")
    assert done.returncode == 1 and refused in done.stderr, done
    assert own.run("git", "status", "--porcelain", "--ignored") == before


def test_what_cannot_be_erased_is_said(own: Project, real_copy: Project) -> None:
    unknown = own.selfsame("erase", "0" * 32)
    assert unknown.returncode == 1 and "no example of the data has this id" in unknown.stderr
    (own.root / "params.yaml").write_text((own.root / "params.yaml").read_text() + "\n")
    dirty = own.selfsame("erase", "0" * 32)
    assert dirty.returncode == 1 and "params.yaml: not committed" in dirty.stderr
    published = real_copy.selfsame("erase", ids_of(real_copy, "pool")[0])
    assert published.returncode == 1 and "data.source = breast_cancer" in published.stderr


def test_a_photo_is_erased(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its line in the table beside the photos, and without a run: what the plan takes out."""
    from selfsame.erasure.files import copy_without
    from selfsame.params.data import Images
    from selfsame.params.split import SplitParams
    from selfsame.start.survey import look

    root = tmp_path / "photos"
    root.mkdir()
    random = np.random.default_rng(0)
    for number in range(6):
        Image.fromarray(random.integers(0, 256, (8, 8, 3)).astype(np.uint8)).save(root / f"{number}.png")
    lines = ["file,label", *(f"{number}.png,{'ab'[number % 2]}" for number in range(6))]
    (root / "labels.csv").write_bytes("\r\n".join(lines).encode() + b"\r\n")
    params = Images.model_validate({"source": "images", "path": str(root), "image_size": 8})
    found = look(params, SplitParams(), root)
    taken = copy_without(found, params, [2], tmp_path / "copy")
    assert sorted(taken.changed) == [Path("2.png"), Path("labels.csv")]
    assert taken.words == ((root / "2.png").read_bytes(), b"2.png,a")
    left = (tmp_path / "copy" / "labels.csv").read_bytes()
    assert left == (root / "labels.csv").read_bytes().replace(b"2.png,a\r\n", b"")
    after = look(params, SplitParams(), tmp_path / "copy")
    assert not after.faults and after.given is not None and found.given is not None
    assert (after.given.ids == np.delete(found.given.ids, 2, axis=0)).all()


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "parquet", "bom.csv"])
def test_a_row_of_a_table_is_taken_out(ending: str, tmp_path: Path) -> None:
    import gzip

    import pyarrow as pa

    from selfsame.erasure.files import copy_without
    from selfsame.params.data import Table
    from selfsame.params.split import SplitParams
    from selfsame.start.survey import look

    path = tmp_path / f"own.{ending}"
    text = 'a,b,kind\n1,"x, y",yes\n\n2,"two\nlines",no\n3,x,yes\n4,z,no\n5,z,no\n'
    if ending == "parquet":
        pq.write_table(
            pa.table({"a": [1, 2, 3, 4, 5], "b": ["x", "y", "x", "z", "z"], "kind": list("yxyxx")}), path
        )
    else:
        content = b"\xef\xbb\xbf" * (ending == "bom.csv") + text.encode()
        path.write_bytes(gzip.compress(content) if ending.endswith(".gz") else content)
    params = Table.model_validate({"source": "table", "path": str(path), "target_column": "kind"})
    found = look(params, SplitParams(), path)
    copy = tmp_path / "copy" / path.name
    copy.parent.mkdir()
    taken = copy_without(found, params, [1], copy)
    assert taken.changed == (Path(),)
    if ending == "parquet":
        assert pq.read_table(copy).equals(
            pq.read_table(path).filter(pa.array([True, False, True, True, True]))
        )
        return
    read = gzip.decompress if ending.endswith(".gz") else bytes
    assert read(copy.read_bytes()) == read(path.read_bytes()).replace(b'2,"two\nlines",no\n', b"")
    assert taken.words == (b'2,"two\nlines",no',)
