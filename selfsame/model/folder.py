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
        SelfsameError: it isn't there, is of another format, or is damaged.
    """
    path = folder / CONFIG
    if not path.is_file():
        raise SelfsameError(f"{folder}: no model there", "run 'dvc repro', or 'dvc checkout'")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        version = config["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(path, error) from None
    if version != MODEL_FORMAT:
        raise SelfsameError(
            f"{path}: format_version = {version}, expected {MODEL_FORMAT}",
            "train the model again, or use the version of selfsame that wrote it",
        )
    return config


def damaged(path: Path, error: Exception) -> SelfsameError:
    """Return what to say of a file or folder of a model that can't be read."""
    said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return SelfsameError(
        f"{path}: can't be read: {said}", "take the model's folder again from where it was made"
    )


def write_views(folder: Path, count: int) -> None:
    """Write into a model's folder how many views of a row its predictions are the mean of."""
    (folder / PREDICTION).write_text(json.dumps({_VIEWS: count}, indent=2) + "\n", encoding="utf-8")


def views_of(folder: Path) -> int:
    """Return that number, as a model's folder tells it; 1 where it doesn't.

    Raises:
        SelfsameError: its file is damaged.
    """
    if not (folder / PREDICTION).exists():
        return 1
    try:
        return int(json.loads((folder / PREDICTION).read_text(encoding="utf-8"))[_VIEWS])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(folder / PREDICTION, error) from None
