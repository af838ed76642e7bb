"""California housing (Pace and Barry, 1997): 20,640 census blocks of 1990; the target in 100,000 dollars."""

import hashlib
import io
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from selfsame.core.errors import SelfsameError
from selfsame.core.tables import BATCH_ROWS, TableInfo
from selfsame.sources.columns import as_numbers, to_numbers
from selfsame.sources.fetch import fetch
from selfsame.sources.files import Reading, open_table_file
from selfsame.sources.place import files_at, is_empty
from selfsame.sources.source import Batch, Source
from selfsame.sources.store import content_of, read_whole

FEATURES = (
    "MedInc",
    "HouseAge",
    "AveRooms",
    "AveBedrms",
    "Population",
    "AveOccup",
    "Latitude",
    "Longitude",
)
CENSUS = (  # columns of the census, in the order of the publisher's file
    "longitude",
    "latitude",
    "housing_median_age",
    "total_rooms",
    "total_bedrooms",
    "population",
    "households",
    "median_income",
    "median_house_value",
)
NAME = "california_housing"
READING = Reading(separator=",")
DOLLARS = 100_000.0
PUBLISHER = "https://ndownloader.figshare.com/files"
FILE = "5976036"
ARCHIVE = "cal_housing.tgz"
MEMBER = "CaliforniaHousing/cal_housing.data"
SHA256 = "aaa5c9a6afe2225cc2aed2723682ae403280c4a3695a2ddda4ffb5d8215ea681"


def california_housing(place: Path) -> Source:
    """Return the eight features that scikit-learn makes of the census, and the target.

    Args:
        place: a CSV file with the columns ``CENSUS`` (others are left out); or ``cal_housing.tgz`` as
            scikit-learn downloads it; an empty folder downloads that.
    """
    if is_empty(place):
        census, content = fetch("California housing", FILE, [PUBLISHER], _unpack), {ARCHIVE: SHA256}
    else:
        census, content = _read(place)
    return Source(
        TableInfo(NAME, "regression", features=FEATURES),
        origin="California housing, 1990 census; Pace and Barry, Sparse Spatial Autoregressions, 1997",
        license="not stated",
        content=content,
        batches=_batches(*_features(census)),
    )


def features_of_census(census: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the features that rows of the census become, by their names."""
    households = census["households"]
    return {
        "MedInc": census["median_income"],
        "HouseAge": census["housing_median_age"],
        "AveRooms": census["total_rooms"] / households,
        "AveBedrms": census["total_bedrooms"] / households,
        "Population": census["population"],
        "AveOccup": census["population"] / households,
        "Latitude": census["latitude"],
        "Longitude": census["longitude"],
    }


def _features(census: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    columns = features_of_census(census)
    inputs = np.stack([columns[name] for name in FEATURES], axis=1)
    return inputs, census["median_house_value"] / DOLLARS


def _read(place: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    files = files_at(place)
    if [file.name for file in files] == [ARCHIVE]:
        return _unpack(read_whole(files[0]), str(files[0])), {ARCHIVE: SHA256}
    if not files:
        raise SelfsameError(f"data.path = {place}: no file is there", "put the CSV file there")
    found: dict[str, list[np.ndarray]] = {name: [] for name in CENSUS}
    for path in files:
        file = open_table_file(path, READING)
        if missing := [name for name in CENSUS if name not in file.names]:
            raise _no_census(path, missing[0])
        for piece in file.pieces(list(CENSUS)):
            for name in CENSUS:
                numbers = to_numbers(piece.column(name), READING)
                if numbers is None:
                    raise _no_census(path, name)
                found[name].append(as_numbers(numbers))
    census = {name: np.concatenate(parts) for name, parts in found.items()}
    return census, {file.name: content_of(file) for file in files}


def _no_census(path: Path, name: str) -> SelfsameError:
    return SelfsameError(
        f"{path}: no column of numbers is called {name!r}",
        f"the columns needed are {', '.join(CENSUS)}; for another table set data.source to table",
    )


def _unpack(archive: bytes, place: str) -> dict[str, np.ndarray]:
    found = hashlib.sha256(archive).hexdigest()
    if found != SHA256:
        raise SelfsameError(
            f"{place}: its content has the sha256 {found}, the publisher's {SHA256}", "fetch the file again"
        )
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        content = tar.extractfile(MEMBER)
        assert content is not None
        rows = np.loadtxt(content, delimiter=",", ndmin=2)
    return dict(zip(CENSUS, rows.T, strict=True))


def _batches(inputs: np.ndarray, values: np.ndarray) -> Iterator[Batch]:
    for start in range(0, len(values), BATCH_ROWS):
        rows = slice(start, start + BATCH_ROWS)
        yield Batch(inputs[rows], values[rows])
