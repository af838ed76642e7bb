"""Changes by somebody who knows how the project works: each is named, and the verdict is the right one."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
from clever import Change, edit, judge, lock_of, section
from toy_project import Project

from selfsame.audit.verify import verify


def code_that_no_stage_reads(project: Project) -> tuple[str, str]:
    edit("selfsame/audit/page.py", "42", "43")
    return "dirty", "selfsame/audit/page.py"


def code_of_a_flow(project: Project) -> tuple[str, str]:
    edit("flows/pipeline.py", "42", "43")
    return "dirty", "flows/pipeline.py"


def object_of_an_earlier_run(project: Project) -> tuple[str, str]:
    content = b"2 of 3: seed 1\n"
    md5 = hashlib.md5(content).hexdigest()
    path = Path(".dvc/cache/files/md5") / md5[:2] / md5[2:]
    path.chmod(0o644)
    path.write_bytes(b"2 of 4: seed 1\n")
    return "broken", path.as_posix()


def library_hidden_by_a_file(project: Project) -> tuple[str, str]:
    Path("uuid.py").write_text("def uuid4(): return 'mine'\n")
    return "dirty", "uuid.py"


def code_that_git_ignores(project: Project) -> tuple[str, str]:
    Path(".git/info/exclude").write_text("evil.py\n")
    Path("tasks/evil.py").write_text("import os\n")
    return "dirty", "tasks/evil.py"


def edit_behind_a_filter(project: Project) -> tuple[str, str]:
    clean = Path("tasks/make.py").read_text()
    Path("honest.py").write_text(clean)
    project.run("git", "config", "filter.hide.clean", "cat honest.py")
    Path(".git/info/attributes").write_text("tasks/make.py filter=hide\n")
    edit("tasks/make.py", "a table", "a tale")
    project.run("git", "add", "tasks/make.py")
    assert project.run("git", "status", "--porcelain") == "?? honest.py"
    return "stale", "tasks/make.py"


def edit_behind_a_replaced_object(project: Project) -> tuple[str, str]:
    edit("tasks/choose.py", "card.txt", "kard.txt")
    true = project.run("git", "rev-parse", "HEAD:tasks/choose.py")
    project.run("git", "replace", true, project.run("git", "hash-object", "-w", "tasks/choose.py"))
    return "stale", "tasks/choose.py"


def edit_that_git_was_told_to_overlook(project: Project) -> tuple[str, str]:
    project.run("git", "update-index", "--assume-unchanged", "flows/pipeline.py")
    edit("flows/pipeline.py", "42", "43")
    return "dirty", "flows/pipeline.py"


def lock_of_an_earlier_table(project: Project) -> tuple[str, str]:
    """The second stage claims what the first made in another run; the models stay."""
    now, then = Path("dvc.lock").read_text(), lock_of(project, "HEAD~1")
    Path("dvc.lock").write_text(now.replace(section(now, "make"), section(then, "make")))
    project.run("dvc", "checkout", "--quiet", "--force", "data/table", "data/about.txt")
    project.commit()
    return "stale", "data/table"


def all_of_an_earlier_table_but_the_result(project: Project) -> tuple[str, str]:
    """The lock tells one story from end to end, but nobody ever ran it."""
    now, then = Path("dvc.lock").read_text(), lock_of(project, "HEAD~1")
    table = re.search(r"path: data/table\n      hash: md5\n(?:      .*\n)+", section(then, "make"))
    old = re.search(r"path: data/table\n      hash: md5\n(?:      .*\n)+", section(now, "choose"))
    assert table and old
    told = now.replace(section(now, "make"), section(then, "make"))
    Path("dvc.lock").write_text(told.replace(old[0], table[0]))
    edit("params.yaml", "parts: 2", "parts: 3")
    project.run("dvc", "checkout", "--quiet", "--force", "data/table", "data/about.txt")
    project.commit()
    return "broken", "dvc.lock"


def stage_dropped_from_the_lock(project: Project) -> tuple[str, str]:
    lock = Path("dvc.lock").read_text()
    Path("dvc.lock").write_text(lock.replace(section(lock, "choose"), ""))
    Path("models/champion/card.txt").unlink()
    Path("models/champion/card.txt").write_text("better")
    project.commit()
    return "incomplete", "models/champion"


def parameters_without_a_run(project: Project) -> tuple[str, str]:
    edit("params.yaml", "title: first", "title: second")
    project.commit()
    return "stale", "params.yaml"


def parameters_in_the_lock_too(project: Project) -> tuple[str, str]:
    edit("params.yaml", "title: first", "title: second")
    edit("dvc.lock", "title: first", "title: second")
    project.commit()
    return "broken", "dvc.lock"


def command_in_the_lock_too(project: Project) -> tuple[str, str]:
    edit("dvc.yaml", "python -m tasks.choose", "python -m tasks.choose --kindly")
    edit("dvc.lock", "python -m tasks.choose", "python -m tasks.choose --kindly")
    project.commit()
    return "broken", "dvc.lock"


def source_without_a_run(project: Project) -> tuple[str, str]:
    Path("seed.txt").write_text("seed 2\n")
    project.commit()
    return "stale", "seed.txt"


def link_in_the_place_of_code(project: Project) -> tuple[str, str]:
    shutil.move("flows/pipeline.py", project.root.with_name("elsewhere.py"))
    Path("flows/pipeline.py").symlink_to(project.root.with_name("elsewhere.py"))
    return "dirty", "flows/pipeline.py"


def link_in_the_place_of_an_output(project: Project) -> tuple[str, str]:
    shutil.move("models/champion/card.txt", project.root.with_name("card.txt"))
    Path("models/champion/card.txt").symlink_to(project.root.with_name("card.txt"))
    return "broken", "models/champion/card.txt"


def code_edited_run_and_restored(project: Project) -> tuple[str, str]:
    before = Path("tasks/make.py").read_text()
    edit("tasks/make.py", "a table", "a tale")
    project.repro()
    Path("tasks/make.py").write_text(before)
    project.run("dvc", "commit", "--quiet", "--force")
    project.commit()
    return "broken", "dvc.lock"


def code_edited_and_run_alone(project: Project) -> tuple[str, str]:
    """What ran was never committed, and the bytes are the same as before."""
    edit("tasks/make.py", "import run_stage", "import run_stage  # noqa")
    project.repro("--force")
    project.run("git", "stash", "push", "--quiet", "tasks/make.py")
    project.commit()
    return "stale", "tasks/make.py"


def old_record_deleted(project: Project) -> tuple[str, str]:
    then = Path(project.run("git", "ls-tree", "--name-only", "HEAD~2", "lineage/make/").split()[0])
    record = next(path for path in project.records("make") if path != then)
    record.unlink()
    project.commit()
    return "broken", record.as_posix()


def record_backdated(project: Project) -> tuple[str, str]:
    old = max(project.records("choose"), key=lambda path: path.stat().st_mtime)
    content = re.sub(rb'"(started|finished)On": "2\d\d\d', rb'"\1On": "2001', old.read_bytes())
    old.unlink()
    (old.parent / f"{hashlib.sha256(content).hexdigest()}.json").write_bytes(content)
    project.commit()
    return "broken", old.as_posix()


def result_forged_with_its_records(project: Project) -> tuple[str, str]:
    """Another table from the same seed, all records of it made up, the true ones left where they are."""
    Path("data/about.txt").unlink()
    Path("data/about.txt").write_text("a tale")
    record = max(project.records("make"), key=lambda path: path.stat().st_mtime)
    statement = json.loads(record.read_bytes())
    for subject in statement["subject"]:
        if subject["name"] == "data/about.txt":
            content = Path("data/about.txt").read_bytes()
            subject["digest"] = {
                "sha256": hashlib.sha256(content).hexdigest(),
                "md5": hashlib.md5(content).hexdigest(),
            }
    text = json.dumps(statement, indent=2).encode()
    forged = record.parent / f"{hashlib.sha256(text).hexdigest()}.json"
    forged.write_bytes(text)
    project.run("dvc", "commit", "--quiet", "--force", "make")
    project.commit()
    return "broken", "lineage/make/"


def record_lost_in_a_merge(project: Project) -> tuple[str, str]:
    lost = project.records("make")[0]
    main = project.run("git", "branch", "--show-current")
    project.run("git", "checkout", "-q", "-b", "side", "HEAD~1")
    Path("note.txt").write_text("a side")
    project.commit()
    project.run("git", "checkout", "-q", main)
    project.run("git", "merge", "-q", "--no-ff", "--no-commit", "side")
    lost.unlink()
    project.commit()
    return "broken", lost.as_posix()


def record_thrown_away_before_it_was_committed(project: Project) -> tuple[str, str]:
    project.set("title: first", "title: tried")
    project.repro()
    (tried,) = (path for path in project.records("choose") if '"tried"' in path.read_text())
    project.set("title: tried", "title: chosen")
    project.repro()
    tried.unlink()
    project.commit()
    return "incomplete", "lineage/choose/"


CHANGES = [
    code_that_no_stage_reads,
    code_of_a_flow,
    object_of_an_earlier_run,
    library_hidden_by_a_file,
    code_that_git_ignores,
    edit_behind_a_filter,
    edit_behind_a_replaced_object,
    edit_that_git_was_told_to_overlook,
    lock_of_an_earlier_table,
    all_of_an_earlier_table_but_the_result,
    stage_dropped_from_the_lock,
    parameters_without_a_run,
    parameters_in_the_lock_too,
    command_in_the_lock_too,
    source_without_a_run,
    link_in_the_place_of_code,
    link_in_the_place_of_an_output,
    code_edited_run_and_restored,
    code_edited_and_run_alone,
    old_record_deleted,
    record_backdated,
    result_forged_with_its_records,
    record_lost_in_a_merge,
    record_thrown_away_before_it_was_committed,
]


def test_nothing_is_wrong_before(clever_project: Project) -> None:
    assert verify().problems == []


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_clever_change_is_named(clever_project: Project, change: Change) -> None:
    judge(clever_project, change)
