from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array

from imaging.jets.dense import JET_INPUT_SHAPES, JetInput, gaussian_matrix, jet_image


def sparse_image(pixels: dict[tuple[int, int], float]) -> csr_array:
    image = np.zeros((40, 40), dtype=np.float32)
    for at, pt in pixels.items():
        image[at] = pt
    return csr_array(image.reshape(1, -1))


def test_power_and_normalisation_of_a_known_image() -> None:
    images = sparse_image({(10, 20): 400.0, (30, 5): 100.0})
    image_NCHW = jet_image(images, JetInput(power=0.5, sigma=0))
    assert image_NCHW.shape == (1, *JET_INPUT_SHAPES["jet"])
    assert image_NCHW.dtype == np.float32
    assert image_NCHW[0, 0, 10, 20] == pytest.approx(20 / 30)
    assert image_NCHW[0, 0, 30, 5] == pytest.approx(10 / 30)
    assert np.count_nonzero(image_NCHW) == 2


def test_filter_spreads_a_pixel_as_the_gaussian_says() -> None:
    image_HW = jet_image(sparse_image({(20, 20): 7.0}), JetInput(sigma=1))[0, 0]
    weights = np.exp(-0.5 * np.arange(-4, 5) ** 2)
    weights /= weights.sum()
    np.testing.assert_allclose(image_HW[16:25, 16:25], np.outer(weights, weights), rtol=1e-5)
    assert image_HW.sum() == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("sigma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("power", [0.01, 0.2, 1.0])
def test_sum_stays_one_at_the_edges_too(sigma: float, power: float) -> None:
    images = sparse_image({(0, 0): 3.0, (39, 39): 500.0, (0, 20): 0.5})
    assert jet_image(images, JetInput(power=power, sigma=sigma)).sum() == pytest.approx(1, abs=1e-5)


def test_empty_jets_stay_empty() -> None:
    assert not jet_image(csr_array((2, 1600), dtype=np.float32), JetInput(power=0.1)).any()
    assert jet_image(csr_array((0, 1600), dtype=np.float32), JetInput()).shape == (0, 1, 40, 40)


def test_matrix_is_scipys_filter() -> None:
    rng = np.random.default_rng(1)
    image_HW = rng.exponential(size=(40, 40))
    filter_HH = gaussian_matrix(1.5)
    np.testing.assert_allclose(filter_HH @ image_HW @ filter_HH.T, gaussian_filter(image_HW, 1.5), rtol=1e-5)


@pytest.mark.parametrize("settings", [{"power": 0}, {"power": 1.5}, {"sigma": -1}])
def test_impossible_settings_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        JetInput(**settings)


def test_input_nae_parity(shared: Path) -> None:
    """The authors' raw images become their network's inputs."""
    with np.load(shared / "parity" / "nae_parity.npz") as fixture:
        raw_NHW, expected_NCHW = fixture["raw"], fixture["input"]
    images = csr_array(raw_NHW.reshape(len(raw_NHW), -1).astype(np.float32))
    np.testing.assert_allclose(jet_image(images, JetInput()), expected_NCHW, atol=1e-6)
