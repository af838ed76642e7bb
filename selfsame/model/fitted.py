"""What scikit-learn has fitted, as buffers that predict by themselves: the families that are no nets.

All that was fitted is a buffer, so that it is saved, loaded and moved like a net's weights, without pickle. A
row's sums have one order, whatever else is in its batch and however many threads there are.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

SMALLEST = 1e-6  # probability: a forest's zero says no more than that no tree has seen it
AS_NEAR = 1e-6  # distances that differ by no more are one: rounding decides nothing
AT_ONCE = 2**22  # values of the largest matrix that a prediction makes
# Weights and widths of five sigmoids whose sum is close to a Gaussian's integral (Williams and Barber, 1998).
SIGMOID_WIDTHS = (0.41, 0.4, 0.37, 0.44, 0.39)
SIGMOID_WEIGHTS = (-1854.8214151, 3516.89893646, 221.29346712, 128.12323805, -2010.49422654)


class Fitted(nn.Module):
    """A module of fitted arrays alone, which take the shapes of what is loaded."""

    def __init__(self, **arrays: Tensor) -> None:
        super().__init__()
        for name in self.__annotations__:
            self.register_buffer(name, arrays.get(name, torch.empty(0)))

    def _load_from_state_dict(self, state: Mapping[str, Tensor], prefix: str, *others: object) -> None:
        for name in self._buffers:
            if (found := state.get(prefix + name)) is not None:
                setattr(self, name, torch.empty_like(found))
        super()._load_from_state_dict(state, prefix, *others)


class Linear(Fitted):
    """``weight`` (F, K) and ``bias`` (K,)."""

    weight: Tensor
    bias: Tensor

    def forward(self, rows: Tensor) -> Tensor:  # noqa: D102
        return rows @ self.weight + self.bias


class Trees(Fitted):
    """The sum of T trees with at most M nodes each, of K outputs.

    Attributes:
        feature, left, right: (T, M) int32: which feature a node asks, and the nodes it leads to; a leaf
            leads to itself.
        threshold: (T, M); a row goes left where its feature, as float32, is at most that.
        value: (T, M, K) what a leaf adds.
        start: (K,) what is there before.
        depth: () of the deepest tree.
    """

    feature: Tensor
    left: Tensor
    right: Tensor
    threshold: Tensor
    value: Tensor
    start: Tensor
    depth: Tensor

    def forward(self, rows: Tensor) -> Tensor:  # noqa: D102
        trees, _, outputs = self.value.shape
        return torch.cat([self._sums(part) for part in rows.float().split(AT_ONCE // (trees * outputs) + 1)])

    def _sums(self, rows: Tensor) -> Tensor:
        trees, nodes = self.feature.shape
        first = torch.arange(trees, device=rows.device)[:, None] * nodes
        left, right = (self.left + first).flatten(), (self.right + first).flatten()
        feature, threshold = self.feature.flatten().long(), self.threshold.flatten()
        at = first[:, 0].expand(len(rows), trees)
        for _ in range(int(self.depth)):
            goes_left = rows.gather(1, feature[at]) <= threshold[at]
            at = torch.where(goes_left, left[at], right[at])
        return self.start + self.value.flatten(0, 1)[at].double().sum(dim=1)


class Frequencies(Trees):
    """A forest whose sum is the probability of each class: logits are its logarithm."""

    def forward(self, rows: Tensor) -> Tensor:  # noqa: D102
        return super().forward(rows).clamp(min=SMALLEST).log()


class SupportVectors(Fitted):
    """Support vector machines of a Gaussian kernel: for values one, for classes one of each pair.

    Attributes:
        learned: (S, F) support vectors.
        dual: (S, P) what each adds, times the kernel, to the decision of each pair (i, j), i < j, in order.
        bias: (P,)
        gamma: () of the kernel.
        classes: () K; 0 of values.
    """

    learned: Tensor
    dual: Tensor
    bias: Tensor
    gamma: Tensor
    classes: Tensor

    def forward(self, rows: Tensor) -> Tensor:
        """Return values (N, 1), or logits (N, K): the pairs that a class wins; by how much breaks ties."""
        decided = torch.cat(
            [self._decide(part) for part in rows.split(AT_ONCE // max(len(self.dual), 1) + 1)]
        )
        classes = int(self.classes)
        if not classes:
            return decided
        first, second = torch.triu_indices(classes, classes, 1, device=rows.device)
        won = torch.zeros(2, len(rows), classes, dtype=decided.dtype, device=rows.device)
        for place in range(decided.shape[1]):
            decision, i, j = decided[:, place], first[place], second[place]
            won[0, :, i] += decision > 0
            won[0, :, j] += decision <= 0
            won[1, :, i] += decision
            won[1, :, j] -= decision
        return won[0] + won[1] / (3 * (won[1].abs() + 1))  # less than a half, as scikit-learn does it

    def _decide(self, rows: Tensor) -> Tensor:
        distance = torch.cdist(rows, self.learned, compute_mode="donot_use_mm_for_euclid_dist")
        return (-self.gamma * distance**2).exp() @ self.dual + self.bias


class Neighbors(Fitted):
    """The mean of what the nearest rows say, all those as near as the last of them included.

    Attributes:
        learned: (R, F) rows.
        said: (R, K) their probabilities, or (R, 1) values.
        nearest: () how many.
    """

    learned: Tensor
    said: Tensor
    nearest: Tensor

    def forward(self, rows: Tensor) -> Tensor:  # noqa: D102
        return torch.cat([self._mean(part) for part in rows.split(AT_ONCE // max(len(self.learned), 1) + 1)])

    def _mean(self, rows: Tensor) -> Tensor:
        distance = torch.cdist(rows, self.learned, compute_mode="donot_use_mm_for_euclid_dist")
        return mean_of_nearest(distance, self.said, int(self.nearest))


def mean_of_nearest(distance: Tensor, said: Tensor, nearest: int) -> Tensor:
    """Return the mean (N, K) of what the nearest of R rows say, for distances (N, R)."""
    last = distance.topk(nearest, largest=False).values[:, -1:]
    near = (distance <= last + AS_NEAR).double()
    return near @ said / near.sum(dim=1, keepdim=True)


class NeighborsOfClasses(Neighbors):
    """Neighbors that tell the probability of each class: logits are its logarithm."""

    def forward(self, rows: Tensor) -> Tensor:  # noqa: D102
        return super().forward(rows).log()


class Kernel(Fitted):
    """Matérn's kernel of smoothness 3/2 between rows and the R rows learned from.

    Attributes:
        learned: (R, F) rows learned from.
        length: (F,) or (1,) length scale of each feature.
        variance: () the kernel of a row with itself.
    """

    learned: Tensor
    length: Tensor
    variance: Tensor

    def forward(self, rows: Tensor) -> Tensor:
        """Return (N, R)."""
        distance = 3**0.5 * torch.cdist(
            rows / self.length, self.learned / self.length, compute_mode="donot_use_mm_for_euclid_dist"
        )
        return self.variance * (1 + distance) * (-distance).exp()


class ProcessOfValues(Fitted):
    """A Gaussian process's mean: the kernel times ``dual`` (R, 1)."""

    dual: Tensor

    def __init__(self, kernel: Kernel | None = None, **arrays: Tensor) -> None:
        super().__init__(**arrays)
        self.kernel = kernel or Kernel()

    def forward(self, rows: Tensor) -> Tensor:  # noqa: D102
        size = max(AT_ONCE // max(len(self.dual), 1), 1)
        return torch.cat([self.kernel(part) @ self.dual for part in rows.split(size)])


class ProcessOfClass(Fitted):
    """The probability of one class: Laplace's approximation (Rasmussen and Williams 2006, algorithm 3.2).

    Attributes:
        dual: (R,) gradient of the labels' likelihood.
        roots: (R,) square roots of its curvature.
        factor: (R, R) lower triangle of ``I + roots K roots``.
    """

    dual: Tensor
    roots: Tensor
    factor: Tensor

    def __init__(self, kernel: Kernel | None = None, **arrays: Tensor) -> None:
        super().__init__(**arrays)
        self.kernel = kernel or Kernel()

    def forward(self, rows: Tensor) -> Tensor:
        """Return probabilities (N,)."""
        size = max(AT_ONCE // max(len(self.dual), 1), 1)
        return torch.cat([self._probabilities(self.kernel(part)) for part in rows.split(size)])

    def _probabilities(self, near: Tensor) -> Tensor:
        mean = near @ self.dual
        solved = torch.linalg.solve_triangular(self.factor, self.roots[:, None] * near.T, upper=False)
        variance = (self.kernel.variance - (solved**2).sum(dim=0)).clamp(min=1e-12)
        widths = torch.tensor(SIGMOID_WIDTHS, dtype=mean.dtype)[:, None]
        weights = torch.tensor(SIGMOID_WEIGHTS, dtype=mean.dtype)[:, None]
        alpha = 1 / (2 * variance)
        gamma = widths * mean
        integrals = (
            (torch.pi / alpha).sqrt()
            * (gamma * (alpha / (alpha + widths**2)).sqrt()).erf()
            / (2 * (variance * 2 * torch.pi).sqrt())
        )
        return (weights * integrals).sum(dim=0) + 0.5 * weights.sum()


class ProcessOfClasses(nn.ModuleList):
    """One process for each class against the others; of two classes one, of the second."""

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits (N, K)."""
        probabilities = torch.stack([each(rows) for each in self], dim=1).clamp(SMALLEST, 1 - SMALLEST)
        if len(self) == 1:
            probabilities = torch.cat([1 - probabilities, probabilities], dim=1)
        return probabilities.log()
