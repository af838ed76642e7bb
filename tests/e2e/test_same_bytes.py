"""The whole pipeline on images: the same inputs give the same bytes, watched or not."""

import pytest
from project import TINY, Project, compute_anew

IMAGES = TINY | {
    "data": {"source": "digits"},
    "split": {"labels_per_class": 5, "validation_per_class": 5},
    "model": {"architecture": "cnn", "widths": [4, 4], "halve_after": [1]},
    "train_baseline": {"max_epochs": 30, "patience_epochs": 30},
    "retrain": {"max_epochs": 5, "ramp_up_end_epochs": 2},
    "pseudo_label": {"threshold": 0.3},
}


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A tiny project of images after its first run."""
    project = Project.create(tmp_path_factory.mktemp("same") / "project", IMAGES)
    project.repro()
    return project


def test_code_and_parameters_alone_decide_every_byte(images: Project) -> None:
    assert images.digests() == compute_anew(images)


def test_a_second_run_unobserved_writes_the_same_bytes(images: Project) -> None:
    digests, executions = images.digests(), images.executions()
    assert set(executions.values()) == {1}
    images.run("dvc", "repro", "--force", SELFSAME_OBSERVE="0")
    assert images.digests() == digests
    assert images.executions() == executions


@pytest.mark.parametrize("method", ["online", "fixmatch"])
def test_other_methods_are_repeatable_too(method: str, images: Project) -> None:
    before = images.digests()
    images.set("retrain", method=method)
    assert images.repro().ran == ("retrain", "evaluate")
    assert images.digests() == compute_anew(images) != before
