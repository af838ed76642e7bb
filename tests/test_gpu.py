"""``benchmarks/gpu.py`` runs, on a CPU and at small size, and its page tells what it found."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from project import ROOT

RESULTS = ROOT / "benchmarks/results/gpu.json"


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


def training(accuracy: float) -> dict[str, Any]:
    bare = {"rows": 50, "seconds": 0.0009, "seconds_any_kernels": 0.0008}
    return {
        "stage_seconds": 12.0,
        "training_seconds": 10.0,
        "trainings": 2,
        "steps": 10_000,
        "rows_per_step": 50.0,
        "peak_bytes": 2_500_000_000,
        "bare": bare,
        "share_of_bare": 0.9,
        "holdout_accuracy": accuracy,
        "holdout_rows": 100,
    }


def test_the_page_tells_figures_failures_and_what_was_not_run() -> None:
    from gpu_page import write_page

    slow = training(0.92) | {"share_of_bare": 0.4}
    machine = {"card": "a card", "torch": "2.11.0", "python": "3.12.3", "cores": 16}
    text = write_page(
        {
            "machine": machine,
            "resnet": {"epochs": 9, "T15": training(0.91), "T5": slow, "beside": "three draws"},
            "mnist": {"error": "RuntimeError: out of memory\nmore"},
        }
    )
    assert "a card beside 16 CPU cores, torch 2.11.0" in text
    assert "(T15) | 10,000 | 50 | 10.0 | 1.00 | 0.90 | 90% | 0.80 | 2.50 | 0.9100 |" in text
    assert "The goal of 90% is met by 1 of 2." in text and "What limits it was not profiled." in text
    assert "**The machine had other work**: `resnet` beside three draws." in text
    assert "`digits` was not run." in text and "`mnist` failed: RuntimeError: out of memory\n" in text
    assert "after 9 epochs each" in text and "lossy JPEGs" in text


@pytest.mark.slow
def test_digits_differ_in_nothing_between_a_cpu_and_itself(tmp_path: Path) -> None:
    import gpu

    (tmp_path / "scratch").mkdir()
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(2) as helpers:
        bench = gpu.Bench(tmp_path / "scratch", None, "cpu", 1.0, True, helpers)
        found = gpu.measure(tmp_path, ["digits", "cpu"], bench)
    torch.set_num_threads(threads)
    assert "error" not in found["digits"] and "error" not in found["cpu"], found
    difference = found["digits"]["difference"]
    assert difference["largest_weight_difference"] == difference["largest_probability_difference"] == 0.0
    assert found["cpu"]["holdout_accuracy"] == found["digits"]["retrain"]["holdout_accuracy"]


@pytest.mark.slow
def test_the_parts_of_cifar_run_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gpu
    from gpu_page import write_page

    from selfsame.sources.cifar10 import CLASSES

    draw = np.random.default_rng(0)
    for part, count in (("train", 40), ("test", 4)):
        for name in CLASSES:
            folder = tmp_path / "data" / gpu.CIFAR / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = draw.integers(0, 256, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.jpg")
    changes = {"split.labels_per_class": 10, "split.validation_per_class": 10}
    monkeypatch.setattr(gpu, "FIXMATCH", gpu.FIXMATCH | changes)
    (tmp_path / "scratch").mkdir()
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(8) as helpers:
        bench = gpu.Bench(tmp_path / "scratch", tmp_path / "data", "cpu", 1.0, True, helpers)
        found = gpu.measure(tmp_path, ["resnet", "fixmatch"], bench)
    torch.set_num_threads(threads)
    assert not any("error" in found[part] for part in ("resnet", "fixmatch")), found
    assert 0 < found["resnet"]["T5"]["share_of_bare"] < 1.5
    assert (tmp_path / "gpu-fixmatch.csv").read_text().startswith("epoch,")
    written = json.loads((tmp_path / "gpu.json").read_text())
    assert "**FixMatch with 250 labels** was started" in write_page(written)


def test_the_page_is_that_of_the_results() -> None:
    from gpu_page import write_page

    written = {name: (ROOT / name).exists() for name in ("benchmarks/results/gpu.json", "docs/gpu.md")}
    assert len(set(written.values())) == 1, written  # both, or neither
    if RESULTS.exists():
        assert write_page(json.loads(RESULTS.read_text())) == (ROOT / "docs/gpu.md").read_text()
