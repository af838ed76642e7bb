"""The scikit-learn baseline: what a simple family makes of the same labels, in a second or two.

A user has it for free, so a pipeline that can't beat it must say so, and hand it over where it is better.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from selfsame.core.layout import VALIDATED
from selfsame.core.tables import TableInfo, read_column, take_all
from selfsame.families.committee import error
from selfsame.families.fit import fit_families, out_of_fold
from selfsame.families.rows import Rows, together
from selfsame.model.inputs import Scaling
from selfsame.model.models import Model, save_model, save_validation
from selfsame.model.nets import build_net
from selfsame.params.model import Family

SEED = 0
FEWEST_ROWS_TO_BOOST = 200  # fewer rows hardly split, and a lucky fold may win
MOST_ROWS_OF_KERNEL = 5000  # beyond, a support vector machine takes minutes
MOST_ROWS_TO_CHOOSE_BY = 2000
JUDGED, WHOLE = "judged", "whole"  # the two models, by the rows that they have learned


def fit_reference(labeled: Rows, held: Rows) -> dict[str, np.ndarray]:
    """Choose the best simple family by cross-validation and fit it: to ``labeled``, and to all rows.

    The same rows give the same arrays, on any number of cores.

    Returns:
        For ``judged``, the model of ``labeled`` alone, and ``whole``: ``….family``, its name's bytes, and its
        arrays. ``all`` (N, K), what models of the other folds say of each row; ``places`` (P,) of rows, and
        ``half`` (P, K), what half of those folds teaches: both are missing where half would lack a class.
    """
    everything = together(labeled, held)
    found: dict[str, np.ndarray] = {}
    for key, learned in ((JUDGED, labeled), (WHOLE, everything)):
        shuffled = np.random.default_rng(SEED).permutation(len(learned.labels))
        places = np.sort(shuffled[:MOST_ROWS_TO_CHOOSE_BY])
        plain = replace(learned, folds=0)  # with scikit-learn's own settings, without a search
        rows, quick = learned.of(places), plain.of(places)
        families = simple_families(learned.inputs.ndim > 2, len(everything.labels))
        said = dict(zip(families, out_of_fold(families, quick, SEED, rows.splits), strict=True))
        best = min(said, key=lambda name: error(said[name], rows))  # of equals the first, the simplest
        (fitted,) = fit_families([best], plain, SEED)
        found[f"{key}.family"] = np.frombuffer(best.encode(), np.uint8)
        found |= {f"{key}.{name}": value.numpy() for name, value in fitted.state_dict().items()}
    found["all"] = (
        said[best]
        if len(places) == len(learned.labels)
        else out_of_fold([best], plain, SEED, learned.splits)[0]
    ).numpy()
    if halves := rows.halved_splits:
        found |= {"places": places, "half": out_of_fold([best], quick, SEED, halves)[0].numpy()}
    return found


def simple_families(images: bool, rows: int) -> list[str]:
    """Return the families to choose from, the simplest first."""
    kernel = ["support_vectors"] if rows <= MOST_ROWS_OF_KERNEL else []
    return ["linear", *kernel, *([] if images or rows < FEWEST_ROWS_TO_BOOST else ["boosting"])]


def read_rows(table: Path, scaling: Scaling) -> Rows:
    """Return a table's rows, each of which counts once; values standardised."""
    labels = scaling.standardised(torch.tensor(read_column(table, "label"))).numpy()
    return Rows(take_all(table), labels, np.ones(len(labels)), len(TableInfo.of(table).classes))


@dataclass(frozen=True)
class Reference:
    """The scikit-learn baseline as models that predict, of the arrays that ``fit_reference`` returned."""

    found: Mapping[str, np.ndarray]
    info: TableInfo
    scaling: Scaling

    def family(self, key: str) -> str:
        """Return the name of a model's family, as ``model.architecture`` knows it."""
        return self.found[f"{key}.family"].tobytes().decode()

    def model(self, key: str) -> Model:
        """Return ``JUDGED``, the model that has not learned the validation rows, or ``WHOLE``."""
        params = Family.model_validate({"architecture": self.family(key)})
        net = build_net(params, self.info)
        state = {name.removeprefix(f"{key}."): array for name, array in self.found.items()}
        net.load_state_dict({name: torch.from_numpy(np.array(state[name])) for name in net.state_dict()})
        return Model(net, params, self.info, self.scaling)

    def save(self, folder: Path, measured: Mapping[str, float | None]) -> None:
        """Write a model's folder as a training stage does.

        Args:
            measured: what ``JUDGED`` scores on validation rows.
        """
        row = {"epoch": 1, **{f"validation_{name}": value for name, value in measured.items()}}
        save_model(folder / VALIDATED, self.model(JUDGED), [row])
        save_model(folder, self.model(WHOLE), [row])
        save_validation(folder, row)

    def halved(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Return places of rows, and what half of the other rows, and all, teach to say of them.

        None where half would lack a class.
        """
        if "half" not in self.found:
            return None
        places = self.found["places"]
        return places, self.said(self.found["half"]), self.said(self.found["all"])[places]

    @property
    def out_of_fold(self) -> np.ndarray:
        """What models say of every row that they have not learned: probabilities (N, K), or values (N,)."""
        return self.said(self.found["all"])

    @property
    def sureness(self) -> np.ndarray:
        """The probabilities (N, K) of every row by models that have not learned it; (0, 0) of values."""
        said = self.out_of_fold
        return said if said.ndim > 1 else np.empty((0, 0))

    @property
    def digest(self) -> str:
        """sha256 of both models, family and arrays."""
        whole = hashlib.sha256()
        for name in sorted(self.found):
            array = np.ascontiguousarray(self.found[name])
            whole.update(f"{name} {array.dtype} {array.shape} ".encode() + array.tobytes())
        return whole.hexdigest()

    def said(self, outputs: np.ndarray) -> np.ndarray:
        """Return what a table's model says where a family's outputs are (N, K) logits, or (N, 1) values."""
        return self.model(WHOLE).said(torch.from_numpy(np.array(outputs)))
