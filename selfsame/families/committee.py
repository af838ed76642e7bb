"""The committee: several families, weighted by what each says of rows that it has not learned."""

import numpy as np
import torch
from scipy.optimize import minimize_scalar, nnls
from torch import Tensor, nn
from torch.nn import functional

from selfsame.families import estimators
from selfsame.families.fit import fit_families, out_of_fold
from selfsame.families.rows import Rows, one_thread
from selfsame.model.families import Committee, mixed

SHRUNK = 10.0  # rows' worth of preference for equal weights
LARGEST_TEMPERATURE = 8.0
TEMPERATURE_SPREAD = 0.7  # of its logarithm around 0, before any row is seen


def fit_committee(
    members: list[str], rows: Rows, extra: Rows | None, seed: int
) -> tuple[Committee, np.ndarray]:
    """Fit every member on ``rows`` and ``extra`` together, weighed by what they say out of fold of ``rows``.

    Args:
        extra: further rows, whose labels nobody vouches for. They weigh no member: a teacher's label says
            what the teacher has learned of the very row that is held out.

    Returns:
        The committee, and what one of the other folds' rows alone says of each row: logits (N, K) or values
        (N, 1). Neither its members nor its weights have learned that row's label; only the temperatures,
        one number a member, are of all rows.
    """
    said = out_of_fold(members, rows, seed)
    fitted = fit_families(members, rows, seed, extra)
    with one_thread():
        return _weighed(dict(zip(members, fitted, strict=True)), said, rows)


def _weighed(fitted: dict[str, nn.Module], said: Tensor, rows: Rows) -> tuple[Committee, np.ndarray]:
    if not rows.splits:  # a class has a single row: nothing tells one member from another
        said = torch.zeros_like(said)
    temperature = torch.ones(len(said), dtype=torch.float64)
    if rows.classes:
        temperature = torch.tensor([_temperature(each, rows) for each in said], dtype=torch.float64)
    said = said / temperature[:, None, None]
    answers, truth = said.softmax(dim=2) if rows.classes else said, torch.from_numpy(estimators.truth(rows))
    heavy = torch.from_numpy(rows.weights)
    judged = mixed(said, torch.full((len(said),), 1 / len(said)).double(), not rows.classes)
    for others, held in rows.splits:
        judged[held] = mixed(
            said[:, held], stack(answers[:, others], truth[others], heavy[others]), not rows.classes
        )
    weight = stack(answers, truth, heavy)
    committee = Committee(fitted, values=not rows.classes, weight=weight, temperature=temperature)
    return committee, judged.numpy()


def stack(said: Tensor, truth: Tensor, heavy: Tensor) -> Tensor:
    """Return weights (M,), none negative, that add up to 1: of the least squares, drawn to equal ones.

    Args:
        said: (M, N, K) probabilities or values that the members give rows they have not learned.
        truth: (N, K).
        heavy: (N,) what each row counts.
    """
    members, root = len(said), heavy.sqrt()[:, None]
    said, truth = said * root, truth * root
    pull = SHRUNK**0.5 * np.eye(members)
    one = 1e4 * max(float(said.square().sum()) ** 0.5, 1.0)  # so much that the sum is 1 to ten places
    left = np.vstack([said.flatten(1).numpy().T, pull, one * np.ones((1, members))])
    right = np.concatenate([truth.flatten().numpy(), pull.sum(axis=0) / members, [one]])
    weight = nnls(left, right)[0]
    return torch.from_numpy(weight / weight.sum())


def error(said: Tensor, rows: Rows) -> float:
    """Return the share of wrong classes, or the mean squared error, of logits (N, K) or values (N, 1)."""
    labels = torch.from_numpy(rows.labels)
    wrong = said.argmax(dim=1) != labels if rows.classes else (said[:, 0] - labels).square()
    return float(wrong.double().mean())


def _temperature(logits: Tensor, rows: Rows) -> float:
    """Return what makes (N, K) logits most likely; without evidence 1."""
    truth, heavy = torch.from_numpy(rows.labels), torch.ones(rows.classes, dtype=torch.float64)
    heavy[truth] = torch.from_numpy(rows.weights)  # rows of one class count alike

    def cost(logarithm: float) -> float:
        loss = functional.cross_entropy(logits / np.exp(logarithm), truth, heavy, reduction="sum")
        return float(loss) + (logarithm / TEMPERATURE_SPREAD) ** 2 / 2

    limit = np.log(LARGEST_TEMPERATURE)
    return float(np.exp(minimize_scalar(cost, bounds=(-limit, limit), method="bounded").x))
