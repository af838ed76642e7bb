"""Section ``resources``: what stages may use of this and other machines; no stage declares it."""

from typing import Annotated, Literal

from pydantic import Field

from selfsame.core.params import Section

MOST_WORKERS = 4096


class ResourcesParams(Section):
    """How work is spread and what it may hold; outputs are the same whatever stands here."""

    engine: Annotated[
        Literal["local", "ray"],
        Field(
            description="Who works on the parts of a pool: the stage's process, or Ray's workers, on the "
            "cluster that RAY_ADDRESS names or on this machine."
        ),
    ] = "local"
    memory_gb: Annotated[
        float | None,
        Field(
            gt=0,
            description="10⁹ bytes of a pool's inputs that a training holds in memory: a larger pool is "
            "mapped from a file in .scratch; null: any pool is held.",
        ),
    ] = None
    workers: Annotated[
        int,
        Field(
            ge=1,
            le=MOST_WORKERS,
            description="Parts that Ray works on at once, each with compute.cpu_threads.",
        ),
    ] = 2
    gpus_per_worker: Annotated[
        float, Field(ge=0, le=16, description="GPUs that Ray gives to each of its workers.")
    ] = 0.0
