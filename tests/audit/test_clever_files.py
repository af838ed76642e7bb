"""Further clever changes: to files, links, notes of DVC and git, and records as files."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path

import pytest
from clever import Change, edit, judge, section
from toy_project import Project


def cached(content: bytes) -> Path:
    md5 = hashlib.md5(content).hexdigest()
    return Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]


def write_as_before(path: Path, content: bytes) -> None:
    """Put other bytes in a file's place, with the times that it had."""
    status = path.stat()
    path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def file_added_to_a_result(project: Project) -> tuple[str, str]:
    Path("data/table/part-9.txt").write_text("9 of 2: seed 1\n")
    return "broken", "data/table/part-9.txt"


def result_of_the_same_size_and_time(project: Project) -> tuple[str, str]:
    path = Path("models/champion/card.txt")
    write_as_before(path, path.read_bytes().replace(b"a table", b"a tidbit"[:7]))
    return "broken", "models/champion/card.txt"


def source_of_the_same_size_and_time(project: Project) -> tuple[str, str]:
    write_as_before(Path("seed.txt"), b"seed 2\n")
    return "stale", "seed.txt"


def two_objects_swapped(project: Project) -> tuple[str, str]:
    one, two = cached(b"0 of 2: seed 1\n"), cached(b"1 of 2: seed 1\n")
    contents = one.read_bytes(), two.read_bytes()
    write_as_before(one, contents[1])
    write_as_before(two, contents[0])
    return "broken", one.as_posix()


def object_emptied(project: Project) -> tuple[str, str]:
    path = cached(b"a table")
    write_as_before(path, b"")
    return "broken", path.as_posix()


def listing_of_a_folder_edited(project: Project) -> tuple[str, str]:
    path = next(Path(".dvc/cache/files/md5").glob("??/*.dir"))
    write_as_before(path, path.read_bytes().replace(b"part-0", b"part-7"))
    return "broken", path.as_posix()


def folder_that_is_a_link(project: Project) -> tuple[str, str]:
    shutil.move("data/table", project.root.with_name("table"))
    Path("data/table").symlink_to(project.root.with_name("table"))
    return "broken", "data/table"


def package_hidden_by_a_folder(project: Project) -> tuple[str, str]:
    Path("numpy").mkdir()
    Path("numpy/__init__.py").write_text("")
    return "dirty", "numpy"


def edit_that_git_was_told_to_skip(project: Project) -> tuple[str, str]:
    project.run("git", "update-index", "--skip-worktree", "tasks/choose.py")
    edit("tasks/choose.py", "card.txt", "kard.txt")
    return "stale", "tasks/choose.py"


def code_left_out_by_a_sparse_checkout(project: Project) -> tuple[str, str]:
    project.run("git", "update-index", "-q", "--refresh")
    project.run("git", "sparse-checkout", "set", "--no-cone", "/*", "!/flows/")
    assert not Path("flows/pipeline.py").exists()
    return "dirty", "flows/pipeline.py"


def other_remote_in_the_settings(project: Project) -> tuple[str, str]:
    project.run("dvc", "remote", "add", "--quiet", "--default", "mine", "/nowhere")
    return "dirty", ".dvc/config"


def graph_edited_without_a_run(project: Project) -> tuple[str, str]:
    edit("dvc.yaml", "python -m tasks.choose", "python -m tasks.choose --kindly")
    project.commit()
    return "stale", "dvc.yaml"


def output_renamed_in_the_graph(project: Project) -> tuple[str, str]:
    edit("dvc.yaml", "outs: [models/champion]", "outs: [models/winner]")
    project.commit()
    return "stale", "dvc.yaml"


def dependency_dropped_from_graph_and_lock(project: Project) -> tuple[str, str]:
    """Nothing would be made again when the seed changes."""
    edit("dvc.yaml", "deps: [tasks/make.py, seed.txt]", "deps: [tasks/make.py]")
    lock = Path("dvc.lock").read_text()
    own = re.search(r"    - path: seed.txt\n(?:      .*\n)+", lock)
    assert own
    Path("dvc.lock").write_text(lock.replace(own[0], ""))
    project.commit()
    return "broken", "dvc.lock"


def stage_invented_in_the_lock(project: Project) -> tuple[str, str]:
    lock = Path("dvc.lock").read_text()
    made = section(lock, "choose").replace("  choose:", "  checked:", 1)
    Path("dvc.lock").write_text(lock + made)
    project.commit()
    return "stale", "stage checked"


def record_moved_to_another_stage(project: Project) -> tuple[str, str]:
    record = project.records("choose")[0]
    shutil.move(record, Path("lineage/make") / record.name)
    project.commit()
    return "broken", record.name


def record_that_is_a_link(project: Project) -> tuple[str, str]:
    record = project.records("choose")[0]
    shutil.move(record, project.root.with_name(record.name))
    record.symlink_to(project.root.with_name(record.name))
    return "dirty", record.as_posix()


def record_without_those_before_it(project: Project) -> tuple[str, str]:
    """A later record, made anew so that it names none before it, and the one before taken away."""
    record = max(project.records("choose"), key=lambda path: path.stat().st_mtime)
    statement = json.loads(record.read_bytes())
    statement["predicate"]["buildDefinition"]["internalParameters"]["previous"] = []
    text = json.dumps(statement, indent=2, ensure_ascii=False).encode() + b"\n"
    record.unlink()
    (record.parent / f"{hashlib.sha256(text).hexdigest()}.json").write_bytes(text)
    project.commit()
    return "broken", record.as_posix()


CHANGES = [
    file_added_to_a_result,
    result_of_the_same_size_and_time,
    source_of_the_same_size_and_time,
    two_objects_swapped,
    object_emptied,
    listing_of_a_folder_edited,
    folder_that_is_a_link,
    package_hidden_by_a_folder,
    edit_that_git_was_told_to_skip,
    code_left_out_by_a_sparse_checkout,
    other_remote_in_the_settings,
    graph_edited_without_a_run,
    output_renamed_in_the_graph,
    dependency_dropped_from_graph_and_lock,
    stage_invented_in_the_lock,
    record_moved_to_another_stage,
    record_that_is_a_link,
    record_without_those_before_it,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_clever_change_is_named(clever_project: Project, change: Change) -> None:
    judge(clever_project, change)
