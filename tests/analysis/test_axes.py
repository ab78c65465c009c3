"""Axes from a pre-scan."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from analysis.axes import count_axis, score_axis
from analysis.config import AxisConfig

CONFIG = AxisConfig()


@given(hnp.arrays(np.float32, st.integers(1, 60), elements=st.floats(-1e4, 1e4, width=32)))
def test_axes_are_usable_whatever_the_scores(values: np.ndarray) -> None:
    axis = score_axis("s", [values], CONFIG)
    assert axis.low < axis.high
    assert axis.bins % axis.coarse_bins == 0
    assert axis.bins <= CONFIG.score_bins + CONFIG.score_bins // CONFIG.plane_bins
    assert axis.coarse_bins <= CONFIG.plane_bins
    np.testing.assert_allclose(
        axis.fine.edges[:: axis.bins // axis.coarse_bins], axis.coarse.edges, rtol=1e-9, atol=1e-9
    )


def test_range_covers_every_dataset_with_a_margin() -> None:
    rng = np.random.default_rng(1)
    background, signal = rng.normal(0, 1, 100), rng.normal(20, 1, 100)
    axis = score_axis("s", [background, signal], CONFIG)
    assert axis.low < background.min() - 1
    assert axis.high > signal.max() + 1
    assert axis.high - axis.low < 60


def test_a_lone_outlier_does_not_spoil_the_bins() -> None:
    values = np.append(np.random.default_rng(1).normal(0, 1, 500), 1e6)
    axis = score_axis("s", [values], CONFIG)
    assert axis.high < 100


def test_whole_numbers_get_their_own_bins() -> None:
    axis = score_axis("s", [np.arange(30.0, 400.0)], CONFIG)
    assert (axis.high - axis.low) / axis.bins == pytest.approx(1)
    assert axis.low % 1 == pytest.approx(0.5)
    counts = count_axis("n_tracks", CONFIG)
    assert (counts.low, counts.high, counts.bins) == (-0.5, 1999.5, 2000)


def test_constant_score_and_no_events() -> None:
    for samples in ([np.full(9, 3.25)], [np.array([])]):
        axis = score_axis("s", samples, CONFIG)
        assert axis.high > axis.low
