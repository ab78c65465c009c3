import csv
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from darktrigger.errors import TrainingError
from ml import training
from ml.config import RunConfig
from ml.models.nae import NAE
from ml.nae import module
from ml.run_folder import load_checkpoint, load_model, read_record
from ml.spectral import Spectral
from ml.training import train

#: The fixture's type: makes a run's configuration of training settings.
Configure = Callable[..., RunConfig[Any]]


class KilledError(Exception):
    """Stands for a signal."""


def first_weight(model: NAE) -> Tensor:
    layer = model.encoder[0]
    assert isinstance(layer, Spectral)
    return layer.weight.detach()


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open() as stream:
        return list(csv.DictReader(stream))


def test_autoencoder_learns(ae_run: Path) -> None:
    rows = table(ae_run, "metrics.csv")
    assert float(rows[-1]["val_loss"]) < 0.99 * float(rows[0]["val_loss"])


def test_run_folder_is_complete(nae_run: Path) -> None:
    pictures = ("chains.png", "chains.pdf", "samples.png", "means.png", "landscape.png", "landscape.pdf", "curves.png")
    for name in (*pictures, "samples.npz", "landscape.npz", "samples/epoch_000.png", "calibration.json"):
        assert (nae_run / name).stat().st_size, name
    rows = table(nae_run, "chains.csv")
    assert [row["epoch"] for row in rows] == ["0", "1"]
    for row in rows:
        positive, negative = float(row["positive_energy"]), float(row["negative_energy"])
        assert positive > 0
        assert negative > 0
        assert float(row["difference"]) == pytest.approx(positive - negative)
        assert 0 < float(row["latent_acceptance"]) <= 1
        assert 0 < float(row["pixel_acceptance"]) <= 1
    assert read_record(nae_run).collapse is None


def test_replay_buffer_travels_in_the_checkpoint(nae_run: Path) -> None:
    replay = load_checkpoint(nae_run / "last.ckpt")["replay"]
    # Two epochs of 36 training jets, a chain each.
    assert replay["filled"] == replay["next"] == 72
    np.testing.assert_allclose(replay["points"][:72].norm(dim=1), 1, rtol=1e-5)
    assert not replay["points"][72:].any()


def test_landscape(nae_run: Path) -> None:
    with np.load(nae_run / "landscape.npz") as found:
        assert found["energy"].shape == (30, 60)
        assert found["chains"].shape == (40, 4, 2)
        assert found["images/validation"].shape == (12, 2)
        assert (np.abs(found["chains"][..., 1]) <= np.pi / 2).all()


