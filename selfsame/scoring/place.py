"""Where a model to predict with is found: a folder, a release, or a git revision of the project."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from selfsame.core.digests import sha256_file
from selfsame.core.errors import SelfsameError
from selfsame.core.layout import RELEASE_MODEL, RELEASE_SUMS


@contextmanager
def model_folder(path: Path, revision: str | None = None) -> Iterator[Path]:
    """Give the folder of a model for a while.

    Args:
        path: the folder, or that of a release which holds it.
        revision: of git; the model's bytes then come from DVC's cache or remote.

    Raises:
        SelfsameError: there is no such revision or model, or a release's file isn't what its sums say.
    """
    if revision is None:
        yield _in_release(path) if (path / RELEASE_SUMS).is_file() else path
        return
    from selfsame.audit.snapshot import Snapshot

    with tempfile.TemporaryDirectory() as scratch:
        for name, place in Snapshot(revision).files(path).items():
            target = Path(scratch, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(place, target)
        yield Path(scratch, path)


def _in_release(release: Path) -> Path:
    """Return the model's folder in a release whose sums hold; ``selfsame verify`` checks its signature."""
    for line in (release / RELEASE_SUMS).read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        if name.startswith(f"{RELEASE_MODEL}/"):
            found = sha256_file(release / name) if (release / name).is_file() else "nothing"
            if found != digest:
                raise SelfsameError(
                    f"{release / name}: expected sha256 {digest}, found {found}",
                    "ask for the release again, from who signed it",
                )
    return release / RELEASE_MODEL
