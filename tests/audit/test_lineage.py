"""What leads to a record is found in an index, which decides nothing by itself."""

import json
from pathlib import Path

import pytest
from toy_project import Project

from selfsame.audit.lineage import INDEX, find_lineage, read_lineage
from selfsame.audit.verify import verify
from selfsame.core.errors import SelfsameError


@pytest.fixture(autouse=True)
def _there(clever_project: Project) -> None:
    INDEX.unlink(missing_ok=True)


def told() -> list[tuple[object, ...]]:
    return [(each.path, each.started, each.outputs, each.md5, each.inputs) for each in find_lineage()[0]]


def test_records_are_found_again_without_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [(each.path, each.started, each.outputs, each.md5, each.inputs) for each in read_lineage()[0]]
    assert told() == whole and len(whole) > 3
    read: list[Path] = []
    reading = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path) or reading(path))
    assert told() == whole and read == [INDEX]
    used = find_lineage()[0][0]
    assert used.params and read == [INDEX, INDEX, used.path]


def test_a_changed_record_is_named_though_it_was_indexed() -> None:
    whole = told()
    path = find_lineage()[0][1].path
    path.write_bytes(path.read_bytes().replace(b"Z", b"Y", 1))
    records, problems = find_lineage()
    assert len(records) == len(whole) - 1 and [each.path for each in problems] == [path.as_posix()]
    path.unlink()
    assert find_lineage()[1] == [] and path.as_posix() not in json.loads(INDEX.read_bytes())


def test_an_index_that_lies_is_found_out_where_it_is_used() -> None:
    told()
    entries = json.loads(INDEX.read_bytes())
    for _, _, leads in entries.values():
        leads["inputs"] = {"seed.txt": "0" * 64}
    INDEX.write_text(json.dumps(entries))
    record = find_lineage()[0][0]
    with pytest.raises(SelfsameError, match="inputs said twice"):
        _ = record.params
    assert verify().problems == []  # which reads every record
    for broken in ("[]", "{", '{"a": 1}'):
        INDEX.write_text(broken)
        assert find_lineage()[0][0].params
