"""Where DVC keeps bytes: the local cache, and the remotes through which machines share results, by md5."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from selfsame.core.errors import PassingError, SelfsameError
from selfsame.dag.adapter import default_remote, is_verified, open_project, push_all, remote_objects

ADVICE = "check the remote ('dvc remote list'), the network, and that .[s3] or .[ssh] is installed for it"


def check_remote() -> None:
    """Check that there is a default remote, that it can be spoken to, and that DVC checks what comes from it.

    Without ``verify`` DVC takes an object's name for its content: an altered one would be served.

    Raises:
        SelfsameError: saying what to set.
    """
    with _ask(SelfsameError) as repo:
        name = default_remote(repo)
        if name is None:
            raise SelfsameError("the project has no default DVC remote", "dvc remote add -d store ADDRESS")
        if not is_verified(repo, name):
            raise SelfsameError(
                f"the DVC remote {name} is not verified: altered bytes would be served",
                f"dvc remote modify {name} verify true",
            )
        remote_objects(repo, name)  # connects to nothing yet


def pull_run_cache() -> str:
    """Fetch what other machines noted of the stages they ran; the outputs follow when one is needed.

    Raises:
        PassingError: the remote can't be reached.
    """
    with _ask(PassingError) as repo:
        notes = repo.stage_cache.pull(None)
    return f"{len(notes)} noted runs fetched"


def push() -> str:
    """Send every output of the workspace that the remote lacks, and the notes of all runs.

    Raises:
        PassingError: the remote can't be reached, or didn't take all of it.
    """
    with _ask(PassingError) as repo:
        push_all(repo)
    return "outputs and notes are at the remote"


def has_remote() -> bool:
    """Tell whether the project names a default remote."""
    with open_project() as repo:
        return bool(default_remote(repo))


class Remote:
    """One of DVC's remotes, of whatever kind.

    Raises:
        SelfsameError: there is no such remote, or DVC can't read its settings.
    """

    def __init__(self, name: str | None = None) -> None:
        with _ask(SelfsameError) as repo:
            self.name = name or default_remote(repo)
            self._objects = remote_objects(repo, self.name)

    def place(self, md5: str) -> str:
        """Return the address of the object named ``md5``, whether it is there or not."""
        return str(self._objects.fs.unstrip_protocol(self._objects.oid_to_path(md5)))

    def exists(self, md5: str) -> bool:
        """Tell whether the remote has an object of that name."""
        return bool(self._objects.fs.exists(self._objects.oid_to_path(md5)))

    def open(self, md5: str) -> BinaryIO:
        """Open an object's bytes, as they are."""
        stored: BinaryIO = self._objects.fs.open(self._objects.oid_to_path(md5), "rb")
        return stored

    def remove(self, md5: str) -> None:
        """Remove the object of that name, which is there."""
        self._objects.fs.remove(self._objects.oid_to_path(md5))


@contextmanager
def _ask(kind: type[SelfsameError]) -> Iterator[Any]:
    """Open the project; whatever goes wrong becomes one of ``kind``."""
    with open_project(kind, ADVICE, Exception) as repo:  # every kind of remote's library has its own errors
        yield repo
