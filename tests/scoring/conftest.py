"""Small champions of every kind, each trained once."""

import sys

import numpy as np
import pyarrow.csv as pa_csv
import pytest
from champions import Command, Trained, census, penguins, train
from PIL import Image

from selfsame import cli


@pytest.fixture(scope="session")
def penguins_trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """An own table."""
    folder = tmp_path_factory.mktemp("penguins")
    inbox = folder / "data" / "inbox"
    inbox.mkdir(parents=True)
    pa_csv.write_csv(penguins(), inbox / "penguins.csv")
    data = {"source": "table", "target_column": "species", "ignore_columns": ["id"]}
    return train(folder, data=data, model={"widths": [7, 5]})


@pytest.fixture(scope="session")
def digits_trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return train(
        tmp_path_factory.mktemp("digits"),
        data={"source": "digits"},
        model={"architecture": "cnn", "widths": [3, 5], "halve_after": [1], "dense": [6]},
        training={"augmentation": {"name": "image"}},
        train_baseline={"max_epochs": 3},
    )


@pytest.fixture(scope="session")
def housing_trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A regression on the census' columns."""
    folder = tmp_path_factory.mktemp("housing")
    inbox = folder / "data" / "inbox"
    inbox.mkdir(parents=True)
    pa_csv.write_csv(census(), inbox / "housing.csv")
    return train(
        folder,
        data={"source": "california_housing"},
        split={"labels_per_class": 60, "validation_per_class": 60},
        train_baseline={"ensemble_members": 2, "max_epochs": 5},
        pseudo_label={"rule": "agreement", "largest_ensemble_std": 0.3},
    )


@pytest.fixture(scope="session")
def photos_trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Photos of two classes, in colour, of many sizes and modes."""
    folder = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(3)
    for name, shade in (("dark", 60), ("light", 190)):
        place = folder / "data" / "inbox" / name
        place.mkdir(parents=True)
        for number in range(24):
            height, width = random.integers(9, 30, 2)
            pixels = np.clip(random.normal(shade, 20, (height, width, 3)), 0, 255).astype(np.uint8)
            image = Image.fromarray(pixels).convert(("RGB", "L", "RGBA", "P")[number % 4])
            image.save(place / f"{number:02d}.png")
    return train(
        folder,
        data={"source": "images", "image_size": 8},
        split={"labels_per_class": 6, "validation_per_class": 6, "near_copies": "allow"},
        model={"architecture": "cnn", "widths": [4], "halve_after": [], "dense": None},
        training={"augmentation": {"name": "image"}},
    )


@pytest.fixture(params=["penguins", "digits", "housing", "photos"])
def trained(request: pytest.FixtureRequest) -> Trained:
    """Every kind, one after the other."""
    return request.getfixturevalue(f"{request.param}_trained")


@pytest.fixture
def selfsame(monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """Run the command line in this process; return what it says on standard error."""

    def run(*words: object, status: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["selfsame", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capfdbinary.readouterr()
        code = ended.value.code
        message = code if isinstance(code, str) else ""
        assert (1 if message else code or 0) == status, message
        run.out = said.out
        return message + said.err.decode()

    return run
