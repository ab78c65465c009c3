"""Thermal dark-meson shower of soft unclustered energy patterns (SUEP)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_simpson
from scipy.optimize import brentq
from scipy.special import kve

Momenta = NDArray[np.float64]

#: A shower of fewer mesons cannot share out the mediator's energy and momentum isotropically.
MIN_MESONS = 3


def mean_meson_energy(temperature: float, mass: float) -> float:
    """Mean of sqrt(p^2 + m^2) over the relativistic Maxwell-Boltzmann spectrum, GeV.

    With z = m / T it is T (3 + z K_1(z) / K_2(z)).
    """
    z = mass / temperature
    return float(temperature * (3.0 + z * kve(1, z) / kve(2, z)))


class ThermalSpectrum:
    """Relativistic Maxwell-Boltzmann spectrum f(p) ~ p^2 exp(-sqrt(p^2 + m^2) / T) (arXiv:1612.00850).

    Momenta are drawn by inverting the tabulated cumulative distribution, all at once;
    its interpolation is exact to about 1e-6.

    Parameters
    ----------
    temperature, mass
        GeV.
    """

    def __init__(self, temperature: float, mass: float) -> None:
        peak = np.sqrt(2 * temperature * (temperature + np.hypot(temperature, mass)))
        self._p = np.linspace(0.0, peak + 40 * temperature + 5 * np.sqrt(mass * temperature), 8193)
        density = self._p**2 * np.exp((mass - np.hypot(self._p, mass)) / temperature)
        self._cdf = cumulative_simpson(density, x=self._p, initial=0.0)
        self._cdf /= self._cdf[-1]

    def sample(self, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Absolute momenta (size,) in GeV."""
        p: NDArray[np.float64] = np.interp(rng.random(size), self._cdf, self._p)
        return p


def isotropic(p: NDArray[np.float64], rng: np.random.Generator) -> Momenta:
    """Vectors (n, 3) of the given lengths in random directions."""
    cos_theta, phi = rng.uniform(-1, 1, len(p)), rng.uniform(-np.pi, np.pi, len(p))
    sin_theta = np.sqrt(1 - cos_theta**2)
    directions: Momenta = np.stack([sin_theta * np.cos(phi), sin_theta * np.sin(phi), cos_theta], axis=1)
    directions *= p[:, None]
    return directions


def conserve(momenta: Momenta, mass: float, total: float) -> Momenta:
    """Shift momenta (n, 3) to sum to zero, then scale them so that the energies sum to ``total`` (arXiv:1305.5226)."""
    balanced: Momenta = momenta - momenta.mean(axis=0)
    p2 = np.square(balanced).sum(axis=1)

    def excess(scale: float) -> float:
        return float(np.sqrt(scale**2 * p2 + mass**2).sum() - total)

    highest = total / np.sqrt(p2).sum()  # without mass, this scale would already use up all the energy
    balanced *= brentq(excess, 0.0, highest, xtol=1e-13, rtol=1e-13)
    return balanced


def shower(total: float, mass: float, spectrum: ThermalSpectrum, rng: np.random.Generator) -> Momenta | None:
    """Dark mesons in the rest frame of a mediator of mass ``total``.

    Mesons are drawn until their energies use up the mediator's mass, the last one included.

    Parameters
    ----------
    total
        Mass of the mediator, GeV.
    mass
        Mass of a dark meson, GeV.
    spectrum
        Distribution of the momenta.
    rng
        Source of random numbers.

    Returns
    -------
    Momenta (n, 3) in GeV, or None where the mediator is too light for three mesons.
    """
    momenta, energy = np.empty(0), 0.0
    while energy <= total:
        momenta = np.concatenate([momenta, spectrum.sample(int(total / (3 * mass)) + 16, rng)])
        cumulative = np.cumsum(np.hypot(momenta, mass))
        energy = cumulative[-1]
    count = int(np.searchsorted(cumulative, total, side="right")) + 1
    if count < MIN_MESONS or count * mass >= total:
        return None
    return conserve(isotropic(momenta[:count], rng), mass, total)


def boost(momenta: Momenta, mass: float, frame: NDArray[np.float64]) -> NDArray[np.float64]:
    """Four-momenta (n, 4: px, py, pz, E) of rest-frame momenta (n, 3); ``frame`` (4,) is that of the moving frame."""
    energy = np.sqrt(np.square(momenta).sum(axis=1) + mass**2)
    p, e = frame[:3], frame[3]
    m = np.sqrt(e**2 - p @ p)
    along = momenta @ p
    boosted = momenta + (along / (m * (e + m)) + energy / m)[:, None] * p
    return np.column_stack([boosted, (e * energy + along) / m])
