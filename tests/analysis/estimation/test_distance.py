"""Distance correlation against dcor and the original's figure."""

from pathlib import Path

import dcor
import numpy as np
import pytest

from analysis.estimation.distance import distance_correlation


@pytest.mark.parametrize("n", [2, 7, 1300])
def test_unit_weights_against_dcor(n: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(size=n)
    y = x**2 + rng.normal(size=n)
    found = distance_correlation(x, y, np.full(n, 3.0))
    assert found.squared == pytest.approx(dcor.distance_correlation_sqr(x, y), rel=1e-9)
    assert found.root == pytest.approx(dcor.distance_correlation(x, y), rel=1e-9)
    assert found.events == n


def test_weights_count_as_copies() -> None:
    rng = np.random.default_rng(1)
    x, y, copies = rng.normal(size=60), rng.exponential(size=60), rng.integers(0, 4, 60)
    found = distance_correlation(x, y, copies.astype(float))
    assert found.squared == pytest.approx(distance_correlation(np.repeat(x, copies), np.repeat(y, copies),
                                                               np.ones(copies.sum())).squared)  # fmt: skip


def test_constant_scores_have_none() -> None:
    assert distance_correlation(np.ones(5), np.arange(5.0), np.ones(5)).squared == 0


def test_disco_parity(shared: Path) -> None:
    with np.load(shared / "parity" / "disco_parity.npz") as arrays:
        values = {name: np.asarray(arrays[name], dtype=np.float64) for name in arrays}
    vectors = [value.ravel() for value in values.values() if value.size > 1]
    found = distance_correlation(vectors[0], vectors[1], np.ones(len(vectors[0])))
    assert found.squared == pytest.approx(0.218601, abs=1e-5)
