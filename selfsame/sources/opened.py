"""The source that section ``data`` names, opened."""

from pathlib import Path
from typing import IO

from selfsame.params.data import Arrays, BreastCancer, DataParams, Digits, Images, Mirrored, Table
from selfsame.sources.arrays import arrays
from selfsame.sources.california_housing import california_housing
from selfsame.sources.cifar10 import cifar10
from selfsame.sources.embedded import breast_cancer, digits
from selfsame.sources.idx import FASHION_MNIST, MNIST, idx_source
from selfsame.sources.images import images
from selfsame.sources.place import refuse_files
from selfsame.sources.source import Source
from selfsame.sources.table import table


def open_source(params: DataParams, place: Path, spill: IO[bytes] | None = None) -> Source:
    """Open the source that the parameters name, in the file or folder ``place``.

    Args:
        spill: a file for columns of a table that were read, so that they needn't be read twice.
    """
    match params:
        case Mirrored(source="cifar10"):
            return cifar10(place, params.mirror)
        case Mirrored():
            return idx_source(MNIST if params.source == "mnist" else FASHION_MNIST, place, params.mirror)
        case Images():
            return images(place, params)
        case Arrays():
            return arrays(place, params)
        case Table():
            return table(place, params, spill)
        case Digits() | BreastCancer():
            refuse_files(params.source, place)
            return digits() if isinstance(params, Digits) else breast_cancer()
    return california_housing(place)
