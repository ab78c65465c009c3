"""Our clustering against FastJet's."""

import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from generation.detector.card import Jets, RhoRegion
from generation.detector.jets import Candidates, cluster, find_jets, ghost_areas

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    fastjet = pytest.importorskip("fastjet._swig")

Momenta = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def particles(seed: int, n: int = 250) -> Momenta:
    """Hard cores with particles around them, on a soft sea: px, py, pz, e."""
    rng = np.random.default_rng(seed)
    pt, eta, phi = rng.exponential(2.0, n) + 0.3, rng.uniform(-2.9, 2.9, n), rng.uniform(-np.pi, np.pi, n)
    pt[:5] *= 40
    core = np.arange(100) % 5
    eta[5:105], phi[5:105] = eta[core] + rng.normal(0, 0.2, 100), phi[core] + rng.normal(0, 0.2, 100)
    pz = pt * np.sinh(eta)
    return pt * np.cos(phi), pt * np.sin(phi), pz, np.sqrt(pt**2 + pz**2 + 0.14**2)


def reference(momenta: Momenta, pt_min: float = 0.0) -> tuple[list[Any], list[list[float]], list[float], Any]:
    inputs = [fastjet.PseudoJet(*map(float, p)) for p in zip(*momenta, strict=True)]
    ghosts = fastjet.AreaDefinition(fastjet.active_area, fastjet.GhostedAreaSpec(5.0, 1, 0.01))
    sequence = fastjet.ClusterSequenceArea(inputs, fastjet.JetDefinition(fastjet.antikt_algorithm, 0.5), ghosts)
    jets = fastjet.sorted_by_pt(sequence.inclusive_jets(pt_min))
    return (
        inputs,
        [[j.px(), j.py(), j.pz(), j.E()] for j in jets],
        [sequence.area_4vector(j).perp() for j in jets],
        sequence,
    )


def ours(momenta: Momenta) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    history = cluster(*momenta, 0.5)
    p4, root = history[0], history[4]
    areas = ghost_areas(history, 0.5, 0.1, 3.5)
    jets = np.flatnonzero(root == np.arange(len(root)))
    jets = jets[np.argsort(-np.hypot(p4[jets, 0], p4[jets, 1]))]
    return p4[jets], np.hypot(areas[jets, 0], areas[jets, 1])


@pytest.mark.parametrize("seed", range(5))
def test_jets_are_those_of_fastjet(seed: int) -> None:
    momenta = particles(seed)
    _, expected, *_ = reference(momenta)
    np.testing.assert_allclose(ours(momenta)[0], expected, rtol=1e-6, atol=1e-6)


def test_areas_are_those_of_fastjet_but_for_the_ghosts_positions() -> None:
    difference: list[float] = []
    for seed in range(12):
        momenta = particles(seed)
        _, _, areas, _ = reference(momenta, 10.0)
        difference.extend(ours(momenta)[1][: len(areas)] - areas)
    assert len(difference) > 60
    assert np.mean(difference) == pytest.approx(0.0, abs=4 * np.std(difference) / np.sqrt(len(difference)))
    assert np.std(difference) < 0.06


def test_density_is_that_of_fastjet() -> None:
    momenta = particles(1)
    inputs, *_ = reference(momenta)
    estimator = fastjet.GridMedianBackgroundEstimator(-2.5, 2.5, 1.0, 1.0)
    estimator.set_particles(inputs)
    region = RhoRegion(rapidity_min=-2.5, rapidity_max=2.5, d_rapidity=1.0, d_phi=1.0)
    card = Jets(radius=0.5, pt_min=20.0, rho=(region,))
    found = find_jets(Candidates(np.array([0, len(momenta[0])]), *momenta), card, 3.0)
    assert found.rho[0, 0] == pytest.approx(estimator.rho(), rel=1e-9)


def test_isolated_particle_has_the_area_of_its_circle() -> None:
    px, py, pz, e = (np.array([value]) for value in (50.0, 0.0, 0.0, 50.0))
    areas = np.array([ghost_areas(cluster(px, py, pz, e, 0.5), 0.5, spacing, 3.5)[0, 3] for spacing in (0.1, 0.02)])
    # The energy component of massless ghosts exceeds the plain area by a factor of about 1 + R^2 / 8.
    np.testing.assert_allclose(areas, np.pi * 0.25 * (1 + 0.25 / 8), rtol=0.03)


def test_each_candidate_knows_its_jet() -> None:
    eta, phi, pt = np.array([0.0, 0.1, 2.0]), np.array([0.0, 0.1, 2.0]), np.array([50.0, 10.0, 5.0])
    momenta = (pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta), pt * np.cosh(eta))
    card = Jets(radius=0.5, pt_min=20.0, rho=())
    found = find_jets(Candidates(np.array([0, 0, 3]), *momenta), card, 3.0)
    np.testing.assert_array_equal(found.offsets, [0, 0, 1])
    np.testing.assert_array_equal(found.jet_of, [0, 0, -1])
    assert found.area[0] == pytest.approx(np.pi * 0.25, rel=0.1)