@pytest.mark.parametrize(
    ("objective", "averaged_steps"), [("likelihood", None), ("power_law", 3), ("wasserstein", None)]
)
def test_resumed_run_equals_an_uninterrupted_one(
    objective: str,
    averaged_steps: int | None,
    qcd_jets: Path,
    nae_config: Configure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = nae_config(
        objective={"kind": objective}, latent_chain={"steps": 3, "jumps": 2}, averaged_steps=averaged_steps
    )
    train("nae", [qcd_jets], tmp_path / "whole", config)
    step = module.NormalizedTraining.training_step
    calls = []

    def killed(self: module.NormalizedTraining, image_NCHW: Tensor, batch_index: int) -> None:
        calls.append(batch_index)
        if len(calls) == 5:
            raise KilledError
        step(self, image_NCHW, batch_index)

    monkeypatch.setattr(module.NormalizedTraining, "training_step", killed)
    with pytest.raises(KilledError):
        train("nae", [qcd_jets], tmp_path / "cut", config)
    assert len(table(tmp_path / "cut", "chains.csv")) == 1
    monkeypatch.undo()
    train("nae", [qcd_jets], tmp_path / "cut", config, resume=True)
    one, other = (load_checkpoint(tmp_path / name / "last.ckpt") for name in ("whole", "cut"))
    assert all(torch.equal(one["state_dict"][key], other["state_dict"][key]) for key in one["state_dict"])
    assert torch.equal(one["replay"]["points"], other["replay"]["points"])
    for name in ("chains.csv", "metrics.csv"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


def test_last_epoch_is_kept_where_that_is_asked_for(qcd_jets: Path, nae_config: Configure, tmp_path: Path) -> None:
    kept = {}
    for best in ("balanced", "last"):
        # At this rate the energies move apart.
        train("nae", [qcd_jets], tmp_path / best, nae_config(best=best, epochs=3, learning_rate=0.1))
        kept[best] = int(load_checkpoint(tmp_path / best / "best.ckpt")["epoch"])
    assert kept["balanced"] == 0
    assert kept["last"] == 2


@pytest.mark.parametrize("averaged_steps", [2, 100])
def test_weights_are_averaged_where_that_is_asked_for(
    averaged_steps: int, qcd_jets: Path, nae_config: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visited: list[Tensor] = []
    plain = module.NormalizedTraining.update

    def update(self: module.NormalizedTraining, weights_coefficient: float) -> Tensor:
        regularised = plain(self, weights_coefficient)
        visited.append(first_weight(self.model).clone())
        return regularised

    monkeypatch.setattr(module.NormalizedTraining, "update", update)
    settings = {"best": "last", "learning_rate": 0.01}
    train("nae", [qcd_jets], tmp_path / "mean", nae_config(**settings, averaged_steps=averaged_steps))
    train("nae", [qcd_jets], tmp_path / "last", nae_config(**settings))
    half = len(visited) // 2
    # What is kept has no say in the training.
    assert all(map(torch.equal, visited[:half], visited[half:]))
    mean = visited[0]
    for n, weight in enumerate(visited[1:half], start=2):
        share = max(1 / averaged_steps, 1 / n)
        mean = (1 - share) * mean + share * weight
    kept = load_model(tmp_path / "mean")
    assert isinstance(kept, NAE)
    torch.testing.assert_close(first_weight(kept), mean)
    assert not torch.allclose(mean, visited[-1], rtol=1e-3)
    # A network of its own: largest singular values of one.
    for layer in (kept.encoder[0], kept.encoder[-1], kept.decoder[0]):
        assert isinstance(layer, Spectral)
        assert layer.held is not None
        assert torch.linalg.matrix_norm(layer.held.flatten(1), 2).item() == pytest.approx(1, abs=1e-3)


def test_collapse_stops_training_and_is_reported(
    qcd_jets: Path, nae_config: Configure, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # No samples are as different as this asks for.
    config = nae_config(epochs=5, collapse={"spread": 1.0, "patience": 2, "energy_ratio": 1e9})
    with caplog.at_level(logging.WARNING):
        train("nae", [qcd_jets], tmp_path, config)
    assert len(table(tmp_path, "chains.csv")) == 2
    reason = read_record(tmp_path).collapse
    assert reason is not None
    assert "spread" in reason
    assert "collapsed in epoch 1: the samples' spread is" in caplog.text
    # The run is over: a resumed one does nothing.
    train("nae", [qcd_jets], tmp_path, config, resume=True)
    assert len(table(tmp_path, "chains.csv")) == 2
    load_model(tmp_path)


def test_training_moves_the_weights_and_starts_from_the_autoencoder(
    nae_run: Path, ae_run: Path, qcd_jets: Path, nae_config: Configure, tmp_path: Path
) -> None:
    before, after = load_model(ae_run).state_dict(), load_model(nae_run).state_dict()
    assert any(not torch.equal(before[key], after[key]) for key in before)
    train("nae", [qcd_jets], tmp_path, nae_config(epochs=1, learning_rate=1e-12))
    after = load_model(tmp_path).state_dict()
    for key in before:
        if not key.endswith(".u"):
            torch.testing.assert_close(after[key], before[key], rtol=1e-6, atol=1e-8)


def test_jets_of_another_label_are_refused_or_taken_as_asked(
    qcd_jets: Path, top_jets: Path, nae_config: Configure, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match=r"label 0 only \(training\.label\); found label 1 too"):
        train("nae", [qcd_jets, top_jets], tmp_path / "mixed", nae_config())
    train("nae", [top_jets], tmp_path / "top", nae_config(label=1, epochs=1))
    assert read_record(tmp_path / "top").labels == {1: 40}


def test_pretrained_of_another_size_is_refused(qcd_jets: Path, nae_config: Configure, tmp_path: Path) -> None:
    config = nae_config()
    other = config.model_copy(update={"model": config.model.model_copy(update={"filters": 3})})
    with pytest.raises(TrainingError, match=r"was trained with model\.filters 2, now 3"):
        train("nae", [qcd_jets], tmp_path, other)


def test_jets_are_not_augmented(qcd_jets: Path, nae_config: Configure, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"training\.augmentation"):
        train("nae", [qcd_jets], tmp_path, nae_config(augmentation=True))


def test_events_are_trained_on_too(background: Path, tmp_path: Path) -> None:
    for kind in ("coarse mask", "coarse E_T"):
        settings: dict[str, object] = {"epochs": 1, "batch_size": 8, "validation_fraction": 0.25}
        size = {"filters": 2, "units": 8, "front": {"input": kind}}
        ae, nae = tmp_path / f"{kind} ae", tmp_path / f"{kind} nae"
        config = training_config("jet-ae", size, settings)
        training.train("jet-ae", [background], ae, config)
        chains = {"latent_chain": {"steps": 2}, "pixel_chain": {"steps": 2}, "pretrained": str(ae)}
        training.train("nae", [background], nae, training_config("nae", size, settings | chains))
        assert read_record(nae).events > 10


def training_config(family: str, model: Mapping[str, object], settings: Mapping[str, object]) -> RunConfig[Any]:
    from ml.config import run_config

    return run_config(family, {"model": model, "training": settings})


@pytest.mark.parametrize("family", ["jet-ae", "nae"])
def test_every_epoch_teaches_the_weights(
    family: str, ae_run: Path, qcd_jets: Path, nae_config: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = module.EnergyTraining.update
    moved = []

    def update(self: module.EnergyTraining, weights_coefficient: float) -> Tensor:
        before = first_weight(self.model).clone()
        regularised = plain(self, weights_coefficient)
        moved.append(not torch.equal(before, first_weight(self.model)))
        return regularised

    monkeypatch.setattr(module.EnergyTraining, "update", update)
    size = {"filters": 2, "units": 8}
    settings = {"epochs": 3, "batch_size": 16, "validation_fraction": 0.25}
    train(family, [qcd_jets], tmp_path, training_config(family, size, settings) if family == "jet-ae" else nae_config())
    assert len(moved) >= 6
    assert all(moved)


def test_biases_of_the_encoder_learn_slowly(ae_run: Path) -> None:
    weights = load_checkpoint(ae_run / "last.ckpt")["state_dict"]
    encoder, decoder = (
        torch.cat([value for name, value in weights.items() if name.startswith(f"model.{part}.") and "bias" in name])
        for part in ("encoder", "decoder")
    )
    # Both start from zero, but for the last. Adam moves a parameter by about the learning rate a step, 36 here.
    assert 0 < encoder.abs().max() < 1.5 * 36 * 0.02 * 0.01
    assert decoder[:-1].abs().max() > 10 * encoder.abs().max()


def test_resume_with_another_objective_is_refused(nae_run: Path, qcd_jets: Path, nae_config: Configure) -> None:
    config = nae_config(objective={"kind": "wasserstein"})
    with pytest.raises(TrainingError, match=r"training\.objective\.kind was likelihood, now wasserstein"):
        train("nae", [qcd_jets], nae_run, config, resume=True)
