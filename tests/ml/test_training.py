import csv
import logging
import os
import signal
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from darktrigger.errors import ConfigError, TrainingError
from imaging.image_file import read_image_file, write_image_file
from ml import training
from ml.calibration import read_calibration
from ml.callbacks import Epoch, best_epoch, exhausted
from ml.config import RunConfig
from ml.models.codae import SCORES, CoDAE, CoDAEConfig
from ml.module import Reconstruction, accumulate_gradient, clip_each
from ml.registry import FAMILIES
from ml.run_folder import load_checkpoint, read_config, read_record
from ml.scores import bce
from ml.threads import thread_map
from ml.training import lightning_precision, train

#: The fixture's type: makes a run's configuration of training settings.
Configure = Callable[..., RunConfig[CoDAEConfig]]


class KilledError(Exception):
    """Stands for a signal."""


def metrics(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as stream:
        return list(csv.DictReader(stream))


def weights(folder: Path, name: str = "last.ckpt") -> dict[str, Tensor]:
    state: dict[str, Tensor] = load_checkpoint(folder / name)["state_dict"]
    return state


def assert_equal_weights(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_run_folder_is_complete(trained_run: Path) -> None:
    for name in ("config.yaml", "run.json", "curves.png", "curves.pdf", "best.ckpt", "last.ckpt", "calibration.json"):
        assert (trained_run / name).stat().st_size
    assert [row["epoch"] for row in metrics(trained_run)] == ["0", "1"]
    assert read_config(trained_run, "codae").training.learning_rate == 1e-3
    assert read_record(trained_run).family == "codae"


def test_training_learns(trained_run: Path) -> None:
    first, last = metrics(trained_run)
    assert float(last["train_loss"]) < float(first["train_loss"])
    assert float(last["val_loss"]) < float(first["val_loss"])


def test_calibration(trained_run: Path) -> None:
    calibration = read_calibration(trained_run)
    assert set(calibration.scores) == set(SCORES)
    for score in calibration.scores.values():
        values = list(score.quantiles.values())
        assert values == sorted(values)
    assert calibration.events == round(read_record(trained_run).events * 0.25)


def test_nothing_is_said_in_a_log(
    background: Path,
    small_config: Configure,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        train("codae", [background], tmp_path, small_config(epochs=1))
    assert capfd.readouterr() == ("", "")
    assert [record.name for record in caplog.records] == ["ml.training"]


@pytest.mark.parametrize("step", [2, 5, 9])
def test_resumed_run_equals_an_uninterrupted_one(
    step: int, background: Path, small_config: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config()
    train("codae", [background], tmp_path / "whole", config)
    with monkeypatch.context() as patch:
        steps = iter(range(100))
        original = Reconstruction.training_step

        def training_step(self: Reconstruction, *args: Any) -> None:
            if next(steps) == step:
                raise KilledError
            original(self, *args)

        patch.setattr(Reconstruction, "training_step", training_step)
        with pytest.raises(KilledError):
            train("codae", [background], tmp_path / "cut", config)
    train("codae", [background], tmp_path / "cut", config, resume=True)
    for name in ("last.ckpt", "best.ckpt"):
        assert_equal_weights(weights(tmp_path / "whole", name), weights(tmp_path / "cut", name))
    for name in ("metrics.csv", "calibration.json"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


@pytest.mark.parametrize("received", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_no_success(
    received: signal.Signals,
    background: Path,
    small_config: Configure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = small_config(epochs=3)
    handlers = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]
    original, signals = Reconstruction.training_step, iter([received])

    def training_step(self: Reconstruction, *args: Any) -> None:
        # Once, in the second epoch.
        if (tmp_path / "metrics.csv").exists() and (one := next(signals, None)):
            os.kill(os.getpid(), one)
        original(self, *args)

    try:
        with monkeypatch.context() as patch:
            patch.setattr(Reconstruction, "training_step", training_step)
            with pytest.raises(SystemExit) as stop:
                train("codae", [background], tmp_path, config)
    finally:
        for each, handler in zip((signal.SIGINT, signal.SIGTERM), handlers, strict=True):
            signal.signal(each, handler)
    assert stop.value.code == 128 + received
    (record,) = caplog.records
    assert record.getMessage().startswith(f"{tmp_path}: stopped by {received.name} after 1 epochs; --resume goes on")
    assert not (tmp_path / "calibration.json").exists()
    train("codae", [background], tmp_path, config, resume=True)
    assert (tmp_path / "calibration.json").exists()


def test_cut_between_checkpoint_and_metrics(background: Path, small_config: Configure, tmp_path: Path) -> None:
    train("codae", [background], tmp_path, small_config(epochs=2))
    expected = (tmp_path / "metrics.csv").read_text()
    (tmp_path / "metrics.csv").write_text(expected.splitlines()[0] + "\n")
    train("codae", [background], tmp_path, small_config(epochs=2), resume=True)
    assert (tmp_path / "metrics.csv").read_text() == expected


def test_epochs_may_grow(background: Path, small_config: Configure, tmp_path: Path) -> None:
    train("codae", [background], tmp_path / "long", small_config(epochs=3))
    train("codae", [background], tmp_path / "grown", small_config(epochs=2))
    train("codae", [background], tmp_path / "grown", small_config(epochs=3), resume=True)
    assert_equal_weights(weights(tmp_path / "long"), weights(tmp_path / "grown"))
    assert read_config(tmp_path / "grown", "codae").training.epochs == 3


def test_training_starts_from_the_best_weights_of_another_run(
    background: Path, small_config: Configure, trained_run: Path, tmp_path: Path
) -> None:
    settings = {"epochs": 1, "learning_rate": 1e-9, "weight_decay": 0.0, "pretrained": str(trained_run)}
    train("codae", [background], tmp_path, small_config(**settings))
    before, after = weights(trained_run, "best.ckpt"), weights(tmp_path)
    for key, value in before.items():
        torch.testing.assert_close(after[key], value, rtol=1e-6, atol=1e-7)
    origin, source = read_record(tmp_path).pretrained, read_record(trained_run)
    assert origin is not None
    assert (origin.family, origin.files, origin.hash) == ("codae", source.files, source.data_hash)
    assert origin.entries == read_config(trained_run, "codae").training.entries


def test_a_run_of_another_network_is_no_start(
    background: Path, small_config_of: Callable[..., RunConfig[Any]], trained_run: Path, tmp_path: Path
) -> None:
    config = small_config_of("cae", pretrained=str(trained_run))
    with pytest.raises(TrainingError, match=r"training\.pretrained: .* holds a codae, another network"):
        train("cae", [background], tmp_path, config)
    # The folder is left to the run that was meant.
    assert not (tmp_path / "run.json").exists()


def test_a_run_of_another_size_is_no_start(
    background: Path, small_config: Configure, trained_run: Path, tmp_path: Path
) -> None:
    config = small_config(pretrained=str(trained_run))
    model = config.model.model_copy(update={"groups": 1})
    with pytest.raises(TrainingError, match=r"was trained with model\.groups \d, now 1$"):
        train("codae", [background], tmp_path, config.model_copy(update={"model": model}))


def test_folder_in_use_is_refused(background: Path, small_config: Configure, trained_run: Path) -> None:
    with pytest.raises(TrainingError, match="already holds a training run; give --resume"):
        train("codae", [background], trained_run, small_config())


def test_resume_with_other_settings_is_refused(background: Path, trained_run: Path) -> None:
    config = read_config(trained_run, "codae")
    changed = config.model_copy(update={"training": config.training.model_copy(update={"seed": 1})})
    with pytest.raises(TrainingError, match=r"training\.seed was 42, now 1$"):
        train("codae", [background], trained_run, changed, resume=True)
    fewer = config.model_copy(update={"training": config.training.model_copy(update={"epochs": 1})})
    with pytest.raises(TrainingError, match=r"training\.epochs was 2, now 1$"):
        train("codae", [background], trained_run, fewer, resume=True)


def test_resume_with_other_data_is_refused(background: Path, trained_run: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.parquet"
    with write_image_file(other) as writer:
        writer.write(read_image_file(background)[:-3])
    with pytest.raises(TrainingError, match="cannot resume with other data"):
        train("codae", [other], trained_run, read_config(trained_run, "codae"), resume=True)


def test_unknown_family_names_the_nearest(background: Path, small_config: Configure, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'codae'"):
        train("codea", [background], tmp_path, small_config())


def test_loss_that_is_not_finite_ends_training(
    background: Path, small_config: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(FAMILIES["codae"], loss=lambda image_NCHW, output: bce(image_NCHW, output) * float("nan"))
    monkeypatch.setattr(training, "family", lambda name: spec)
    with pytest.raises(TrainingError, match=r"epoch 0: .*not finite"):
        train("codae", [background], tmp_path, small_config(epochs=1))
    assert not (tmp_path / "last.ckpt").exists()


def history(*ssim: float) -> list[Epoch]:
    return [Epoch(i, 1.0, 1.0, value) for i, value in enumerate(ssim)]


def test_patience_counts_from_the_first_best_epoch() -> None:
    assert best_epoch(history(0.1, 0.5, 0.5, 0.2)) == 1
    assert not exhausted(history(0.1, 0.5, 0.4), 2)
    assert exhausted(history(0.1, 0.5, 0.4, 0.5), 2)
    assert not exhausted([], 1)


def test_training_stops_when_patience_runs_out(background: Path, small_config: Configure, tmp_path: Path) -> None:
    config = small_config(epochs=4, patience=1, learning_rate=1e-12)
    train("codae", [background], tmp_path, config)
    assert len(metrics(tmp_path)) < 4
    before = (tmp_path / "metrics.csv").read_bytes()
    train("codae", [background], tmp_path, config, resume=True)
    assert (tmp_path / "metrics.csv").read_bytes() == before


def test_micro_batches_give_the_gradient_of_the_batch() -> None:
    model = CoDAE(CoDAEConfig(filters=(8, 8), groups=2))
    model.reset_parameters(torch.Generator().manual_seed(0))
    # In single precision the order of the sums tells.
    model.double()
    image_NCHW = (torch.rand(6, 1, 72, 58, generator=torch.Generator().manual_seed(0)) < 0.03).double()
    gradients = []
    for micro_batch in (6, 4):
        model.zero_grad()
        loss = accumulate_gradient(model, bce, image_NCHW, micro_batch)
        torch.testing.assert_close(loss.double(), bce(image_NCHW, model(image_NCHW)).mean(), rtol=1e-6, atol=0)
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8 * one.abs().max().item())


def test_gradients_are_laid_out_as_their_parameters() -> None:
    # Fused AdamW reads both in memory order; a convolution may return a weight gradient in another.
    conv = torch.nn.Conv2d(4, 4, 3)
    image_NCHW = torch.rand(8, 4, 9, 9).contiguous(memory_format=torch.channels_last)

    def squares(image_NCHW: Tensor, output: Tensor) -> Tensor:
        return output.square().sum((1, 2, 3))

    (raw,) = torch.autograd.grad(squares(image_NCHW, conv(image_NCHW)).mean(), [conv.weight])
    assert raw.stride() != conv.weight.stride()
    accumulate_gradient(conv, squares, image_NCHW, 8)
    assert conv.weight.grad is not None
    assert conv.weight.grad.stride() == conv.weight.stride()
    torch.testing.assert_close(conv.weight.grad, raw)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_threads_give_the_same_bits(dtype: torch.dtype) -> None:
    model = CoDAE(CoDAEConfig(filters=(8, 8), groups=2))
    image_NCHW = (torch.rand(7, 1, 72, 58, generator=torch.Generator().manual_seed(0)) < 0.03).float()
    gradients = []
    with torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        for context in (nullcontext(map), thread_map(3)):
            model.zero_grad()
            with context as each:
                accumulate_gradient(model, bce, image_NCHW, 2, each)
            gradients.append([p.grad for p in model.parameters() if p.grad is not None])
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))


def test_gradients_are_clipped_one_by_one() -> None:
    large, small = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
    large.grad, small.grad = torch.tensor([3.0, 4.0]), torch.tensor([0.3, 0.4])
    clip_each([large, small], 1.0)
    torch.testing.assert_close(large.grad, torch.tensor([0.6, 0.8]))
    torch.testing.assert_close(small.grad, torch.tensor([0.3, 0.4]))


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_precision(native: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "native_bfloat16", lambda: native)
    assert lightning_precision("auto") == expected
    assert lightning_precision("float32") == "32-true"
    assert lightning_precision("bfloat16") == "bf16-mixed"


def test_bfloat16_trains(background: Path, small_config: Configure, tmp_path: Path) -> None:
    train("codae", [background], tmp_path, small_config(epochs=1, precision="bfloat16"))
    assert all(tensor.dtype == torch.float32 for tensor in weights(tmp_path).values())
