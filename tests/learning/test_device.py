"""The device: chosen as the parameters say, repeatable, and the same results on each."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny import (
    ALL_TECHNIQUES,
    IMAGES,
    NORMED_AND_DROPPED,
    SCALING,
    STRONG,
    compute_params,
    examples,
    fresh_net,
    methods,
    model_params,
    on_device,
    plan,
    same_bits,
    same_rows,
    training_data,
    training_params,
)
from torch import nn

from selfsame.core.errors import SelfsameError
from selfsame.learning.loop import Row, train
from selfsame.model.augment import augment
from selfsame.model.device import fits, prepare_device
from selfsame.model.inputs import prepare
from selfsame.model.models import Model, load_model, save_model
from selfsame.params.model import ModelParams
from selfsame.params.training import TrainingParams

needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="no CUDA device: use a machine with an NVIDIA GPU"
)


def chosen(device: str, threads: int = 1) -> str:
    return prepare_device(compute_params(device=device, cpu_threads=threads)).type


@pytest.mark.parametrize(
    ("device", "has_cuda", "expected"),
    [
        ("cpu", True, "cpu"),
        ("cpu", False, "cpu"),
        ("auto", True, "cuda"),
        ("auto", False, "cpu"),
        ("cuda", True, "cuda"),
    ],
)
def test_the_device_is_what_the_parameters_say(
    device: str, has_cuda: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: has_cuda)
    assert chosen(device) == expected


def test_cuda_without_cuda_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SelfsameError, match=r"compute\.device = 'cuda'"):
        chosen("cuda")


def test_threads_and_deterministic_kernels_are_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    torch.use_deterministic_algorithms(False)
    torch.backends.cudnn.benchmark = True
    chosen("cpu", threads=2)
    assert torch.get_num_threads() == 2
    assert torch.are_deterministic_algorithms_enabled() and not torch.backends.cudnn.benchmark
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"


def test_a_pool_that_a_gpu_has_no_room_for_stays_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (100, 200))  # free, of all
    rows = torch.zeros(51, dtype=torch.uint8)
    assert fits(rows[:50], torch.device("cuda")) and not fits(rows, torch.device("cuda"))
    assert fits(rows, torch.device("cpu"))


LEARNING = ["offline", "online", "self_training"]


def trained_on(
    device: str, name: str, training: TrainingParams, model: ModelParams, nudged: float = 0.0
) -> tuple[nn.Module, list[Row]]:
    """Train a fresh net, its first weights changed by a share of themselves."""
    where = prepare_device(compute_params(device=device))
    data = on_device(training_data(pool=(8, 6, 6)), where)
    net = fresh_net(model)
    with torch.no_grad():
        for value in net.parameters():
            value *= 1 + nudged
    history, _ = train(net.to(where), data, plan(methods()[name]), training, lambda _: None)
    return net, history


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("other", ["rounded", pytest.param("cuda", marks=needs_cuda)])
def test_another_device_learns_what_the_cpu_learns(name: str, other: str) -> None:
    # On the CPU another device's rounding is played by weights that begin a little off.
    device, nudged = ("cpu", 1e-4) if other == "rounded" else (other, 0.0)
    # Dropout is left out: each device draws its own.
    training = training_params(ema_decay=0.5, augmentation=STRONG, class_sampling="balanced")
    own = training, model_params(batch_norm=True)
    cpu_net, cpu_rows = trained_on("cpu", name, *own)
    net, rows = trained_on(device, name, *own, nudged)
    assert other == "cuda" or not same_rows(rows, cpu_rows)
    for left, right in zip(cpu_rows, rows, strict=True):
        assert right == pytest.approx(left, abs=0.02)
    for left, right in zip(cpu_net.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(right.cpu(), left, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("name", LEARNING)
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=needs_cuda)])
def test_a_device_gives_the_same_bits_twice(name: str, device: str) -> None:
    runs = [trained_on(device, name, ALL_TECHNIQUES, NORMED_AND_DROPPED) for _ in range(2)]
    assert same_bits(*(net.state_dict() for net, _ in runs)) and same_rows(*(rows for _, rows in runs))


@needs_cuda
def test_cuda_draws_the_same_views() -> None:
    images = prepare(examples((9, 9, 9), seed=1).inputs, SCALING)
    views = [augment(images.to(where), STRONG, torch.Generator().manual_seed(0)) for where in ("cpu", "cuda")]
    assert views[1].device.type == "cuda"
    torch.testing.assert_close(views[1].cpu(), views[0], atol=1e-4, rtol=1e-4)


@needs_cuda
def test_a_model_gives_the_same_logits_on_cuda(tmp_path: Path) -> None:
    params = model_params(batch_norm=True)
    save_model(tmp_path, Model(fresh_net(params), params, IMAGES, SCALING), [{"epoch": 1}])
    raw = examples((9, 9, 9), seed=1).inputs
    on_cpu, on_cuda = (load_model(tmp_path, where).logits(raw) for where in ("cpu", "cuda"))
    assert on_cuda.device.type == "cuda"
    torch.testing.assert_close(on_cuda.cpu(), on_cpu, atol=0.01, rtol=0.01)


BLOCKS = """
import resource, torch
from selfsame.model.device import prepare_device
from selfsame.params.compute import ComputeParams
prepare_device(ComputeParams.model_validate({"device": "cpu"}))
def touched():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(1 << 24)  # 64 MB
before = touched()
for _ in range(20):
    torch.ones(1 << 24)
print(touched() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc alone is told")
def test_memory_that_was_freed_is_not_asked_for_again() -> None:
    """Left to itself glibc gives each block back: its 16,384 pages are filled anew all twenty times."""
    said = subprocess.run([sys.executable, "-c", BLOCKS], capture_output=True, text=True, check=True).stdout
    assert int(said) < 10 * 16_384, "some, as what else is made leaves no hole that fits"
