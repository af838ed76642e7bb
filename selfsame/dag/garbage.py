"""What takes up room and is needed by nothing that can be asked for again.

Kept is whatever the workspace, a commit of any branch or tag, or an experiment names: all that a committed
model can be made or audited from. Provenance records are never touched.
"""

import re
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from selfsame.core.digests import files_under
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import LOCK_FILE, SCRATCH
from selfsame.dag.adapter import unused_objects
from selfsame.dag.places import cache_folder
from selfsame.dag.workspace import DVC_FOLDER, hold_workspace
from selfsame.git import git, head

CHECKPOINTS = SCRATCH / "resume"
TRIAL = (
    DVC_FOLDER / "tmp" / "trial"
)  # left by a trial that was killed; whoever holds the workspace makes it anew
OLD_SECONDS = 24 * 3600  # a training that is under way writes its checkpoint more often


@dataclass(frozen=True)
class Garbage:
    """What can go: objects of DVC's cache, and leftovers of killed trainings and trials."""

    objects: tuple[Path, ...]
    leftovers: tuple[Path, ...]
    object_bytes: int
    leftover_bytes: int

    def format(self, deleted: bool) -> str:
        """Say so in words."""
        lines = [
            f"{len(self.objects):,} objects of DVC's cache that no commit, experiment or file here needs: "
            f"{self.object_bytes / 1e6:,.1f} MB",
            f"{len(self.leftovers):,} leftovers of killed trainings and trials: "
            f"{self.leftover_bytes / 1e6:,.1f} MB",
            "deleted" if deleted else "nothing is deleted yet: add --delete",
        ]
        return "\n".join(lines)


def collect(delete: bool) -> Garbage:
    """Find what can go, and delete it if ``delete``.

    Raises:
        SelfsameError: there is no commit yet, or the cache is shared with other projects.
    """
    if head() is None:
        raise SelfsameError("git has no commit yet: nothing says what is to be kept", "commit the project")
    if cache_folder().is_absolute():
        raise SelfsameError(
            f"DVC's cache is at {cache_folder()}: other projects may need what this one doesn't",
            "see 'dvc gc --projects'",
        )
    with hold_workspace():
        leftovers = tuple(path for path in (*CHECKPOINTS.glob("*"), TRIAL) if _is_old(path))
        written = LOCK_FILE.read_text(encoding="utf-8") if LOCK_FILE.exists() else ""
        locks = written + git("log", "--all", "-p", "--format=", "--", str(LOCK_FILE))
        named = set(re.findall(r"\bmd5: ([0-9a-f]{32})", locks))
        # What git keeps too, as metrics, DVC doesn't count as used, and yet wants to restore a noted run.
        objects = tuple(path for path in unused_objects() if path.parent.name + path.name not in named)
        garbage = Garbage(objects, leftovers, _bytes(objects), _bytes(leftovers))
        if delete:
            for path in objects:
                path.unlink(missing_ok=True)
            for path in leftovers:
                shutil.rmtree(path, ignore_errors=True)
    return garbage


def _is_old(path: Path) -> bool:
    if not path.exists():
        return False
    newest = max(file.lstat().st_mtime for file in (path, *path.rglob("*")))
    return path == TRIAL or time.time() - newest > OLD_SECONDS


def _bytes(paths: Sequence[Path]) -> int:
    return sum(file.lstat().st_size for path in paths for file in files_under(path))
