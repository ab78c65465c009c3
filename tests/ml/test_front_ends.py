from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array

from imaging.jets.dense import JetInput, jet_image
from ml.front_ends import EnergyFront, FrontEnd, JetFront, MaskFront


@pytest.fixture(scope="module")
def jets() -> NDArray[np.float32]:
    rng = np.random.default_rng(1)
    images = rng.exponential(10, (4, 1600)).astype(np.float32) * (rng.random((4, 1600)) < 0.02)
    images[3] = 0
    images[2, :40] = 5  # at the edge, where the filter has to mirror
    return images


@pytest.mark.parametrize("power", [1.0, 0.5, 0.2, 0.01])
@pytest.mark.parametrize("sigma", [0.0, 1.0, 2.0])
def test_jet_front_end_is_the_jet_image(power: float, sigma: float, jets: NDArray[np.float32]) -> None:
    front = FrontEnd(JetFront(power=power, sigma=sigma))
    with torch.inference_mode():
        found = front(torch.from_numpy(jets.reshape(-1, 1, 40, 40)))
    expected = jet_image(csr_array(jets), JetInput(power=power, sigma=sigma))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found.sum((1, 2, 3))[:3], 1, rtol=1e-4)
    assert not found[3].any()


def test_event_front_ends_keep_pixels_in_the_unit_interval() -> None:
    image = torch.rand(2, 3, 72, 58, generator=torch.Generator().manual_seed(0)) * 300
    bright = FrontEnd(EnergyFront(scale=5, sigma=0))(image)
    torch.testing.assert_close(bright, image / (image + 5))
    mask = (image[:, :1] > 250).float()
    blurred = FrontEnd(MaskFront(sigma=1))(mask)
    assert blurred.max() <= 1
    # The number of lit pixels is kept.
    torch.testing.assert_close(blurred.sum(), mask.sum(), rtol=1e-4, atol=0)


@pytest.mark.parametrize("front", [JetFront, MaskFront, EnergyFront])
@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_brightness_is_a_factor_of_what_the_network_sees(front: Any, sigma: float) -> None:
    size = (40, 40) if front is JetFront else (72, 58)
    image = (torch.rand(2, 1, *size, generator=torch.Generator().manual_seed(2)) < 0.02).float()
    plain, dark = (FrontEnd(front(sigma=sigma, brightness=factor))(image) for factor in (1.0, 0.25))
    assert plain.any()
    torch.testing.assert_close(dark, 0.25 * plain)


@pytest.mark.parametrize("config", [MaskFront(sigma=3), EnergyFront(sigma=3)], ids=["mask", "E_T"])
def test_an_event_turned_in_phi_is_blurred_alike(config: MaskFront | EnergyFront) -> None:
    front = FrontEnd(config)
    image = (torch.rand(2, 1, 72, 58, generator=torch.Generator().manual_seed(1)) < 0.02).float()
    torch.testing.assert_close(front(image.roll(30, dims=2)), front(image).roll(30, dims=2))
