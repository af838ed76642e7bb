"""Section ``compute``."""

from typing import Annotated, Literal

from pydantic import Field

from selfsame.core.params import Section

MOST_THREADS = 256


class ComputeParams(Section):
    """Where tensors live, how many threads work on them, and how fast steps are made."""

    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        Field(description="Where tensors live; auto is cuda where there is one, else cpu."),
    ] = "auto"
    cpu_threads: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_THREADS,
            description="Threads on a CPU; results are bit-equal only for the same number of them.",
        ),
    ] = 2
    precision: Annotated[
        Literal["float32", "bfloat16"],
        Field(description="Number format in training steps; bfloat16 is faster on a GPU."),
    ] = "float32"
    compile: Annotated[
        bool,
        Field(description="Whether torch.compile compiles training steps: minutes first, faster afterwards."),
    ] = False
