"""The plan says what DVC says, in words."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from selfsame.core.errors import SelfsameError
from selfsame.dag.plan import RunPlan, read_plan
from tests.conftest import Toy


def reasons(plan: RunPlan) -> dict[str, list[str]]:
    return {step.stage: list(step.reasons) for step in plan.stages if step.reasons}


def edit_unseen(name: str, text: str) -> None:
    """Change a file's content but not its size, modification time or inode."""
    before = Path(name).stat()
    assert len(text) == before.st_size
    with Path(name).open("r+") as file:
        file.write(text)
    os.utime(name, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_fresh_project(toy: Toy) -> None:
    plan = read_plan()
    assert [step.stage for step in plan.stages] == ["prepare", "left", "right", "join"]
    assert {step.stage: set(step.upstreams) for step in plan.stages} == {
        "prepare": set(),
        "left": {"prepare"},
        "right": {"prepare"},
        "join": {"left", "right"},
    }
    assert [str(path) for path in plan.metrics] == ["metrics.json"]
    assert reasons(plan)["left"] == ["it has no record in dvc.lock", "prepare is stale"]
    assert toy.runs() == []


def test_json_shape(done: Toy) -> None:
    done.set("left", value=2)
    assert read_plan().as_json() == [
        {"stage": "prepare", "state": "unchanged", "reasons": []},
        {"stage": "left", "state": "stale", "reasons": ["params.yaml: left.value 1 → 2"]},
        {"stage": "right", "state": "unchanged", "reasons": []},
        {"stage": "join", "state": "stale", "reasons": ["left is stale"]},
    ]


def test_order_is_that_of_dvc(toy: Toy) -> None:
    out = toy.dvc("repro")
    ran = [line.split("'")[1] for line in out.splitlines() if line.startswith("Running stage")]
    assert [step.stage for step in read_plan().stages] == ran


def append(name: str) -> None:
    with Path(name).open("a") as file:
        file.write("more")


@pytest.mark.parametrize(
    ("edit", "name", "stage", "reason"),
    [
        (append, "source.txt", "prepare", "source.txt changed"),
        (os.remove, "source.txt", "prepare", "source.txt is missing"),
        (os.remove, "right.txt", "right", "output right.txt is missing"),
        (append, "join.txt", "join", "output join.txt is not as it was written"),
    ],
)
def test_edits(done: Toy, edit: Callable[[str], None], name: str, stage: str, reason: str) -> None:
    assert reasons(read_plan()) == {}
    edit(name)
    assert reason in reasons(read_plan())[stage]


def test_new_parameter(done: Toy) -> None:
    done.set("join", extra={"deep": 3})
    assert reasons(read_plan()) == {"join": ["params.yaml: join.extra absent → {'deep': 3}"]}


def test_changed_command(done: Toy) -> None:
    text = (
        (done.folder / "dvc.yaml")
        .read_text()
        .replace("stage.py right right.txt", "stage.py  right right.txt")
    )
    (done.folder / "dvc.yaml").write_text(text)
    assert reasons(read_plan()) == {"right": ["its command changed"], "join": ["right is stale"]}


def test_half_a_lock_file(done: Toy) -> None:
    lock = done.folder / "dvc.lock"
    text = lock.read_text()
    lock.write_text(text[: text.index("  right:")])  # the last two in the order of running
    assert set(reasons(read_plan())) == {"right", "join"}
    lock.unlink()
    assert set(reasons(read_plan())) == {"prepare", "left", "right", "join"}


@pytest.mark.parametrize(("name", "text"), [("source.txt", "SOURCE\n"), ("right.txt", "9" * 9)])
def test_rehash_sees_what_dvc_cannot(done: Toy, name: str, text: str) -> None:
    size = (done.folder / name).stat().st_size
    read_plan()  # DVC notes the content of every file
    edit_unseen(name, text[:size].ljust(size, "9"))
    assert reasons(read_plan()) == {}
    assert reasons(read_plan(rehash=True)) != {}
    assert reasons(read_plan()) != {}, "the answer must last: DVC itself sees it from now on"


def test_targets(done: Toy) -> None:
    assert [step.stage for step in read_plan(["left"]).stages] == ["prepare", "left"]
    with pytest.raises(SelfsameError, match="nope"):
        read_plan(["nope"])


def test_broken_graph_is_one_message(toy: Toy) -> None:
    (toy.folder / "dvc.yaml").write_text("stages: {a: {cmd: 1, nonsense: 2}}")
    with pytest.raises(SelfsameError, match=r"dvc\.yaml"):
        read_plan()
