"""Steps in bfloat16 or compiled: faster arithmetic, the same training, and nothing else touched."""

from typing import Any

import pytest
import torch
from test_device import needs_cuda
from tiny import (
    OBJECTIVE,
    Row,
    compute_params,
    fresh_net,
    limits,
    methods,
    model_params,
    on_device,
    plan,
    same_bits,
    same_rows,
    training_data,
    training_params,
)
from torch import Tensor, nn

from selfsame.core.errors import SelfsameError
from selfsame.learning.loop import train, validate
from selfsame.learning.methods import Method, supervised
from selfsame.learning.steps import StepNet, prepare_compiler
from selfsame.model.device import prepare_device
from selfsame.model.nets import detached_state

BFLOAT16 = {"precision": "bfloat16"}
COMPILED = {"compile": True}
METHODS: dict[str, Method] = {"supervised": supervised(), **methods()}


def train_with(
    changes: dict[str, Any], name: str = "supervised", on: str = "cpu"
) -> tuple[dict[str, Tensor], list[Row]]:
    net = fresh_net(model_params(batch_norm=True)).to(device := prepare_device(compute_params(device=on)))
    data = on_device(training_data((8, 6, 6)), device)
    training = training_params(ema_decay=0.5, batch_size=7, **changes)
    how = plan(METHODS[name], strong=limits(noise_std=0.1))
    history, _ = train(net, data, how, training, lambda _: None, None, lambda net: StepNet(net, training))
    return {key: value.cpu() for key, value in detached_state(net).items()}, history


@pytest.mark.parametrize("name", METHODS)
def test_plain_steps_are_the_net_itself(name: str) -> None:
    net, data = fresh_net(model_params(batch_norm=True)), training_data((8, 6, 6))
    training = training_params(ema_decay=0.5, batch_size=7)
    how = plan(METHODS[name], strong=limits(noise_std=0.1))
    history, _ = train(net, data, how, training, lambda _: None)
    weights, rows = train_with({}, name)
    assert same_bits(weights, detached_state(net)) and same_rows(rows, history)


@pytest.mark.parametrize("name", METHODS)
def test_bfloat16_learns_nearly_the_same_and_keeps_float32(name: str) -> None:
    (plain, rows), (made, history) = train_with({}, name), train_with(BFLOAT16, name)
    assert not same_bits(plain, made)
    assert all(value.dtype == plain[key].dtype for key, value in made.items())
    for key, value in made.items():
        torch.testing.assert_close(value, plain[key], atol=0.03, rtol=0.03)
    for left, right in zip(rows, history, strict=True):
        assert right["training_loss"] == pytest.approx(left["training_loss"], abs=0.05)


def test_bfloat16_is_for_layers_and_not_for_losses() -> None:
    seen: dict[str, torch.dtype] = {}
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    net[1].register_forward_hook(lambda *given: seen.update(layer=given[2].dtype))
    logits = StepNet(net, training_params(**BFLOAT16))(torch.randn(2, 1, 8, 8))
    logits.sum().backward()
    assert seen["layer"] == torch.bfloat16
    assert logits.dtype == net[1].weight.dtype == net[1].weight.grad.dtype == torch.float32
    assert not torch.equal(logits, net(torch.randn(2, 1, 8, 8)))


def test_validation_stays_float32() -> None:
    weights, history = train_with(BFLOAT16)
    net = fresh_net(model_params(batch_norm=True))
    net.load_state_dict(weights)
    data = training_data()
    row = validate(net, data.validation, data.scaling, OBJECTIVE)
    assert history[-1] == history[-1] | row


@pytest.mark.slow
def test_compiled_steps_learn_the_same() -> None:
    (plain, rows), (made, history) = (
        train_with({}, "self_training"),
        train_with(COMPILED, "self_training"),
    )
    for key, value in made.items():
        torch.testing.assert_close(value, plain[key], atol=1e-3, rtol=1e-3)
    for left, right in zip(rows, history, strict=True):
        assert right == pytest.approx(left, abs=1e-3)
    assert same_bits(made, train_with(COMPILED, "self_training")[0])


def test_a_machine_that_cannot_compile_says_so_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Any) -> Any:
        raise RuntimeError("Failed to find C++ compiler.\nmore")

    monkeypatch.setattr(torch, "compile", fails)
    with pytest.raises(SelfsameError, match=r"training\.compile = true, .*: Failed to find .* compiler\.\n"):
        prepare_compiler(torch.device("cpu"))


@needs_cuda
@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("changes", [{"precision": "bfloat16"}, {"compile": True}], ids=["bf16", "compiled"])
def test_cuda_learns_nearly_the_same(name: str, changes: dict[str, Any]) -> None:
    (plain, _), (made, _) = (
        train_with({}, name),
        train_with(changes, name, on="cuda"),
    )
    for key, value in made.items():
        torch.testing.assert_close(value, plain[key], atol=0.03, rtol=0.03)
