"""Structural similarity in numpy against the one that trains the models."""

import numpy as np
import pytest
import torch

from analysis.evaluation.ssim import ssim
from ml.ssim import ssim as torch_ssim


def pair(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    image = (rng.random(shape) < 0.05).astype(np.float32)
    return np.clip(0.8 * image + 0.1 * rng.random(shape), 0, 1).astype(np.float32), image


@pytest.mark.parametrize("shape", [(4, 1, 72, 58), (3, 3, 72, 58), (1, 3, 30, 11)])
def test_same_as_in_training(shape: tuple[int, ...]) -> None:
    reco, image = pair(shape)
    expected = torch_ssim(torch.from_numpy(reco).double(), torch.from_numpy(image).double())
    np.testing.assert_allclose(ssim(reco, image), expected, rtol=1e-6)


def test_equal_images_and_scale() -> None:
    reco, image = pair((5, 1, 72, 58))
    np.testing.assert_allclose(ssim(image, image), 1)
    scale = np.arange(1.0, 6.0)
    scaled_reco, scaled_image = (x.astype(np.float64) * scale[:, None, None, None] for x in (reco, image))
    np.testing.assert_allclose(ssim(scaled_reco, scaled_image, scale), ssim(reco, image))
    assert ssim(reco[:0], image[:0]).shape == (0,)
