"""Section ``monitoring``: how a training can be watched."""

from selfsame.core.params import Section


class MonitoringParams(Section):
    """Section ``monitoring``; it can't change an output, so editing it reruns nothing."""

    tensorboard: bool


PARAMS = {"monitoring": MonitoringParams}
