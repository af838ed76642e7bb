"""Section ``compute``."""

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from selfsame.core.params import Section

MOST_THREADS = 256
MOST_WORKERS = 4096
SPREAD = {"engine", "workers", "gpus_per_worker"}  # how work is spread: it changes no byte


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
            description="Threads on a CPU; results are bit-equal only for the same number of them.",
        ),
    ] = 2
    engine: Annotated[
        Literal["local", "ray"],
        Field(
            description="Who works on the parts of a pool: this process, or Ray's workers, on the cluster "
            "that RAY_ADDRESS names or on this machine."
        ),
    ] = "local"
    workers: Annotated[
        int,
        Field(ge=1, le=MOST_WORKERS, description="Parts that Ray works on at once, with cpu_threads each."),
    ] = 2
    gpus_per_worker: Annotated[
        float, Field(ge=0, le=16, description="GPUs that Ray gives to each of its workers.")
    ] = 0.0

    @model_serializer(mode="wrap")
    def _what_decides_bytes(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out what changes no byte: no output tells it, and what was kept holds for all of it."""
        return {name: value for name, value in serialize(self).items() if name not in SPREAD}
