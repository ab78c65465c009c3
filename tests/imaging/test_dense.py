import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from imaging import dense, dense_torch
from imaging.grid import FINE, HCAL
from imaging.sparse import SparseImages, canonical, concatenate

N_EVENTS = 3


def random_images(seed: int, n_events: int = N_EVENTS) -> SparseImages:
    rng = np.random.default_rng(seed)
    channels = []
    for grid in (FINE, FINE, HCAL):
        counts = rng.integers(0, 40, n_events)
        index = rng.integers(0, grid.n_pixels, counts.sum())
        e_t = rng.exponential(5.0, counts.sum()).astype(np.float32)
        channels.append(canonical(e_t, index, np.concatenate(([0], np.cumsum(counts))), grid.n_pixels))
    return SparseImages(*channels)


def dense_reference(images: SparseImages) -> np.ndarray:
    """Fine images by the paper's recipe: up-sample the HCAL, cut to the fine grid; shape (n, 3, 286, 360)."""
    hcal = images.hcal.toarray().reshape(-1, HCAL.n_eta, HCAL.n_phi)
    fine_hcal = np.repeat(np.repeat(hcal, 5, axis=1), 5, axis=2)[:, 2:-2] / 25
    trk, ecal = (matrix.toarray().reshape(-1, FINE.n_eta, FINE.n_phi) for matrix in (images.trk, images.ecal))
    return np.stack([trk, ecal, fine_hcal], axis=1)


@given(st.integers(0, 2**32 - 1))
def test_coarse_is_the_5_by_5_sum_with_same_padding(seed: int) -> None:
    images = random_images(seed)
    padded = np.pad(dense_reference(images), ((0, 0), (0, 0), (2, 2), (0, 0)))
    summed = padded.reshape(-1, 3, HCAL.n_eta, 5, HCAL.n_phi, 5).sum(axis=(3, 5)).transpose(0, 1, 3, 2)
    np.testing.assert_allclose(dense.coarse_e_t(images), summed, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(dense.coarse_mask(images), summed[:, :1] > 0)


@given(st.integers(0, 2**32 - 1))
def test_fine_is_the_reference_with_a_zero_bin_on_either_side(seed: int) -> None:
    images = random_images(seed)
    padded = np.pad(dense_reference(images), ((0, 0), (0, 0), (1, 1), (0, 0)))
    np.testing.assert_allclose(dense.fine(images), padded, rtol=1e-6)


@pytest.mark.parametrize("n_events", [0, 1, N_EVENTS])
@pytest.mark.parametrize("kind", list(dense.INPUT_SHAPES))
def test_torch_gives_the_same(kind: str, n_events: int) -> None:
    images = random_images(7, n_events)
    in_numpy = dense.model_input(images, kind)
    builders = {"coarse mask": dense_torch.coarse_mask, "coarse E_T": dense_torch.coarse_e_t, "fine": dense_torch.fine}
    in_torch = builders[kind](images)
    assert in_numpy.shape == (n_events, *dense.INPUT_SHAPES[kind]) == tuple(in_torch.shape)
    assert in_numpy.dtype == np.float32
    assert in_torch.dtype == torch.float32
    np.testing.assert_array_equal(in_numpy, in_torch.numpy())


def test_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'medium'.*coarse mask, coarse E_T, fine"):
        dense.model_input(random_images(0), "medium")


def test_concatenated_chunks_are_the_whole() -> None:
    images = random_images(3)
    whole = concatenate([images[:1], images[1:1], images[np.array([1, 2])]])
    np.testing.assert_array_equal(dense.fine(whole), dense.fine(images))
    assert len(concatenate([])) == 0
