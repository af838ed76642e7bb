"""Every altered byte is found and named; a sound project, however DVC keeps it, has no problem."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from toy_project import Project

from selfsame.audit.records import Problem
from selfsame.audit.stored import folder_md5
from selfsame.audit.verify import verify
from selfsame.core.errors import SelfsameError

Tampering = Callable[[Project], tuple[str, str]]


def flip(path: Path) -> str:
    """Change one bit in the middle of a file, keeping size, time and mode; return the path."""
    path = path.resolve()
    before = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(content)
    path.chmod(before.st_mode)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return path.relative_to(Path.cwd()).as_posix()


def object_of(content: bytes, suffix: str = "") -> Path:
    md5 = hashlib.md5(content).hexdigest()
    return Path(".dvc/cache/files/md5") / md5[:2] / (md5[2:] + suffix)


def listing_of(folder: str) -> Path:
    (md5,) = re.findall(rf"path: {folder}\n +hash: md5\n +md5: (\w+)\.dir", Path("dvc.lock").read_text())[:1]
    return Path(".dvc/cache/files/md5") / md5[:2] / f"{md5[2:]}.dir"


def change_lock(key: str, path: str) -> str:
    """Change one digit of the md5 that ``dvc.lock`` has for a path, among ``outs`` or ``deps``."""
    lock = Path("dvc.lock").read_text()
    pattern = rf"({key}:\n(?:    [ -] .*\n)*?    - path: {path}\n      hash: md5\n      md5: )(\w)"
    changed, count = re.subn(
        pattern, lambda match: match[1] + ("0" if match[2] != "0" else "1"), lock, count=1
    )
    assert count == 1
    Path("dvc.lock").write_text(changed)
    return path


def output(project: Project) -> tuple[str, str]:
    return "workspace", flip(Path("data/about.txt"))


def output_in_folder(project: Project) -> tuple[str, str]:
    return "workspace", flip(Path("models/champion/part-1.txt"))


def uncached_metric(project: Project) -> tuple[str, str]:
    return "workspace", flip(Path("reports/metrics.txt"))


def deleted_everywhere(project: Project) -> tuple[str, str]:
    object_of(Path("data/about.txt").read_bytes()).unlink()
    Path("data/about.txt").unlink()
    return "missing", "data/about.txt"


def deleted_folder_without_one_object(project: Project) -> tuple[str, str]:
    object_of(Path("models/champion/card.txt").read_bytes()).unlink()
    shutil.rmtree("models/champion")
    return "missing", "models/champion"


def file_removed_from_folder(project: Project) -> tuple[str, str]:
    Path("data/table/part-0.txt").unlink()
    return "workspace", "data/table/part-0.txt"


def file_added_to_folder(project: Project) -> tuple[str, str]:
    Path("data/table/part-2.txt").write_text("one more")
    return "workspace", "data/table/part-2.txt"


def file_added_without_listing(project: Project) -> tuple[str, str]:
    listing_of("data/table").unlink()
    Path("data/table/part-2.txt").write_text("one more")
    return "workspace", "data/table"


def cached_file(project: Project) -> tuple[str, str]:
    return "cache", flip(object_of(Path("data/about.txt").read_bytes()))


def cached_file_of_folder(project: Project) -> tuple[str, str]:
    return "cache", flip(object_of(Path("models/champion/card.txt").read_bytes()))


def cached_listing(project: Project) -> tuple[str, str]:
    return "cache", flip(listing_of("models/champion"))


def lock_of_output(project: Project) -> tuple[str, str]:
    return "workspace", change_lock("outs", "models/champion")


def lock_of_metric(project: Project) -> tuple[str, str]:
    return "workspace", change_lock("outs", "reports/metrics.txt")


def lock_of_input(project: Project) -> tuple[str, str]:
    change_lock("deps", "data/table")
    return "lock", "dvc.lock"


def record_no_statement(project: Project) -> tuple[str, str]:
    content = json.dumps({"_type": "https://in-toto.io/Statement/v1", "subject": []}).encode()
    path = Path("lineage/make") / f"{hashlib.sha256(content).hexdigest()}.json"
    path.write_bytes(content)
    return "record", path.as_posix()


def record_of_another_stage(project: Project) -> tuple[str, str]:
    (path,) = project.records("make")
    shutil.copy(path, "lineage/choose")
    return "record", f"lineage/choose/{path.name}"


def params(project: Project) -> tuple[str, str]:
    return "git", flip(Path("params.yaml"))


def code(project: Project) -> tuple[str, str]:
    return "git", flip(Path("tasks/choose.py"))


def source(project: Project) -> tuple[str, str]:
    return "git", flip(Path("seed.txt"))


def graph(project: Project) -> tuple[str, str]:
    with Path("dvc.yaml").open("a") as file:
        file.write("# a remark\n")
    return "git", "dvc.yaml"


def committed_record(project: Project) -> tuple[str, str]:
    """One that no result in the workspace needs any more."""
    path = Path("lineage/make/0.json")
    path.write_text("{}")
    content = path.read_bytes()
    named = path.rename(path.with_name(f"{hashlib.sha256(content).hexdigest()}.json"))
    project.commit()
    named.unlink()
    return "git", named.as_posix()


ALONE = [
    output,
    output_in_folder,
    uncached_metric,
    deleted_everywhere,
    deleted_folder_without_one_object,
    params,
    code,
    source,
    graph,
    committed_record,
    file_removed_from_folder,
    file_added_to_folder,
    file_added_without_listing,
    cached_file,
    cached_file_of_folder,
    cached_listing,
    lock_of_output,
    lock_of_metric,
    lock_of_input,
    record_no_statement,
    record_of_another_stage,
]


@pytest.mark.parametrize("tamper", ALONE, ids=lambda tamper: tamper.__name__)
def test_one_tampering_is_one_problem_and_named(project: Project, tamper: Tampering) -> None:
    kind, path = tamper(project)
    report = verify()
    # What was altered may make something stale, too; and a lock file that was altered is not the commit's.
    also = [("git", "dvc.lock")] if tamper.__name__.startswith("lock_of") else []
    told = [(problem.kind, problem.path) for problem in report.problems if problem.kind != "stale"]
    assert told == [(kind, path), *also]
    assert report.problems[0].expected != report.problems[0].found
    assert path in report.format().splitlines()[1]


def test_altered_record_is_named_and_leaves_a_gap(project: Project) -> None:
    (record,) = project.records("make")
    flip(record)
    problems = [(problem.kind, problem.path) for problem in verify().problems]
    assert problems[0] == ("record", record.as_posix())
    assert ("chain", "data/about.txt") in problems


def test_deleted_record_leaves_a_gap(project: Project) -> None:
    (record,) = project.records("make")
    record.unlink()
    problems = {(problem.kind, problem.path) for problem in verify().problems}
    (naming,) = project.records("choose")
    gaps = {"data/about.txt", "data/table/part-0.txt", "data/table/part-1.txt"}
    also = {("history", naming.as_posix()), ("git", record.as_posix())}
    assert problems == {("chain", path) for path in gaps} | also


def test_sound_project_has_no_problem(project: Project) -> None:
    report = verify()
    assert report.problems == []
    assert report.checked == {
        "files in the workspace": 7,  # table 2, about 1, champion 3, metrics 1
        "cache objects": 7,  # part-0, part-1, about, card, two listings; the metric for the run cache
        "records": 2,
        "executions in the chain": 2,
        "files as committed": 11,  # graph, parameters, lock, 2 records, tasks 3, seed, 2 of DVC
    }
    assert report.format().startswith("verified: every byte that was read is as it should be\n")
    assert "checked 7 files in the workspace" in report.format()
    told = {"verdict": "verified", "problems": [], "checked": report.checked}
    assert json.loads(json.dumps(report.as_dict())) == told


def test_work_in_progress_is_named_unless_it_is_allowed(project: Project) -> None:
    project.set("title: first", "title: second")
    with Path("tasks/make.py").open("a") as code:
        code.write("# changed\n")
    edited = {"params.yaml", "tasks/make.py"}
    named = {(problem.kind, problem.path) for problem in verify().problems}
    assert named == {(kind, path) for kind in ("git", "stale") for path in edited}
    project.repro()
    assert {(problem.kind, problem.path) for problem in verify().problems} >= {("code", "tasks/make.py")}
    assert verify(uncommitted=True).problems == []
    project.commit()
    assert verify().problems == []


def test_what_no_commit_has_is_named(project: Project) -> None:
    """A run that nobody committed: its lock file and its records can still be replaced unnoticed."""
    project.run("git", "rm", "-q", "--cached", "-r", "dvc.lock", "lineage")
    project.run("git", "commit", "-qm", "taken out")
    named = {problem.path for problem in verify().problems if problem.kind == "git"}
    records = [path.as_posix() for stage in ("make", "choose") for path in project.records(stage)]
    assert named == {"dvc.lock", *records}


def test_outputs_may_be_kept_by_the_cache_alone(project: Project) -> None:
    shutil.rmtree("models")
    Path("data/about.txt").unlink()
    report = verify()
    assert report.problems == []
    assert report.checked["executions in the chain"] == 2
    flip(object_of(b"a table"))
    assert {(problem.kind, problem.path) for problem in verify().problems} == {
        ("cache", object_of(b"a table").as_posix()),
        ("missing", "data/about.txt"),
    }


def test_changed_and_restored_results_have_no_problem(project: Project) -> None:
    project.set("parts: 2", "parts: 3")
    project.repro()
    assert verify(uncommitted=True).problems == []
    project.repro("--single-item", "--force", "make")
    project.set("parts: 3", "parts: 2")
    project.repro("--single-item", "make")  # 'choose' is stale now and its input an older table
    (problem,) = verify(uncommitted=True).problems
    assert (problem.kind, problem.path) == ("stale", "data/table")
    project.repro()
    project.commit()
    assert verify().problems == []


def test_cache_may_be_collected_while_the_workspace_holds_the_bytes(project: Project) -> None:
    shutil.rmtree(".dvc/cache")
    report = verify()
    assert report.problems == [] and report.checked["cache objects"] == 0
    Path("data/about.txt").unlink()
    (problem,) = verify().problems
    assert problem.path == "data/about.txt"
    assert follow(project, problem) == "dvc repro make"
    project.commit()  # the record of that
    assert verify().problems == []


def test_cache_elsewhere_is_found_and_checked(project: Project, tmp_path: Path) -> None:
    shutil.move(".dvc/cache", tmp_path / "shared")
    project.run("dvc", "cache", "dir", "--local", str(tmp_path / "shared"))
    assert verify().checked["cache objects"] == 7
    content = object_of(Path("data/about.txt").read_bytes()).relative_to(".dvc/cache")
    (tmp_path / "shared" / content).chmod(0o644)
    (tmp_path / "shared" / content).write_text("other")
    (problem,) = verify().problems
    assert problem.kind == "cache" and problem.path == (tmp_path / "shared" / content).as_posix()


def follow(project: Project, problem: Problem) -> str:
    """Do what a problem's fix says; return the command that was run."""
    command = re.search(r"'(dvc .+?)'", problem.fix)
    assert command
    if problem.fix.startswith("delete it"):
        path = Path(problem.path)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    project.run(*command[1].split())
    return command[1]


@pytest.mark.parametrize(
    "tamper",
    [output_in_folder, uncached_metric, file_removed_from_folder, cached_file],
    ids=lambda tamper: tamper.__name__,
)
def test_the_fix_of_a_problem_mends_it(project: Project, tamper: Tampering) -> None:
    tamper(project)
    (problem,) = verify().problems
    follow(project, problem)
    project.commit()  # the record, if that ran a stage
    report = verify()
    assert report.problems == [] and report.checked["cache objects"] == 7


def test_folder_digest_is_the_one_of_dvc(project: Project) -> None:
    folder = Path("models/champion")
    files = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    listing = listing_of("models/champion")
    assert folder_md5(files) == listing.parent.name + listing.name


def test_no_lock_file_is_an_error(project: Project) -> None:
    Path("dvc.lock").unlink()
    with pytest.raises(SelfsameError, match=r"dvc\.lock: no such file"):
        verify()


def test_strange_lock_file_is_an_error(project: Project) -> None:
    Path("dvc.lock").write_text("stages: {make: {outs: [{path: data}]}}\n")
    with pytest.raises(SelfsameError, match=r"dvc\.lock: not as DVC writes it"):
        verify()
