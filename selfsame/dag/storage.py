"""Where DVC keeps bytes, for readers who check them: its local cache and its remotes, by md5."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dvc.exceptions import DvcException
from dvc.repo import Repo

from selfsame.core.errors import SelfsameError
from selfsame.dag.plan import dvc_message


def cache_folder() -> Path:
    """Return the folder of the local cache's objects, relative to the project's root if it is in it."""
    with _read() as repo:
        folder, root = Path(repo.cache.local.path), Path.cwd()
    return folder.relative_to(root) if folder.is_relative_to(root) else folder


class Remote:
    """One of DVC's remotes, of whatever kind; read only.

    Raises:
        SelfsameError: there is no such remote, or DVC can't read its settings.
    """

    def __init__(self, name: str | None = None) -> None:
        with _read() as repo:
            self.name = name or repo.config["core"].get("remote")
            self._objects = repo.cloud.get_remote_odb(self.name, "fetch")

    def place(self, md5: str) -> str:
        """Return the address of the object named ``md5``, whether it is there or not."""
        return self._objects.fs.unstrip_protocol(self._objects.oid_to_path(md5))

    def exists(self, md5: str) -> bool:
        """Tell whether the remote has an object of that name."""
        return self._objects.fs.exists(self._objects.oid_to_path(md5))

    def open(self, md5: str) -> BinaryIO:
        """Open an object's bytes, as they are."""
        return self._objects.fs.open(self._objects.oid_to_path(md5), "rb")


def has_remote() -> bool:
    """Tell whether the project names a default remote."""
    with _read() as repo:
        return bool(repo.config["core"].get("remote"))


@contextmanager
def _read() -> Iterator[Repo]:
    try:
        with Repo() as repo:
            yield repo
    except (DvcException, ImportError) as error:  # a kind of remote whose package isn't installed
        raise SelfsameError(f"DVC: {dvc_message(error)}", "see 'dvc remote list' and 'dvc doctor'") from error
