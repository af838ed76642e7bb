"""Families of tables in operations that ONNX has; what they say is the same up to rounding.

Left out are searches, distances of pairs, solving, and loops whose length a tensor holds.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from selfsame.model import families, fitted

# Chebyshev coefficients of the complementary error function (Press et al., Numerical Recipes, 2007, 6.2.2),
# whose error is below 1.2e-16: runtimes have the function itself in float32 alone.
ERFC = (
    *(-1.3026537197817094, 6.4196979235649026e-1, 1.9476473204185836e-2, -9.561514786808631e-3),
    *(-9.46595344482036e-4, 3.66839497852761e-4, 4.2523324806907e-5, -2.0278578112534e-5),
    *(-1.624290004647e-6, 1.303655835580e-6, 1.5626441722e-8, -8.5238095915e-8, 6.529054439e-9),
    *(5.059343495e-9, -9.91364156e-10, -2.27365122e-10, 9.6467911e-11, 2.394038e-12, -6.886027e-12),
    *(8.94487e-13, 3.13092e-13, -1.12708e-13, 3.81e-16, 7.106e-15, -1.523e-15, -9.4e-17, 1.21e-16, -2.8e-17),
)


def exportable(module: nn.Module) -> nn.Module:
    """Return a family, or a committee of them, in operations that ONNX has."""
    if isinstance(module, nn.Sequential):
        return nn.Sequential(*map(exportable, module))
    for kind, form in FORMS.items():
        if type(module) is kind:
            return form(module)
    return module


class _Features(nn.Module):
    def __init__(self, fitted: families.Features) -> None:
        super().__init__()
        self.fitted = fitted
        self.places = fitted.missing.tolist()

    def forward(self, raw: Tensor) -> Tensor:
        fitted = self.fitted
        rows = raw.double()
        absent = rows.isnan()
        rows = torch.where(absent, fitted.filling, rows)
        if len(fitted.knots):
            rows = self._lines(rows)
        if self.places:
            rows = torch.cat([rows, absent[:, self.places].double()], dim=1)
        return (rows - fitted.mean) @ fitted.projection if len(fitted.projection) else rows

    def _lines(self, rows: Tensor) -> Tensor:
        """Sum, over the pieces between knots, how far a row has come along each."""
        knots, scores = self.fitted.knots, self.fitted.scores
        found = (knots < rows[:, :, None]).sum(dim=2).clamp(1, knots.shape[1] - 1).T
        left, right = knots.gather(1, found - 1), knots.gather(1, found)
        width = right - left
        share = torch.where(width > 0, (rows.T - left) / torch.where(width > 0, width, 1.0), 0.0).clamp(0, 1)
        low, high = scores.gather(1, found - 1), scores.gather(1, found)
        return (low + share * (high - low)).T


class _Trees(nn.Module):
    first: Tensor
    left: Tensor
    right: Tensor
    feature: Tensor
    threshold: Tensor
    value: Tensor
    start: Tensor

    def __init__(self, fitted: fitted.Trees) -> None:
        super().__init__()
        trees, nodes = fitted.feature.shape
        first = torch.arange(trees)[:, None] * nodes
        self.depth = int(fitted.depth)
        self.register_buffer("first", first[:, 0].contiguous())
        self.register_buffer("left", (fitted.left + first).flatten().long())
        self.register_buffer("right", (fitted.right + first).flatten().long())
        self.register_buffer("feature", fitted.feature.flatten().long())
        self.register_buffer("threshold", fitted.threshold.flatten())
        self.register_buffer("value", fitted.value.flatten(0, 1).double())
        self.register_buffer("start", fitted.start)

    def forward(self, rows: Tensor) -> Tensor:
        asked = rows.float().double()
        at = self.first.expand(rows.shape[0], -1)
        for _ in range(self.depth):
            goes_left = asked.gather(1, self.feature[at]) <= self.threshold[at]
            at = torch.where(goes_left, self.left[at], self.right[at])
        return self.start + self.value[at].sum(dim=1)


class _Frequencies(_Trees):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows).clamp(min=fitted.SMALLEST).log()


class _SupportVectors(nn.Module):
    wins: Tensor
    loses: Tensor

    def __init__(self, fitted: fitted.SupportVectors) -> None:
        super().__init__()
        self.fitted, self.count = fitted, int(fitted.classes)
        first, second = torch.triu_indices(self.count, self.count, 1)
        self.register_buffer("wins", nn.functional.one_hot(first, max(self.count, 1)).double())
        self.register_buffer("loses", nn.functional.one_hot(second, max(self.count, 1)).double())

    def forward(self, rows: Tensor) -> Tensor:
        fitted = self.fitted
        near = (-fitted.gamma * _squares(rows, fitted.learned)).exp()
        decided = near @ fitted.dual + fitted.bias
        if not self.count:
            return decided
        won = (decided > 0).double()
        by = decided @ (self.wins - self.loses)
        return won @ self.wins + (1 - won) @ self.loses + by / (3 * (by.abs() + 1))


class _Neighbors(nn.Module):
    def __init__(self, fitted: fitted.Neighbors) -> None:
        super().__init__()
        self.fitted, self.nearest = fitted, int(fitted.nearest)

    def forward(self, rows: Tensor) -> Tensor:
        distance = _squares(rows, self.fitted.learned).sqrt()
        return fitted.mean_of_nearest(distance, self.fitted.said, self.nearest)


class _NeighborsOfClasses(_Neighbors):
    def forward(self, rows: Tensor) -> Tensor:
        return super().forward(rows).log()


class _Kernel(nn.Module):
    def __init__(self, fitted: fitted.Kernel) -> None:
        super().__init__()
        self.fitted = fitted

    def forward(self, rows: Tensor) -> Tensor:
        fitted = self.fitted
        distance = 3**0.5 * _squares(rows / fitted.length, fitted.learned / fitted.length).sqrt()
        return fitted.variance * (1 + distance) * (-distance).exp()


class _ProcessOfValues(nn.Module):
    def __init__(self, fitted: fitted.ProcessOfValues) -> None:
        super().__init__()
        self.kernel, self.fitted = _Kernel(fitted.kernel), fitted

    def forward(self, rows: Tensor) -> Tensor:
        return self.kernel(rows) @ self.fitted.dual


class _ProcessOfClass(nn.Module):
    def __init__(self, fitted: fitted.ProcessOfClass) -> None:
        super().__init__()
        self.kernel, self.fitted = _Kernel(fitted.kernel), fitted
        roots = fitted.roots.diag()
        self.register_buffer("solver", torch.linalg.solve_triangular(fitted.factor, roots, upper=False))

    def forward(self, rows: Tensor) -> Tensor:
        near = self.kernel(rows)
        mean = (near @ self.fitted.dual)[:, None]
        variance = self.fitted.kernel.variance - (near @ self.solver.T).square().sum(dim=1, keepdim=True)
        variance = variance.clamp(min=1e-12)
        widths = torch.tensor(fitted.SIGMOID_WIDTHS, dtype=mean.dtype)
        weights = torch.tensor(fitted.SIGMOID_WEIGHTS, dtype=mean.dtype)
        alpha = 1 / (2 * variance)
        integrals = (
            (torch.pi / alpha).sqrt()
            * _erf(widths * mean * (alpha / (alpha + widths**2)).sqrt())
            / (2 * (variance * 2 * torch.pi).sqrt())
        )
        return (weights * integrals).sum(dim=1) + 0.5 * weights.sum()


class _ProcessOfClasses(nn.Module):
    def __init__(self, fitted: fitted.ProcessOfClasses) -> None:
        super().__init__()
        processes: Any = fitted
        self.processes = nn.ModuleList(_ProcessOfClass(each) for each in processes)

    def forward(self, rows: Tensor) -> Tensor:
        said = torch.stack([each(rows) for each in self.processes], dim=1)
        said = said.clamp(fitted.SMALLEST, 1 - fitted.SMALLEST)
        return (torch.cat([1 - said, said], dim=1) if len(self.processes) == 1 else said).log()


class _Committee(nn.Module):
    def __init__(self, fitted: families.Committee) -> None:
        super().__init__()
        self.members = nn.ModuleList(map(exportable, fitted.members.values()))
        self.weights, self.temperatures = fitted.weight.tolist(), fitted.temperature.tolist()
        self.values = fitted._values

    def forward(self, raw: Tensor) -> Tensor:
        said = [member(raw) / by for member, by in zip(self.members, self.temperatures, strict=True)]
        if not self.values:
            said = [each.softmax(dim=1) for each in said]
        mean = sum(weight * each for weight, each in zip(self.weights, said, strict=True))
        return mean if self.values else mean.log()


FORMS: dict[type[nn.Module], Callable[..., nn.Module]] = {
    families.Features: _Features,
    fitted.Trees: _Trees,
    fitted.Frequencies: _Frequencies,
    fitted.SupportVectors: _SupportVectors,
    fitted.Neighbors: _Neighbors,
    fitted.NeighborsOfClasses: _NeighborsOfClasses,
    fitted.ProcessOfValues: _ProcessOfValues,
    fitted.ProcessOfClasses: _ProcessOfClasses,
    families.Committee: _Committee,
}


def _squares(rows: Tensor, others: Tensor) -> Tensor:
    """Return squared distances (N, R) between rows (N, F) and others (R, F)."""
    squares = rows.square().sum(dim=1, keepdim=True) + others.square().sum(dim=1)
    return (squares - 2 * rows @ others.T).clamp(min=0)


def _erf(values: Tensor) -> Tensor:
    size = values.abs()
    step = 2 / (2 + size)
    twice = 4 * step - 2
    this, last = torch.zeros_like(values), torch.zeros_like(values)
    for coefficient in ERFC[:0:-1]:
        this, last = twice * this - last + coefficient, this
    tail = step * (-size.square() + 0.5 * (ERFC[0] + twice * this) - last).exp()
    return torch.where(values >= 0, 1 - tail, tail - 1)
