"""Section ``compute``."""

from typing import Literal

from pydantic import Field

from selfsame.core.params import Section


class ComputeParams(Section):
    """Section ``compute``: where tensors live, how many threads work on them, and how fast steps are made."""

    device: Literal["auto", "cpu", "cuda"]
    cpu_threads: int = Field(ge=1)
    precision: Literal["float32", "bfloat16"]
    compile: bool
