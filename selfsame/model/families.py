"""Models of tables that are no nets: features, one family or a committee of several.

They take raw rows, missing values (NaN) included, and give what a net gives: logits (N, K) or standardised
values (N, 1).
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from selfsame.model.fitted import (
    Fitted,
    Frequencies,
    Linear,
    Neighbors,
    NeighborsOfClasses,
    ProcessOfClass,
    ProcessOfClasses,
    ProcessOfValues,
    SupportVectors,
    Trees,
)


class Features(Fitted):
    """Raw rows (N, F) as a family sees them: float64, nothing missing.

    Attributes:
        filling: (F,) what a missing value becomes.
        knots, scores: (F, Q) a feature's values and what they become, with straight lines between them.
        missing: (M,) features whose absence is a further feature, 1 where missing.
        mean, projection: (D,) and (D, C) of what is projected on few directions; empty if nothing is.
    """

    filling: Tensor
    knots: Tensor
    scores: Tensor
    missing: Tensor
    mean: Tensor
    projection: Tensor

    def forward(self, raw: Tensor) -> Tensor:
        """Return features (N, F + M), or (N, C)."""
        rows = raw.flatten(1).double()
        absent = rows.isnan()
        rows = torch.where(absent, self.filling, rows)
        if len(self.knots):
            rows = self._lines(rows)
        return self.projected(torch.cat([rows, absent[:, self.missing].double()], dim=1))

    def projected(self, rows: Tensor) -> Tensor:
        """Return what is known of rows (N, F + M) on the few directions, if there are any."""
        return (rows - self.mean) @ self.projection if len(self.projection) else rows

    def _lines(self, rows: Tensor) -> Tensor:
        if self.knots.shape[1] == 2:  # one line, nothing to look for
            return self._on_line(rows.T, *self.knots.split(1, dim=1), *self.scores.split(1, dim=1))
        found = torch.searchsorted(self.knots, rows.T.contiguous()).clamp(1, self.knots.shape[1] - 1)
        ends = (each.gather(1, place) for each in (self.knots, self.scores) for place in (found - 1, found))
        return self._on_line(rows.T, *ends)

    @staticmethod
    def _on_line(values: Tensor, left: Tensor, right: Tensor, low: Tensor, high: Tensor) -> Tensor:
        share = ((values - left) / (right - left)).nan_to_num(0.0).clamp(0, 1)  # of equal knots: the left one
        return (low + share * (high - low)).T


class Committee(Fitted):
    """Several families: the mean of their probabilities or values, with weights that add up to 1.

    Attributes:
        weight: (M,) of each member.
        temperature: (M,) by which its logits are divided.
    """

    weight: Tensor
    temperature: Tensor

    def __init__(self, members: Mapping[str, nn.Module], values: bool, **arrays: Tensor) -> None:
        super().__init__(**arrays)
        self.members, self._values = nn.ModuleDict(members), values

    def outputs(self, raw: Tensor) -> Iterator[Tensor]:
        """Yield each member's logits, calibrated, or values."""
        for member, temperature in zip(self.members.values(), self.temperature, strict=True):
            yield member(raw) / temperature

    def forward(self, raw: Tensor) -> Tensor:  # noqa: D102
        said = torch.stack(list(self.outputs(raw)))
        return mixed(said, self.weight, self._values)


def mixed(said: Tensor, weight: Tensor, values: bool) -> Tensor:
    """Return the mixture of M members' outputs (M, N, K): values (N, K), or probabilities, as logits."""
    if values:
        return torch.einsum("mnk,m->nk", said, weight)
    return torch.einsum("mnk,m->nk", said.softmax(dim=2), weight).log()


def build_family(architecture: str, families: Sequence[str], outputs: int, values: bool) -> nn.Module:
    """Build a family or a committee without its arrays, for those of a model's folder."""
    built = {name: _build(name, outputs, values) for name in families}
    return Committee(built, values) if architecture == "committee" else built[architecture]


def _build(name: str, outputs: int, values: bool) -> nn.Module:
    if name == "linear":
        head: nn.Module = Linear()
    elif name == "gaussian_process":
        processes = 1 if outputs == 2 else outputs
        head = ProcessOfValues() if values else ProcessOfClasses(ProcessOfClass() for _ in range(processes))
    elif name == "support_vectors":
        head = SupportVectors()
    elif name == "neighbors":
        head = Neighbors() if values else NeighborsOfClasses()
    else:
        head = Frequencies() if name in ("forest", "extra_trees") and not values else Trees()
    return nn.Sequential(Features(), head)
