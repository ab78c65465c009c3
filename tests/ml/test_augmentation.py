from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from imaging.dense import coarse_e_t, fine
from imaging.image_file import read_image_file
from ml.augmentation import COMBINATIONS, ROTATIONS, Augmentation, augment, augment_objects, augment_sparse, draw


def images(seed: int, n: int = 5) -> Tensor:
    return torch.rand(n, 2, 72, 58, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("shift", "row"), [(-8, 2), (8, 18), (-16, 66), (0, 10)])
def test_rotation_moves_rows_and_wraps(shift: int, row: int) -> None:
    image_NCHW = torch.zeros(1, 1, 72, 58)
    image_NCHW[0, 0, 10, 7] = 1
    moved_NCHW = augment(image_NCHW, Augmentation(torch.tensor([False]), torch.tensor([shift])))
    assert moved_NCHW[0, 0].nonzero().tolist() == [[row, 7]]


def test_flip_mirrors_eta_of_its_own_image_only() -> None:
    image_NCHW = torch.zeros(2, 1, 72, 58)
    image_NCHW[:, 0, 3, 0] = 1
    flipped_NCHW = augment(image_NCHW, Augmentation(torch.tensor([True, False]), torch.tensor([0, 0])))
    assert flipped_NCHW.nonzero().tolist() == [[0, 0, 3, 57], [1, 0, 3, 0]]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_pixels_are_preserved_and_rotation_inverts(seed: int) -> None:
    image_NCHW = images(seed)
    augmentation = draw(len(image_NCHW), torch.Generator().manual_seed(seed))
    augmented_NCHW = augment(image_NCHW, augmentation)
    assert torch.equal(augmented_NCHW.flatten(2).sort().values, image_NCHW.flatten(2).sort().values)
    back = augment(augmented_NCHW, Augmentation(torch.zeros(5, dtype=torch.bool), -augmentation.shift))
    back = augment(back, Augmentation(augmentation.flip, torch.zeros(5, dtype=torch.long)))
    assert torch.equal(back, image_NCHW)


def test_images_lie_in_memory_as_they_did() -> None:
    """Strides of a single channel that say "channels last" too make torch convolve so, which is slower."""
    for n_channels in (1, 2):
        image_NCHW = torch.zeros(4, n_channels, 72, 58)
        assert augment(image_NCHW, draw(4, torch.Generator())).stride() == image_NCHW.stride()


def test_draws_all_combinations_evenly() -> None:
    flip, shift = draw(7000, torch.Generator().manual_seed(1))
    counts = [((flip == f) & (shift.sign() == s)).sum().item() for f, s in COMBINATIONS]
    assert sum(counts) == 7000
    assert all(abs(count - 1400) < 5 * 1400**0.5 for count in counts)
    assert set(shift.abs().tolist()) == {0, *ROTATIONS}


def test_draw_depends_on_the_generator_alone() -> None:
    first, again = (draw(50, torch.Generator().manual_seed(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_empty_batch() -> None:
    assert augment(torch.zeros(0, 1, 72, 58), draw(0, torch.Generator())).shape == (0, 1, 72, 58)


def test_fine_images_turn_and_flip_as_their_coarse_ones(background: Path) -> None:
    """All five combinations: fine images, augmented and then summed, are the augmented coarse ones."""
    events = read_image_file(background).images[np.arange(10)]
    drawn = draw(10, torch.Generator().manual_seed(4))
    assert len(set(zip(drawn.flip.tolist(), drawn.shift.sign().tolist(), strict=True))) == 5
    fine_NCHW = augment_sparse(torch.from_numpy(fine(events)).to_sparse(), drawn).to_dense()
    # 288 eta bins and one more on either side are 58 blocks of 5; coarse images are phi by eta.
    summed_NCHW = 25 * F.avg_pool2d(F.pad(fine_NCHW, (0, 0, 1, 1)), 5).transpose(2, 3)
    expected_NCHW = augment(torch.from_numpy(coarse_e_t(events)), drawn)
    torch.testing.assert_close(summed_NCHW, expected_NCHW, rtol=1e-4, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_objects_turn_and_mirror_together(seed: int) -> None:
    rng = np.random.default_rng(seed)
    events = np.zeros((40, 19, 3), np.float32)
    events[:, :7, 0] = rng.exponential(50, (40, 7)) + 0.1
    events[:, 1:7, 1] = rng.uniform(-2.5, 2.5, (40, 6))
    events[:, :7, 2] = rng.uniform(-np.pi, np.pi, (40, 7))
    generator = torch.Generator().manual_seed(seed)
    turned = augment_objects(torch.from_numpy(events.reshape(40, 57)), generator).numpy().reshape(40, 19, 3)
    np.testing.assert_array_equal(turned[..., 0], events[..., 0])
    assert not turned[:, 7:].any()
    assert not turned[:, 0, 1].any()
    np.testing.assert_array_equal(np.abs(turned[..., 1]), np.abs(events[..., 1]))
    assert (np.abs(turned[..., 2]) <= np.pi + 1e-6).all()
    # Invariant masses of pairs know only differences.
    for before, after in zip(events[:, 1:7], turned[:, 1:7], strict=True):
        np.testing.assert_allclose(pair_masses(after), pair_masses(before), rtol=1e-3, atol=0.02)
    first = turned[:, 1, 2] - events[:, 1, 2]
    assert len(np.unique(np.round(first, 4))) > 20
    assert len(np.unique(turned[:, 1, 1] == events[:, 1, 1])) == 2


def pair_masses(objects: np.ndarray) -> np.ndarray:
    pt, eta, phi = objects.T.astype(np.float64)
    squares = 2 * pt[:, None] * pt * (np.cosh(eta[:, None] - eta) - np.cos(phi[:, None] - phi))
    masses: np.ndarray = np.sqrt(np.maximum(squares, 0))
    return masses
