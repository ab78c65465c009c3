"""Pseudo-experiments: pulls of one, coverage of 68%, contamination seen by the plain formula alone."""

import numpy as np
import pytest

from analysis.abcd import Regions
from analysis.estimation.experiments import closing, draw_counts, run_experiments
from analysis.estimation.model import fit_sample

BACKGROUND = Regions(8000.0, 72_000.0, 72_000.0, 648_000.0)
SIGNAL = Regions(240.0, 160.0, 160.0, 240.0)


@pytest.mark.parametrize("prescales", [None, Regions(1, 2, 2, 20)])
@pytest.mark.parametrize("non_closure", [0.0, 0.01])
def test_pulls_and_coverage(prescales: Regions | None, non_closure: float) -> None:
    found = run_experiments(
        BACKGROUND, SIGNAL, 4000, np.random.default_rng(5), truth="closing", prescales=prescales,
        non_closure=non_closure,
    )  # fmt: skip
    assert found.failed == 0
    for pulls in (found.background, found.strength):
        assert abs(pulls.mean) < 0.08
        assert pulls.deviation == pytest.approx(1, abs=0.05)
        assert 0.64 < pulls.coverage.value < 0.72
        assert pulls.coverage.low < pulls.coverage.value < pulls.coverage.high


def test_contamination_biases_the_plain_formula_alone() -> None:
    signal = Regions(0.0, 3000.0, 3000.0, 0.0)
    found = run_experiments(
        BACKGROUND, Regions(500.0, *list(signal)[1:]), 500, np.random.default_rng(5), truth="closing"
    )
    assert found.plain.mean > 3
    assert abs(found.background.mean) < 0.2


def test_non_closure_is_seen_where_it_is_not_allowed_for() -> None:
    skewed = Regions(1.05 * BACKGROUND.a, *list(BACKGROUND)[1:])
    blind, wary = (
        run_experiments(skewed, SIGNAL, 300, np.random.default_rng(5), truth="simulation", non_closure=spread)
        for spread in (0.0, 0.05)
    )
    assert blind.background.mean < -3
    assert abs(wary.background.mean) < 1.2
    assert closing(skewed) == pytest.approx(BACKGROUND)


@pytest.mark.slow
def test_pyhf_over_pseudo_experiments() -> None:
    background, signal = Regions(400.0, 1600.0, 1600.0, 6400.0), Regions(60.0, 30.0, 30.0, 20.0)
    pulls = []
    for counts in draw_counts(background, signal, 200, np.random.default_rng(11)):
        found = fit_sample(Regions(*counts.tolist()), signal, limits=False)
        if found.strength.value > 0:
            assert found.background.uncertainty is not None
            pulls.append((found.background.value - background.a) / found.background.uncertainty)
    assert len(pulls) > 180
    assert abs(np.mean(pulls)) < 0.25
    assert 0.6 < np.mean(np.abs(pulls) <= 1) < 0.76


def test_experiments_without_a_solution_have_no_pulls() -> None:
    """Nothing is expected in any region but, now and then, an event in D."""
    background, signal = Regions(0.0, 0.0, 0.0, 0.01), Regions(1e-3, 0.0, 0.0, 0.0)
    found = run_experiments(background, signal, 20, np.random.default_rng(1), truth="simulation", strength=0.0)
    assert found.failed == 20
    assert np.isnan([found.background.mean, found.background.deviation, found.plain.largest]).all()
    assert np.isnan(found.strength.coverage.value)
