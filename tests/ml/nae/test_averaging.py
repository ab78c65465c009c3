from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ml.config import RunConfig
from ml.nae import module
from ml.run_folder import load_checkpoint, load_model
from ml.training import train

Configure = Callable[..., RunConfig[Any]]


def weights_of_each_step(
    monkeypatch: pytest.MonkeyPatch, files: list[Path], folder: Path, config: RunConfig[Any]
) -> list[dict[str, Tensor]]:
    """Train; the parameters after each step."""
    seen: list[dict[str, Tensor]] = []
    step = module.NormalizedTraining.training_step

    def followed(self: module.NormalizedTraining, image_NCHW: Tensor, batch_index: int) -> None:
        step(self, image_NCHW, batch_index)
        seen.append({name: value.detach().clone() for name, value in self.named_parameters()})

    with monkeypatch.context() as patch:
        patch.setattr(module.NormalizedTraining, "training_step", followed)
        train("nae", files, folder, config)
    return seen


@pytest.mark.parametrize(("power", "shares"), [(1, [1, 1, 1, 1, 1, 1]), (2, [1, 2, 3, 4, 5, 6])])
def test_checkpoint_holds_the_mean_of_the_weights(
    power: float,
    shares: list[int],
    qcd_jets: Path,
    nae_config: Configure,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = nae_config(averaging=power, learning_rate=0.01, best="last")
    seen = weights_of_each_step(monkeypatch, [qcd_jets], tmp_path, config)
    # Two epochs of 36 jets, 16 a batch.
    assert len(seen) == len(shares)
    checkpoint = load_checkpoint(tmp_path / "best.ckpt")
    for name in seen[0]:
        mean = np.average([step[name].double().numpy() for step in seen], axis=0, weights=shares)
        np.testing.assert_allclose(checkpoint["state_dict"][name].numpy(), mean, rtol=1e-4, atol=1e-6)
        assert torch.equal(checkpoint["current_weights"][name], seen[-1][name])


def test_averaging_changes_nothing_of_the_training_itself(
    qcd_jets: Path, nae_config: Configure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (
        weights_of_each_step(
            monkeypatch, [qcd_jets], tmp_path / str(power), nae_config(averaging=power, learning_rate=0.01)
        )
        for power in (None, 3)
    )
    assert all(torch.equal(one[-1][name], other[-1][name]) for name in one[-1])
    chains = [(tmp_path / name / "chains.csv").read_bytes() for name in ("None", "3")]
    assert chains[0] == chains[1]


def test_averaged_weights_are_normalised(qcd_jets: Path, nae_config: Configure, tmp_path: Path) -> None:
    train("nae", [qcd_jets], tmp_path, nae_config(averaging=1, learning_rate=0.1, best="last"))
    layer = load_model(tmp_path).encoder[0]  # type: ignore[index]
    # At this rate the weights of the last step are far from the mean, and with them their singular vectors.
    largest = torch.linalg.svdvals(layer.held.flatten(1))[0]  # type: ignore[union-attr]
    assert largest == pytest.approx(1, rel=0.02)
