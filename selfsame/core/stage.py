"""What a stage is given: parameters, and the paths that ``dvc.yaml`` names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from selfsame.core.graph_file import StageSpec
from selfsame.core.params import Section

AnySection = TypeVar("AnySection", bound=Section)


@dataclass(frozen=True)
class Stage:
    """What a stage's ``main`` is given.

    Attributes:
        inputs: data dependencies of ``dvc.yaml`` by stem; a file that isn't declared can't be found.
        outputs: where to write each declared output, by stem: a temporary sibling, renamed at the end.
        params: the sections that ``dvc.yaml`` declares, checked; another one can't be found.
    """

    spec: StageSpec
    inputs: Mapping[str, Path]
    outputs: Mapping[str, Path]
    params: Mapping[str, Section]

    def section(self, name: str, schema: type[AnySection]) -> AnySection:
        """Return one section, typed."""
        section = self.params[name]
        assert isinstance(section, schema)
        return section
