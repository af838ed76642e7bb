"""``params.yaml`` read and checked: each section alone, then all of them together."""

from collections.abc import Callable
from typing import Any

from selfsame.core.graph_file import read_yaml
from selfsame.core.layout import PARAMS_FILE
from selfsame.core.params import Section
from selfsame.params.overrides import Overrides, with_overrides
from selfsame.params.reading import check_sections, refuse
from selfsame.params.registry import AROUND, SECTIONS
from selfsame.params.together import together


def load_params() -> dict[str, Section]:
    """Read and check the whole of ``params.yaml``.

    Raises:
        SelfsameError: naming everything that is wrong with it.
    """
    return check_params(read_yaml(PARAMS_FILE))


def check_params(written: Any, name: str = PARAMS_FILE.name) -> dict[str, Section]:
    """Check what is, or would be, written in ``params.yaml``: each section, then all of them together.

    Raises:
        SelfsameError: naming every key that is unknown, missing, mistyped, out of range, or means nothing
            beside another one.
    """
    sections = check_sections(written, SECTIONS, tuple(AROUND), name)
    refuse(together(sections), name)
    return sections


def check_overrides(overrides: Overrides, log: Callable[[str], None] | None = None) -> dict[str, Section]:
    """Check what ``params.yaml`` would be with overrides, as strictly as the file itself; return it.

    Args:
        log: told what is left out, because it means nothing with the overrides.
    """
    said: list[str] = []
    sections = check_params(with_overrides(read_yaml(PARAMS_FILE), overrides, said))
    if log is not None:
        for line in said:
            log(line)
    return sections
