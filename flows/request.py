"""What is asked of a run, checked before anything of it happens."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from selfsame.core.errors import SelfsameError
from selfsame.core.graph_file import read_stages
from selfsame.dag.commit import check_git
from selfsame.dag.storage import check_remote

WORKSPACE_ONLY = ("force", "refresh", "pull", "push", "commit", "rehash")


@dataclass(frozen=True)
class RunRequest:
    """The parameters of a flow run; the flow explains each."""

    targets: list[str] = field(default_factory=list)
    force: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict)
    refresh: bool = False
    pull: bool = False
    push: bool = False
    commit: bool = False
    rehash: bool = False
    wait: bool = True

    def check(self) -> str:
        """Refuse what can't be done, while nothing has been done.

        Returns:
            The branch that the run is to be recorded on, if it is.

        Raises:
            SelfsameError: a name that isn't there, no remote, a repository that takes no commit.
        """
        for target in self.targets:
            require_known("targets: no stage", target, read_stages())
        if self.overrides:
            from selfsame.params.check import check_overrides  # slow to import, and not often needed

            check_overrides(self.overrides)
            for name in WORKSPACE_ONLY:
                if getattr(self, name):
                    raise SelfsameError(
                        f"overrides and {name} don't go together: the workspace stays as it is",
                        f"leave out {name}, or edit params.yaml instead of overriding",
                    )
        if self.pull or self.push:
            check_remote()
        return check_git() if self.commit else ""


def require_known(what: str, name: str, known: Iterable[str]) -> None:
    """Refuse a name that isn't among those known, offering the nearest one."""
    if name not in (known := list(known)):
        nearest = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        raise SelfsameError(
            f"{what} named '{name}'",
            f"did you mean {nearest[0]}?" if nearest else f"one of {', '.join(known)}",
        )
