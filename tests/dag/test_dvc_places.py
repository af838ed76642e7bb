"""Where DVC's objects lie is told as DVC tells it, whatever its settings are."""

import os
from pathlib import Path

import pytest
from dvc.repo import Repo

from selfsame.dag.adapter import open_project
from selfsame.dag.places import OBJECTS, cache_folder, says
from selfsame.dag.storage import has_remote

SETTINGS = """
[core]
    no_scm = true
    remote = store
[cache]
    dir = {place}/elsewhere
['remote "store"']
    url = {place}
"""


@pytest.mark.parametrize("file", [None, ".dvc/config", ".dvc/config.local", "global/config", "system/config"])
def test_places_are_dvcs(file: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("global", "system"):
        monkeypatch.setenv(f"DVC_{name.upper()}_CONFIG_DIR", str(tmp_path / name))
    Repo.init(no_scm=True).close()
    if file:
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(SETTINGS.format(place=tmp_path))
    with open_project() as repo:
        assert cache_folder() == Path(os.path.relpath(repo.cache.local.path))
    assert (cache_folder() == OBJECTS) == (file is None)
    assert has_remote() == says(b"remote") == (file is not None)
