"""A model's folder as it can be read without loading the model."""

import json
from pathlib import Path
from typing import Any

from selfsame.core.errors import SelfsameError
from selfsame.core.layout import CONFIG, MODEL_FORMAT, PREDICTION, VALIDATED

_VIEWS = "test_time_augmentation"


def validated(folder: Path) -> Path:
    """Return the folder of the model that validation rows may judge: the one from before a refit, if any."""
    return folder / VALIDATED if (folder / VALIDATED).is_dir() else folder


def read_config(folder: Path) -> dict[str, Any]:
    """Return what a model is: its parameters, its recipe, its inputs, its scaling.

    Raises:
        SelfsameError: it isn't there, or is of another format.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SelfsameError(f"{folder}: no model there", "run 'dvc repro', or 'dvc checkout'") from None
    if config["format_version"] != MODEL_FORMAT:
        raise SelfsameError(
            f"{folder / CONFIG}: format_version = {config['format_version']}, expected {MODEL_FORMAT}",
            "train the model again, or use the version of selfsame that wrote it",
        )
    return config


def write_views(folder: Path, count: int) -> None:
    """Write into a model's folder how many views of a row its predictions are the mean of."""
    (folder / PREDICTION).write_text(json.dumps({_VIEWS: count}, indent=2) + "\n", encoding="utf-8")


def views_of(folder: Path) -> int:
    """Return that number, as a model's folder tells it; 1 where it doesn't."""
    if not (folder / PREDICTION).exists():
        return 1
    return json.loads((folder / PREDICTION).read_text(encoding="utf-8"))[_VIEWS]
