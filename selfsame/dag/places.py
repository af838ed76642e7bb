"""Where DVC keeps its objects: told without loading DVC, if none of its settings speaks of a cache."""

import os
from collections.abc import Callable
from pathlib import Path

from platformdirs import site_config_dir, user_config_dir

DVC, OBJECTS = Path(".dvc"), Path(".dvc/cache/files/md5")
FOLDERS: dict[str, Callable[[str, str], str]] = {
    "DVC_SYSTEM_CONFIG_DIR": site_config_dir,
    "DVC_GLOBAL_CONFIG_DIR": user_config_dir,
}


def says(word: bytes) -> bool:
    """Tell whether DVC's settings, of machine, user or project, may say something of that name."""
    folders = [os.getenv(name) or told("dvc", "iterative") for name, told in FOLDERS.items()]
    files = [*(Path(folder, "config") for folder in folders), DVC / "config", DVC / "config.local"]
    return not DVC.is_dir() or any(word in path.read_bytes() for path in files if path.is_file())


def cache_folder() -> Path:
    """Return the folder of the local cache's objects, relative to the project's root if it is in it."""
    if not says(b"cache"):
        return OBJECTS
    from selfsame.dag.adapter import open_project

    with open_project() as repo:
        folder, root = Path(repo.cache.local.path), Path.cwd()
    return folder.relative_to(root) if folder.is_relative_to(root) else folder
