"""A training that was killed ends in the very bytes of one that wasn't."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
import torch
from test_device import needs_cuda
from test_fit import stage, training_run
from tiny import (
    ALL_TECHNIQUES,
    NORMED_AND_DROPPED,
    compute_params,
    fresh_net,
    methods,
    on_device,
    plan,
    pool_examples,
    same_bits,
    same_rows,
    training_data,
    training_params,
)

from selfsame.core.stage import Stage
from selfsame.learning.fit import fit_model
from selfsame.learning.loop import Row, train
from selfsame.learning.methods import Method, supervised
from selfsame.learning.resume import SCRATCH, Checkpoints
from selfsame.model.device import prepare_device
from selfsame.model.nets import detached_state
from selfsame.observe.notes import take_notes
from selfsame.params.training import TrainingParams

METHODS: dict[str, Method] = {"supervised": supervised(), **methods()}
POOL = (8, 6, 6)
SGD = {"batch_size": 5, "schedule": {"name": "cosine"}, "warm_up_fraction": 0.1}
TRAININGS = {
    "adamw, ema, balanced": ALL_TECHNIQUES,
    "sgd": training_params(**SGD, checkpoint="validation_loss"),
    "nesterov": training_params(**SGD, optimizer={"name": "sgd", "nesterov": True}, ema_decay=0.9),
    "adam": training_params(optimizer={"name": "adam"}, batch_size=5, checkpoint="validation_accuracy"),
    "validated rarely": training_params(batch_size=5, ema_decay=0.9, validate_every_epochs=2),
}
EPOCHS = 6


class Killed(BaseException):
    """Stands for a kill inside of one process."""


def run(
    folder: Path | None,
    training: TrainingParams,
    method: Method,
    until: int | None = None,
    device: str = "cpu",
    **changes: Any,
) -> tuple[Any, list[Row]]:
    """Train a fresh net, with a checkpoint after every epoch, up to the middle of epoch ``until`` + 1."""
    shown: list[Row] = []

    def on_epoch(row: Row) -> None:
        shown.append(row)
        if row["epoch"] == until:
            raise Killed

    where = prepare_device(compute_params(device=device))
    net = fresh_net(NORMED_AND_DROPPED).to(where)
    checkpoints = None if folder is None else Checkpoints(folder, 0.0)
    how = plan(method, **{"max_epochs": EPOCHS, **changes})
    history, _ = train(net, on_device(training_data(POOL), where), how, training, on_epoch, checkpoints)
    assert len(shown) == len(history)  # what was done before the kill is shown again
    return detached_state(net), history


def broken_and_whole(folder: Path, training: TrainingParams, method: Method, device: str = "cpu") -> bool:
    """Kill a training twice, where it is told of epochs; tell whether it ends as one that nobody kills."""
    weights, history = run(None, training, method, device=device)
    for until in (3, 5) if training.validate_every_epochs == 1 else (4, 6):
        with pytest.raises(Killed):
            run(folder, training, method, until, device)
        assert len(list(folder.iterdir())) == 1
    made, resumed = run(folder, training, method, device=device)
    return same_bits(made, weights) and same_rows(resumed, history)


@needs_cuda
@pytest.mark.parametrize("name", METHODS)
def test_a_broken_training_on_cuda_ends_in_the_same_bits(name: str, tmp_path: Path) -> None:
    assert broken_and_whole(tmp_path, ALL_TECHNIQUES, METHODS[name], "cuda")


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("training", TRAININGS)
def test_a_broken_training_ends_in_the_same_bits(name: str, training: str, tmp_path: Path) -> None:
    assert broken_and_whole(tmp_path, TRAININGS[training], METHODS[name])


def test_it_stops_where_the_unbroken_training_stopped(tmp_path: Path) -> None:
    training = training_params(learning_rate=3.0, checkpoint="validation_loss")
    _, history = run(None, training, supervised(), max_epochs=30, patience_epochs=3)
    assert len(history) < 30
    for until in range(1, len(history) + 1):
        with pytest.raises(Killed):
            run(tmp_path, training, supervised(), until, max_epochs=30, patience_epochs=3)
    _, resumed = run(tmp_path, training, supervised(), max_epochs=30, patience_epochs=3)
    assert same_rows(resumed, history)


def train_in(folder: Path, name: str, log: Path | None = None) -> None:
    """Run what a stage's process runs, in ``folder``."""
    os.chdir(folder)
    os.environ["SELFSAME_OBSERVE"] = "0"
    torch.set_num_threads(1)
    if log is not None:
        sys.stderr = log.open("w")
    how = plan(METHODS[name], max_epochs=20, patience_epochs=20)
    fit_model(training_run(stage(folder), how, pool_examples(POOL)), folder / "model")
    if log is not None:
        sys.stderr.flush()


