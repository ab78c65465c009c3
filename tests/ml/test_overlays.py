"""Overlays of two background events."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ml.data import load_background
from ml.overlays import OverlayConfig, draw_pairs, with_overlays


@pytest.mark.parametrize("kind", ["coarse mask", "coarse E_T", "fine"])
def test_e_t_adds_up_and_masks_unite(kind: str, background: Path) -> None:
    data = load_background([background], kind)
    pairs = np.array([[0, 1], [5, 2]])
    both = with_overlays(data, pairs)
    assert len(both) == len(data) + 2
    assert both.events_by_label == {0: len(data) + 2}
    expected = data.dense(pairs[:, 0]) + data.dense(pairs[:, 1])
    if kind == "coarse mask":
        expected = (expected > 0).float()
    torch.testing.assert_close(both.dense(len(data) + np.arange(2)), expected)
    every = np.arange(len(data))
    assert torch.equal(both.dense(every), data.dense(every))


def test_mask_of_an_overlay_is_the_overlay_of_the_masks(background: Path) -> None:
    """A teacher that sees masks and a student that sees E_T look at the same overlays."""
    mask, e_t = (load_background([background], kind) for kind in ("coarse mask", "coarse E_T"))
    pairs = draw_pairs(np.arange(len(mask)), OverlayConfig(fraction=1), "training")
    rows = len(mask) + np.arange(len(pairs))
    seen = with_overlays(e_t, pairs).dense(rows)[:, :1] > 0
    assert torch.equal(seen.float(), with_overlays(mask, pairs).dense(rows))


@given(n=st.integers(2, 50), fraction=st.floats(0, 3), seed=st.integers(0, 2**31 - 1))
def test_pairs_are_of_different_events_of_the_part(n: int, fraction: float, seed: int) -> None:
    rows = 7 + 3 * np.arange(n)
    pairs = draw_pairs(rows, OverlayConfig(fraction=fraction, seed=seed), "training")
    assert pairs.shape == (round(fraction * n), 2)
    assert np.isin(pairs, rows).all()
    assert (pairs[:, 0] != pairs[:, 1]).all()


def test_pairs_depend_on_seed_and_part_alone() -> None:
    rows = np.arange(100)
    first = draw_pairs(rows, OverlayConfig(), "training")
    assert np.array_equal(first, draw_pairs(rows, OverlayConfig(), "training"))
    assert not np.array_equal(first, draw_pairs(rows, OverlayConfig(seed=2), "training"))
    assert not np.array_equal(first, draw_pairs(rows, OverlayConfig(), "validation"))


def test_a_single_event_has_no_pair() -> None:
    assert draw_pairs(np.array([4]), OverlayConfig(fraction=2), "validation").shape == (0, 2)
