"""Section ``monitoring``: how a training can be watched, and what of it outlives a kill."""

from pydantic import Field

from selfsame.core.graph_file import read_yaml
from selfsame.core.params import PARAMS_FILE, Section


class MonitoringParams(Section):
    """Section ``monitoring``; it can't change an output, so editing it reruns nothing."""

    tensorboard: bool
    checkpoint_seconds: float = Field(ge=0)


PARAMS = {"monitoring": MonitoringParams}


def monitoring() -> MonitoringParams:
    """Read the section: no stage declares it, so no stage is given it."""
    return MonitoringParams.model_validate(read_yaml(PARAMS_FILE)["monitoring"])
