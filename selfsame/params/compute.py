"""Section ``compute``."""

from typing import Annotated, Literal

from pydantic import Field

from selfsame.core.params import Section

MOST_THREADS = 256


class ComputeParams(Section):
    """Where tensors live, and how many threads work on them: in trainings and in predictions."""

    device: Annotated[
        Literal["auto", "cpu", "cuda"],
        Field(description="Where tensors live; auto is cuda where there is one, else cpu."),
    ] = "auto"
    cpu_threads: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_THREADS,
            description="Threads on a CPU: families of tables are fitted side by side, with the same bits; a "
            "net's results are bit-equal only for the same number, and with one its second training runs "
            "beside the first, and two threads predict, where a core is idle.",
        ),
    ] = 1