def start(*arguments: Any) -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["torch", "selfsame.learning.fit"])
    process = context.Process(target=train_in, args=arguments)
    process.start()
    return process


def wait_for(reached: Callable[[], bool], process: Any) -> None:
    deadline = monotonic() + 60
    while not reached():
        assert process.is_alive() and monotonic() < deadline
        sleep(0.002)


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_killed_process_is_taken_up_by_the_next(tmp_path: Path) -> None:
    folders = {}
    for broken in (False, True):
        folders[broken] = tmp_path / str(broken)
        folders[broken].mkdir()
        settings = f"monitoring: {{tensorboard: false, checkpoint_seconds: {0.0 if broken else 1000.0}}}\n"
        (folders[broken] / "params.yaml").write_text(settings)
    whole = start(folders[False], "self_training, following")
    scratch = folders[True] / SCRATCH
    for _ in range(2):
        before = set(scratch.rglob("*.safetensors"))
        process = start(folders[True], "self_training, following")
        wait_for(lambda before=before: bool(set(scratch.rglob("*.safetensors")) - before), process)
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        assert not (folders[True] / "model").exists()
    last = start(folders[True], "self_training, following", log := tmp_path / "log")
    for process in (whole, last):
        process.join()
        assert process.exitcode == 0
    assert files_in(folders[True] / "model") == files_in(folders[False] / "model")
    assert "goes on after epoch" in log.read_text()
    assert not list(scratch.rglob("*.safetensors"))


