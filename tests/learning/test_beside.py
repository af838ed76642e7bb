"""The refit beside the training that chooses: in a copy of the process, with the same bytes."""

import multiprocessing
import os
from pathlib import Path

import pytest
import torch
from test_fit import fitted
from tiny import methods, plan, training_params

from selfsame.core.digests import files_under
from selfsame.learning import fit, loop
from selfsame.observe.beside import beside

EPOCHS = 6


def fit_thrice(folder: Path) -> None:
    """Fit a model with an idle core, without, and with one and a copy that fails; write down own steps."""
    os.chdir(folder)
    os.environ["SELFSAME_OBSERVE"] = "0"
    torch.set_num_threads(1)
    Path("params.yaml").write_text("monitoring: {tensorboard: false}\n")
    steps, own, real = [0], os.getpid(), loop.losses

    def counted(*given):  # type: ignore[no-untyped-def]
        if name == "failed" and os.getpid() != own:
            raise RuntimeError
        steps[0] += 1
        return real(*given)

    loop.losses = counted  # type: ignore[assignment]
    training = training_params(refit_on_validation=True, checkpoint="last", ema_decay=0.9)
    for name, spare in (("beside", True), ("alone", False), ("failed", True)):
        fit.has_a_core_to_spare = lambda spare=spare: spare  # type: ignore[attr-defined]
        steps[0] = 0
        fitted(folder, name, plan(methods()["self_training"], max_epochs=EPOCHS), training)
        (folder / f"{name}.steps").write_text(str(steps[0]))


def test_the_copy_does_the_refit_with_the_same_bytes_and_whoever_lacks_it_does_it_itself(
    tmp_path: Path,
) -> None:
    context = multiprocessing.get_context("forkserver")  # a process that has computed nothing, as a stage's
    context.set_forkserver_preload(["torch", "selfsame.learning.fit"])
    process = context.Process(target=fit_thrice, args=[tmp_path])
    process.start()
    process.join(120)
    assert process.exitcode == 0
    names = ("beside", "alone", "failed")
    beside, alone, failed = (int((tmp_path / f"{name}.steps").read_text()) for name in names)
    assert 0 < beside == alone / 2 and failed == alone
    first, *others = (
        {file.relative_to(tmp_path / name): file.read_bytes() for file in files_under(tmp_path / name)}
        for name in names
    )
    assert len(first) > 3 and others == [first, first]
    assert not list(files_under(tmp_path / ".scratch"))


def test_a_block_that_fails_ends_the_copy(tmp_path: Path) -> None:
    def endless() -> None:
        (tmp_path / str(os.getpid())).touch()
        while True:
            pass

    def block() -> None:
        with beside(endless):
            while not list(tmp_path.iterdir()):
                pass
            raise KeyError

    with pytest.raises(KeyError):
        block()
    (copy,) = tmp_path.iterdir()
    assert not Path("/proc", copy.name).exists()


def test_a_copy_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("selfsame.observe.beside.GRACE_SECONDS", 0.2)
    with beside(lambda: multiprocessing.Event().wait()):
        pass
