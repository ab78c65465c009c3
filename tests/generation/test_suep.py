from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.stats import kstest

from generation.suep import ThermalSpectrum, boost, conserve, isotropic, mean_meson_energy, shower


def moment(temperature: float, mass: float, observable: Callable[[float], float]) -> float:
    """Mean over f(p) ~ p^2 exp(-E / T), by quadrature."""

    def density(p: float) -> float:
        return float(p**2 * np.exp((mass - np.hypot(p, mass)) / temperature))

    end = 60 * (temperature + mass)
    mean: float = quad(lambda p: observable(p) * density(p), 0, end, limit=500)[0] / quad(density, 0, end, limit=500)[0]
    return mean


def shower_of(total: float, mass: float, spectrum: ThermalSpectrum, rng: np.random.Generator) -> NDArray[np.float64]:
    momenta = shower(total, mass, spectrum, rng)
    assert momenta is not None
    return momenta


@pytest.mark.parametrize(("temperature", "mass"), [(2.0, 2.0), (0.5, 5.0), (8.0, 1.0)])
def test_mean_energy_is_the_thermal_one(temperature: float, mass: float) -> None:
    expected = moment(temperature, mass, lambda p: np.hypot(p, mass))
    assert mean_meson_energy(temperature, mass) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("temperature", "mass"), [(2.0, 2.0), (0.5, 5.0), (8.0, 1.0), (0.3, 30.0)])
def test_spectrum_is_relativistic_maxwell_boltzmann(temperature: float, mass: float) -> None:
    p = ThermalSpectrum(temperature, mass).sample(200_000, np.random.default_rng(1))
    for observable in (lambda p: p, np.square, lambda p: np.hypot(p, mass)):
        values = observable(p)
        expected = moment(temperature, mass, observable)
        assert abs(values.mean() - expected) < 4 * values.std() / np.sqrt(len(p))

    grid = np.linspace(0, p.max(), 20_001)
    density = grid**2 * np.exp((mass - np.hypot(grid, mass)) / temperature)
    cdf = np.cumsum(density) / density.sum()
    assert kstest(p[:20_000], lambda x: np.interp(x, grid, cdf)).pvalue > 0.001


def test_directions_are_isotropic() -> None:
    vectors = isotropic(np.full(50_000, 3.0), np.random.default_rng(2))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 3.0)
    assert np.abs(vectors.mean(axis=0)).max() < 4 * 3.0 / np.sqrt(3 * 50_000)
    np.testing.assert_allclose(np.square(vectors).mean(axis=0), 3.0, rtol=0.02)


@given(n=st.integers(3, 200), mass=st.floats(0.1, 10), share=st.floats(0.01, 0.95), seed=st.integers(0, 999))
@settings(max_examples=50, deadline=None)
def test_conservation(n: int, mass: float, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    total = n * mass / share
    momenta = conserve(isotropic(rng.exponential(mass, n) + 1e-3, rng), mass, total)
    energy = np.sqrt(np.square(momenta).sum(axis=1) + mass**2)
    np.testing.assert_allclose(energy.sum(), total, rtol=1e-9)
    np.testing.assert_allclose(momenta.sum(axis=0), 0, atol=1e-9 * total)


@pytest.mark.parametrize("total", [125.0, 400.0, 1000.0])
def test_multiplicity_is_what_the_energy_allows(total: float) -> None:
    temperature, mass = 2.0, 2.0
    spectrum, rng = ThermalSpectrum(temperature, mass), np.random.default_rng(3)
    counts = np.array([len(shower_of(total, mass, spectrum, rng)) for _ in range(2000)])
    # Renewal theory: the meson that crosses the total is counted, so on average half its size-biased energy too much.
    mean = mean_meson_energy(temperature, mass)
    second = moment(temperature, mass, lambda p: p**2 + mass**2)
    expected = total / mean + second / (2 * mean**2)
    assert abs(counts.mean() - expected) < 4 * counts.std() / np.sqrt(len(counts))


def test_mean_momentum_after_rescaling_follows_the_spectrum() -> None:
    spectrum, rng = ThermalSpectrum(2.0, 2.0), np.random.default_rng(4)
    p = np.concatenate([np.linalg.norm(shower_of(1000.0, 2.0, spectrum, rng), axis=1) for _ in range(200)])
    # Conservation costs the share of energy by which the last meson overshoots, below one per cent here.
    assert p.mean() == pytest.approx(moment(2.0, 2.0, lambda p: p), rel=0.02)


def test_too_light_a_mediator_gives_no_shower() -> None:
    assert shower(5.0, 2.0, ThermalSpectrum(0.1, 2.0), np.random.default_rng(5)) is None


def test_boost_keeps_the_mass_and_moves_the_frame() -> None:
    rng = np.random.default_rng(6)
    momenta = conserve(isotropic(rng.exponential(3.0, 30), rng), 2.0, 300.0)
    frame = np.array([120.0, -40.0, 700.0, np.sqrt(120**2 + 40**2 + 700**2 + 300.0**2)])
    boosted = boost(momenta, 2.0, frame)
    np.testing.assert_allclose(boosted.sum(axis=0), frame, rtol=1e-9)
    np.testing.assert_allclose(boosted[:, 3] ** 2 - np.square(boosted[:, :3]).sum(axis=1), 4.0, atol=1e-7)
