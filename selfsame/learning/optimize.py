"""Optimizers, learning-rate schedules and the moving average of weights."""

import copy
import math

import torch
from torch import Tensor, nn

from selfsame.params.training import Sgd, StepSchedule, TrainingParams

_STEPS = "/steps"  # no parameter is named so


def build_optimizer(net: nn.Module, params: TrainingParams) -> torch.optim.Optimizer:
    """Build the optimizer; its learning rate is set anew before every step."""
    weights, decay = list(net.parameters()), params.weight_decay
    own = params.optimizer
    fused = True if weights[0].is_cuda else None  # one kernel where there were dozens
    if isinstance(own, Sgd):
        return torch.optim.SGD(
            weights, lr=0.0, momentum=own.momentum, weight_decay=decay, nesterov=own.nesterov, fused=fused
        )
    if own.name == "adam":
        return torch.optim.Adam(weights, lr=0.0, weight_decay=decay, fused=fused)
    return torch.optim.AdamW(weights, lr=0.0, weight_decay=decay, fused=fused)


def learning_rate(params: TrainingParams, progress: float, epoch: int) -> float:
    """Return the learning rate of a step.

    Args:
        progress: the middle of the step, from 0 at the training's start to 1 at its end.
        epoch: the step's epoch, counted from 0.
    """
    warm_up, schedule = params.warm_up_fraction, params.schedule
    if progress < warm_up:
        rise = progress / warm_up
        # one_cycle (Smith and Topin, 2018) starts at 1/25 of the peak and rises along a cosine
        return params.learning_rate * (
            1 / 25 + 24 / 25 * _half_cosine(1 - rise) if schedule.name == "one_cycle" else rise
        )
    if schedule.name == "constant":
        return params.learning_rate
    if isinstance(schedule, StepSchedule):
        return params.learning_rate * schedule.factor ** (epoch // schedule.every_epochs)
    position = (progress - warm_up) / max(1 - warm_up, 1e-9)
    if schedule.name == "cosine_7_16":  # FixMatch (Sohn et al., 2020), section 2.4: ends at a fifth
        return params.learning_rate * math.cos(7 / 16 * math.pi * position)
    return params.learning_rate * _half_cosine(position)


def _half_cosine(position: float) -> float:
    """Fall from 1 at position 0 to 0 at position 1."""
    return 0.5 * (1 + math.cos(math.pi * position))


class MovingAverage:
    """The exponential moving average (EMA) of a net's weights and of its running statistics.

    The decay grows with the number of steps, (1 + t) / (10 + t), until it reaches the one asked for, so
    that the untrained beginning is soon forgotten. With a decay of 0 the average is the net itself.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self._decay, self._steps = decay, 0
        self.net = copy.deepcopy(net).requires_grad_(False) if decay else net
        present = net.state_dict()
        pairs = [(average, present[name]) for name, average in self.net.state_dict().items()]
        self._moved = [pair for pair in pairs if pair[0].is_floating_point()]
        self._counters = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self) -> None:
        """Move the average towards the net's present weights."""
        if not self._decay:
            return
        decay = min(self._decay, (1 + self._steps) / (10 + self._steps))
        self._steps += 1
        averages, present = map(list, zip(*self._moved, strict=True))
        torch._foreach_lerp_(averages, present, 1 - decay)
        for average, counter in self._counters:
            average.copy_(counter)

    def state(self) -> dict[str, Tensor]:
        """Return the average and its age, to go on from there another time; nothing if it is the net."""
        if not self._decay:
            return {}
        return {**self.net.state_dict(), _STEPS: torch.tensor(self._steps)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a state."""
        if self._decay:
            self._steps = int(state[_STEPS])
            self.net.load_state_dict({name: value for name, value in state.items() if name != _STEPS})
