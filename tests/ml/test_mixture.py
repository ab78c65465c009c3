"""Trainings that decorrelate in a background of several samples."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from pydantic import ValidationError

from darktrigger.errors import ConfigError
from imaging.composition import BackgroundSample
from imaging.image_file import read_metadata
from ml.config import run_config
from ml.data import DressedBatches, PlainBatches, load_background
from ml.decorrelation import ClosureConfig, non_closure
from ml.disco import distance_correlation
from ml.mixture import DecorrelatedBatches, WeighedImages, mixture_weights
from ml.models.pair import PairTraining
from ml.run_folder import load_model
from ml.training import train

SETTINGS = {"epochs": 1, "batch_size": 64, "validation_fraction": 0.25, "precision": "float32"}


@pytest.fixture
def files(background: Path, tmp_path: Path) -> list[Path]:
    """The same events under two names."""
    return [Path(shutil.copy(background, tmp_path / name)) for name in ("w1.parquet", "tt1.parquet")]


def shares(**of: float) -> tuple[BackgroundSample, ...]:
    return tuple(BackgroundSample(files=f"{name}*", share=share) for name, share in of.items())


def test_events_count_by_the_share_of_their_file(files: list[Path]) -> None:
    data = load_background(files, "coarse E_T")
    n = len(data) // 2
    np.testing.assert_array_equal(data.source, np.repeat([0, 1], n))
    weight_N = mixture_weights(data, shares(w=0.9, tt=0.1))
    assert weight_N.mean() == pytest.approx(1)
    np.testing.assert_allclose(weight_N[:n], 1.8)
    np.testing.assert_allclose(weight_N[n:], 0.2)
    rows = np.array([n + 1, 0, n - 1])
    np.testing.assert_array_equal(data[rows].source, [1, 0, 0])
    batch = DressedBatches(PlainBatches(data, rows, batch_size=2), weight_N, WeighedImages)[1]
    assert batch.weight is not None
    torch.testing.assert_close(batch.weight, torch.tensor([1.8], dtype=torch.float64))


def test_a_file_given_twice(files: list[Path]) -> None:
    data = load_background([*files, files[0]], "coarse E_T")
    n = len(data) // 3
    np.testing.assert_array_equal(data.source, np.repeat([0, 1, 0], n))
    weight_N = mixture_weights(data, shares(w=0.5, tt=0.5))
    np.testing.assert_allclose(weight_N, np.repeat([0.75, 1.5, 0.75], n))


def test_events_count_by_the_cross_section_of_their_file(files: list[Path]) -> None:
    data = load_background([*files, Path(shutil.copy(files[0], files[0].with_name("w2.parquet")))], "coarse E_T")
    n = len(data) // 3
    samples = [BackgroundSample(files=f"{name}*", cross_section=value) for name, value in (("w", 20), ("tt", 1))]
    weight_N = mixture_weights(data, samples)
    # Two files of W share 20 pb.
    np.testing.assert_allclose(weight_N[:n] / weight_N[n : 2 * n], 10)
    np.testing.assert_allclose(weight_N[2 * n :], weight_N[:n])
    assert read_metadata(str(files[0])).events_read > 0


def test_files_that_do_not_tell_what_was_generated_need_shares(tmp_path: Path) -> None:
    """Those of the 40 MHz challenge."""
    path = tmp_path / "w.h5"
    with h5py.File(path, "w") as file:
        file["Particles"] = np.random.default_rng(0).uniform(1, 2, (6, 19, 4))
    data = load_background([path], "objects")
    with pytest.raises(ConfigError, match=r"w.h5: does not tell how many events were generated; give shares"):
        mixture_weights(data, [BackgroundSample(files="w*", cross_section=20)])
    np.testing.assert_allclose(mixture_weights(data, shares(w=0.3)), 1)


def test_files_of_no_sample_are_refused(files: list[Path]) -> None:
    settings = PairTraining(background=shares(w=1), **SETTINGS)
    with pytest.raises(ConfigError, match=r"background: .*tt1.parquet must be of one sample"):
        DecorrelatedBatches(load_background(files, "coarse E_T"), settings)
    with pytest.raises(ValidationError, match="cross_section or a share"):
        PairTraining.model_validate({"background": [{"files": "w*"}]})


def test_training_with_shares(files: list[Path], tmp_path: Path) -> None:
    """Equal shares of equal files change nothing; others do, in training and in validation."""
    runs = {"plain": (), "equal": shares(w=0.5, tt=0.5), "shares": shares(w=0.99, tt=0.01)}
    for name, background in runs.items():
        training = SETTINGS | {"background": [sample.model_dump(exclude_none=True) for sample in background]}
        train("pair", files, tmp_path / name, run_config("pair", {"training": training}))
    rows = {name: (tmp_path / name / "metrics.csv").read_text().splitlines()[1].split(",") for name in runs}
    plain, equal, other = ([float(cell) for cell in rows[name] if cell] for name in runs)
    assert equal == pytest.approx(plain, rel=1e-4)
    assert abs(other[-1] - plain[-1]) > 1e-4 * plain[-1]
    weights = {name: torch.cat([p.flatten() for p in load_model(tmp_path / name).parameters()]) for name in runs}
    torch.testing.assert_close(weights["equal"], weights["plain"], rtol=1e-3, atol=1e-4)
    assert not torch.allclose(weights["shares"], weights["plain"], rtol=1e-3, atol=1e-4)


def test_whole_numbered_weights_act_as_copies() -> None:
    score_NK = torch.from_numpy(np.random.default_rng(0).exponential(size=(400, 2))) @ torch.tensor(
        [[1.0, 0.4], [0.0, 1.0]], dtype=torch.float64
    )
    weight_N = torch.arange(400) % 4
    copies_NK = score_NK.repeat_interleave(weight_N, dim=0)
    found = distance_correlation(score_NK[:, 0], score_NK[:, 1], weight_N)
    torch.testing.assert_close(found, distance_correlation(copies_NK[:, 0], copies_NK[:, 1]))
    config = ClosureConfig(efficiencies=(0.5, 0.1), softness=0.05)
    # The width of the soft thresholds and the interpolation of quantiles leave a little.
    torch.testing.assert_close(
        non_closure(score_NK, config, weight_N), non_closure(copies_NK, config), rtol=0.1, atol=1e-3
    )
    assert non_closure(score_NK, config) > 0
    torch.testing.assert_close(
        non_closure(score_NK, config, torch.ones(400)), non_closure(score_NK, config), rtol=0.05, atol=1e-3
    )