def damage_by_truncating(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def damage_by_a_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


def damage_by_emptying(file: Path) -> None:
    file.write_bytes(b"")


def damage_by_moving(file: Path) -> None:
    """Put it where another training looks."""
    other = file.parent.with_name("other")
    other.mkdir()
    file.rename(other / file.name)
    file.parent.rmdir()
    other.rename(file.parent.with_name("key"))


@pytest.mark.parametrize(
    "damage",
    [damage_by_truncating, damage_by_a_bit, damage_by_emptying, damage_by_moving],
    ids=lambda damage: damage.__name__,
)
def test_what_is_no_checkpoint_of_this_training_is_left_alone(
    damage: Callable[[Path], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    moved = damage is damage_by_moving
    written_to = tmp_path / ("elsewhere" if moved else "key")
    with pytest.raises(Killed):
        run(written_to, ALL_TECHNIQUES, methods()["self_training"], until=3)
    (file,) = written_to.iterdir()
    damage(file)
    made, history = run(tmp_path / "key", ALL_TECHNIQUES, methods()["self_training"])
    weights, expected = run(None, ALL_TECHNIQUES, methods()["self_training"])
    assert same_bits(made, weights) and same_rows(history, expected)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("ignored")


def test_half_a_checkpoint_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        run(tmp_path, ALL_TECHNIQUES, supervised(), until=4)
    (tmp_path / ".partial-checkpoint").write_bytes(b"half")
    checkpoints = Checkpoints(tmp_path, 0.0)
    net = fresh_net(NORMED_AND_DROPPED)
    train(net, training_data(POOL), plan(max_epochs=EPOCHS), ALL_TECHNIQUES, lambda _: None, checkpoints)
    assert checkpoints.resumed_from_epoch == 3
    checkpoints.remove()
    assert not tmp_path.exists()


def test_who_goes_on_with_a_finished_training_has_its_result_at_once(tmp_path: Path) -> None:
    how = plan(methods()["self_training"], max_epochs=EPOCHS)
    nets = [fresh_net(NORMED_AND_DROPPED) for _ in range(2)]
    told: list[list[Row]] = [[], []]
    results = []
    for net, rows, last in zip(nets, told, (True, False), strict=True):
        checkpoints = Checkpoints(tmp_path, 60.0, last)
        assert (checkpoints.resumed_from_epoch == EPOCHS) is not last
        results.append(train(net, training_data(POOL), how, ALL_TECHNIQUES, rows.append, checkpoints))
    (first, pool), (second, again) = results
    assert same_rows(first, second) and told[0] == told[1]
    assert pool is not None and again is not None and again.rounds == pool.rounds
    kept, found = pool.state(), again.state()
    assert same_bits(found, kept)


def test_only_time_decides_when(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("selfsame.learning.resume.monotonic", lambda: now[0])
    checkpoints = Checkpoints(tmp_path / "key", 10.0)
    written = []
    for now[0] in (0.0, 9.9, 10.0, 19.9, 20.0):
        checkpoints.offer({}, [{"epoch": now[0]}], done=False)
        written.append([path.name for path in tmp_path.rglob("*.safetensors")])
    assert written[0] == written[1] == []
    assert len(written[2]) == 1 and written[2] == written[3]
    assert len(written[4]) == 1 and written[4] != written[3]


def test_checkpoints_cost_a_hundredth_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    class Slow:
        def state(self) -> dict[str, Any]:
            now[0] += 2.0  # seconds that it takes to write
            return {}

        def restore(self, state: dict[str, Any]) -> None:
            raise AssertionError

    monkeypatch.setattr("selfsame.learning.resume.monotonic", lambda: now[0])
    checkpoints = Checkpoints(tmp_path, 10.0)
    written = set()
    for now[0] in (10.0, 22.0, 211.0, 212.0, 300.0):
        checkpoints.offer({"net": Slow()}, [{"epoch": now[0]}], done=False)
        written.update(path.name for path in tmp_path.iterdir())
    assert len(written) == 2


def test_the_key_is_all_that_decides_the_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = Path("step.py")
    code.write_text("1")
    given = stage(tmp_path)

    def key(seed: int = 0, **params: Any) -> str:
        spec = type(given.spec)("train", "", "", ("step.py",), (), (), tuple(given.params))
        staged = Stage(spec, given.inputs, {}, {**given.params, **params})
        return training_run(staged, plan(seed=seed)).checkpoint_folder.name

    keys = [
        key(),
        key(seed=1),
        key(training=training_params()),
        key(training=training_params(precision="bfloat16")),
    ]
    code.write_text("2")
    keys.append(key())
    given.inputs["scaling"].write_text(given.inputs["scaling"].read_text() + " ")
    keys.append(key())
    with monkeypatch.context() as patched:
        patched.setattr(torch, "get_num_threads", lambda: 2)
        keys.append(key())
    monkeypatch.setattr(torch, "__version__", "9.9")
    keys.append(key())
    assert len(set(keys)) == len(keys) == 8
    assert key() == keys[-1]


def test_the_record_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELFSAME_OBSERVE", "0")
    Path("params.yaml").write_text("monitoring: {tensorboard: false, checkpoint_seconds: 0.0}\n")
    take_notes()
    given, how = stage(tmp_path), plan(max_epochs=EPOCHS)
    checkpoints = Checkpoints(training_run(given, how).checkpoint_folder, 0.0)
    torch.manual_seed(how.seed)
    with pytest.raises(Killed):
        run_until(checkpoints, how)
    fit_model(training_run(given, how), tmp_path / "model")
    assert take_notes() == [{"resumedFromEpoch": 2, "seed": 0}]
    fit_model(training_run(given, how), tmp_path / "again")
    assert take_notes() == []
    assert files_in(tmp_path / "model") == files_in(tmp_path / "again")


def test_another_net_of_the_same_stage_is_another_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELFSAME_OBSERVE", "0")
    Path("params.yaml").write_text("monitoring: {tensorboard: false, checkpoint_seconds: 0.0}\n")
    given, member = stage(tmp_path), plan(max_epochs=EPOCHS, seed=1)
    torch.manual_seed(member.seed)
    with pytest.raises(Killed):
        run_until(Checkpoints(training_run(given, member).checkpoint_folder, 0.0), member)
    fit_model(
        training_run(given, plan(max_epochs=EPOCHS)), tmp_path / "first"
    )  # another seed: not taken up here …
    assert take_notes() == []
    fit_model(training_run(given, member), tmp_path / "second")  # … but here
    assert take_notes() == [{"resumedFromEpoch": 2, "seed": 1}]


def run_until(checkpoints: Checkpoints, how: Any) -> None:
    def on_epoch(row: Row) -> None:
        if row["epoch"] == 3:
            raise Killed

    net = fresh_net(NORMED_AND_DROPPED)
    train(net, training_data(), how, ALL_TECHNIQUES, on_epoch, checkpoints)
