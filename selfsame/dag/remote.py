"""Sharing results through the project's DVC remote, the run-cache included."""

from collections.abc import Iterator
from contextlib import contextmanager

from dvc.repo import Repo

from selfsame.core.errors import PassingError, SelfsameError
from selfsame.dag.plan import dvc_message


def check_remote() -> None:
    """Check that there is a default remote, that it can be spoken to, and that DVC checks what comes from it.

    Without ``verify`` DVC takes an object's name for its content: an altered one would be served.

    Raises:
        SelfsameError: saying what to set.
    """
    with _open(SelfsameError) as repo:
        name = repo.config["core"].get("remote")
        if name is None:
            raise SelfsameError("the project has no default DVC remote", "dvc remote add -d store ADDRESS")
        if not repo.config["remote"][name].get("verify"):
            raise SelfsameError(
                f"the DVC remote {name} is not verified: altered bytes would be served",
                f"dvc remote modify {name} verify true",
            )
        repo.cloud.get_remote_odb(name)  # connects to nothing yet


def pull_run_cache() -> str:
    """Fetch what other machines noted of the stages they ran; the outputs follow when one is needed.

    Raises:
        PassingError: the remote can't be reached.
    """
    with _open(PassingError) as repo:
        notes = repo.stage_cache.pull(None)
    return f"{len(notes)} noted runs fetched"


def push() -> str:
    """Send every output of the workspace that the remote lacks, and the notes of all runs.

    Raises:
        PassingError: the remote can't be reached, or didn't take all of it.
    """
    with _open(PassingError) as repo:
        repo.push(run_cache=True)
        # DVC leaves out outputs that git keeps (metrics), yet looks for them on the remote before it takes
        # over a noted run: without them it would run the stage.
        kept_by_git = [out for out in repo.index.outs if out.hash_info and not out.use_cache]
        repo.cloud.push(
            {out.hash_info for out in kept_by_git if repo.cache.local.exists(out.hash_info.value)}
        )
    return "outputs and notes are at the remote"


@contextmanager
def _open(kind: type[SelfsameError]) -> Iterator[Repo]:
    """Open the project, one ``Repo`` a question; whatever goes wrong becomes one of ``kind``."""
    try:
        with Repo(_wait_for_lock=True) as repo:
            yield repo
    except SelfsameError:
        raise
    except Exception as error:  # every kind of remote has a library with exceptions of its own
        raise kind(
            f"DVC: {dvc_message(error)}",
            "check the remote ('dvc remote list'), the network, and that .[s3] or .[ssh] is installed for it",
        ) from error
