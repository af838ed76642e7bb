"""The device: chosen as the parameters say, repeatable, and the same results on each."""

import os

import pytest
import torch
from tiny import (
    ALL_TECHNIQUES,
    NORMED_AND_DROPPED,
    STRONG,
    examples,
    fresh_net,
    methods,
    plan,
    same_bits,
    training_data,
    training_params,
)

from selfsame.core.errors import SelfsameError
from selfsame.learning.augment import augment
from selfsame.learning.device import prepare_device
from selfsame.learning.loop import Row, TrainingData, train
from selfsame.learning.nets import detached_state
from selfsame.learning.params import ComputeParams, TrainingParams

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def chosen(device: str, threads: int = 1) -> str:
    return prepare_device(ComputeParams.model_validate({"device": device, "cpu_threads": threads})).type


@pytest.mark.parametrize(
    ("device", "has_cuda", "expected"),
    [("cpu", True, "cpu"), ("cpu", False, "cpu"), ("auto", True, "cuda"), ("auto", False, "cpu"), ("cuda", True, "cuda")],
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


def on(device: str, name: str, training: TrainingParams) -> tuple[dict[str, torch.Tensor], list[Row]]:
    """Train on a device; return the weights on the CPU, and the history."""
    where = prepare_device(ComputeParams.model_validate({"device": device, "cpu_threads": 1}))
    data = training_data(pool=(8, 6, 6))
    assert data.pool is not None
    moved = TrainingData(
        data.labeled.to(where), data.validation.to(where), data.pool.to(where), data.scaling, data.classes
    )
    net = fresh_net(NORMED_AND_DROPPED if device == "cpu" else NORMED_AND_DROPPED).to(where)
    history = train(net, moved, plan(methods()[name]), training, lambda _: None)
    return {key: value.cpu() for key, value in detached_state(net).items()}, history
