"""Particles from their vertices to the surface of the calorimeters, in the field of a solenoid."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from generation.detector.card import Solenoid
from generation.detector.pileup import Crossings
from generation.detector.species import Species, row_of
from generation.events import GenEvents

#: Momentum (GeV) of unit charge per field (T) and radius (m).
_CURVATURE = 0.299792458
#: Particles with less p_T (GeV) than this never leave the beam.
_PT_MIN = 3.2e-5


class Cylinder(NamedTuple):
    """Field volume, with sinh of the largest abs(eta) that any part of the detector looks at."""

    b_z: float
    radius: float
    half_length: float
    sinh_eta_max: float


class Particles(NamedTuple):
    """Particles at the calorimeter surface, flat over events.

    Momenta are those at closest approach to the beam; ``z``, ``d0`` and ``dz`` in mm;
    ``row`` points into :class:`Species`.
    """

    offsets: NDArray[np.int64]
    row: NDArray[np.int32]
    pid: NDArray[np.int32]
    charge: NDArray[np.int8]
    is_pileup: NDArray[np.bool_]
    pt: NDArray[np.float64]
    eta: NDArray[np.float64]
    phi: NDArray[np.float64]
    e: NDArray[np.float64]
    mass: NDArray[np.float64]
    eta_outer: NDArray[np.float64]
    phi_outer: NDArray[np.float64]
    z: NDArray[np.float64]
    d0: NDArray[np.float64]
    dz: NDArray[np.float64]


class _Source(NamedTuple):
    """Columns of :class:`GenEvents` for the kernels."""

    offsets: NDArray[np.int64]
    pid: NDArray[np.int32]
    px: NDArray[np.float32]
    py: NDArray[np.float32]
    pz: NDArray[np.float32]
    e: NDArray[np.float32]
    mass: NDArray[np.float32]
    x: NDArray[np.float32]
    y: NDArray[np.float32]
    z: NDArray[np.float32]


def propagate(
    events: GenEvents,
    pool: GenEvents | None,
    crossings: Crossings,
    species: Species,
    solenoid: Solenoid,
    eta_max: float,
) -> Particles:
    """Mix pile-up in and bring every particle to the surface.

    Dropped are particles that start outside the cylinder, that are invisible, that never
    reach the surface, or that reach it beyond ``eta_max``.

    Parameters
    ----------
    events, pool
        Hard interactions, and those that pile-up is taken from.
    crossings
        Which interactions meet, and where.
    species
        Charges and calorimeter shares.
    solenoid
        Field volume.
    eta_max
        abs(eta) that nothing of the detector reaches beyond.
    """
    hard = _source(events)
    soft = hard if pool is None else _source(pool)
    cylinder = Cylinder(solenoid.b_z, solenoid.radius, solenoid.half_length, math.sinh(eta_max))
    return Particles(*_propagate(hard, soft, crossings, species, cylinder))


def _source(events: GenEvents) -> _Source:
    return _Source(**{name: getattr(events, name) for name in _Source._fields})


@njit(cache=True, error_model="numpy")
def _propagate(hard, soft, crossings, species, cylinder):  # type: ignore[no-untyped-def]
    n_events = len(crossings.offsets) - 1
    capacity = 0
    for event in range(n_events):
        for i in range(crossings.offsets[event], crossings.offsets[event + 1]):
            offsets = hard.offsets if i == crossings.offsets[event] else soft.offsets
            capacity += offsets[crossings.source[i] + 1] - offsets[crossings.source[i]]
    offsets_out = np.zeros(n_events + 1, dtype=np.int64)
    row = np.empty(capacity, dtype=np.int32)
    pid = np.empty(capacity, dtype=np.int32)
    charge = np.empty(capacity, dtype=np.int8)
    is_pileup = np.empty(capacity, dtype=np.bool_)
    columns = np.empty((10, capacity))
    n = 0
    for event in range(n_events):
        for i in range(crossings.offsets[event], crossings.offsets[event + 1]):
            place = (crossings.z[i], math.cos(crossings.phi[i]), math.sin(crossings.phi[i]))
            begin = n
            if i == crossings.offsets[event]:
                n = _transport(hard, crossings.source[i], place, species, cylinder, row, pid, charge, columns, n)
            else:
                n = _transport(soft, crossings.source[i], place, species, cylinder, row, pid, charge, columns, n)
            is_pileup[begin:n] = i > crossings.offsets[event]
        offsets_out[event + 1] = n
    return (
        offsets_out,
        row[:n],
        pid[:n],
        charge[:n],
        is_pileup[:n],
        columns[0, :n],
        columns[1, :n],
        columns[2, :n],
        columns[3, :n],
        columns[4, :n],
        columns[5, :n],
        columns[6, :n],
        columns[7, :n],
        columns[8, :n],
        columns[9, :n],
    )


@njit(cache=True, error_model="numpy")
def _transport(source, interaction, place, species, cylinder, row, pid, charge, columns, n):  # type: ignore[no-untyped-def]  # noqa: PLR0913, PLR0917
    """Append what one interaction, put in its place, sends to the surface; return the new length."""
    z_vertex, cos_phi, sin_phi = place
    for j in range(source.offsets[interaction], source.offsets[interaction + 1]):
        k = row_of(source.pid[j], species.large)
        q = species.charge[k] if source.pid[j] > 0 else -species.charge[k]
        if q == 0 and species.ecal[k] == 0.0 and species.hcal[k] == 0.0:
            continue
        px = cos_phi * source.px[j] - sin_phi * source.py[j]
        py = sin_phi * source.px[j] + cos_phi * source.py[j]
        pz = float(source.pz[j])
        x = 1e-3 * (cos_phi * source.x[j] - sin_phi * source.y[j])
        y = 1e-3 * (sin_phi * source.x[j] + cos_phi * source.y[j])
        z = 1e-3 * (source.z[j] + z_vertex)
        there = to_surface(x, y, z, px, py, pz, q, cylinder)
        if there[0]:
            row[n], pid[n], charge[n] = k, source.pid[j], q
            pt = math.sqrt(px * px + py * py)
            columns[0, n] = pt
            columns[1, n] = math.asinh(pz / pt)
            columns[2, n] = there[3]
            columns[3, n] = source.e[j]
            columns[4, n] = source.mass[j]
            columns[5, n] = there[1]
            columns[6, n] = there[2]
            columns[7, n] = 1e3 * z
            columns[8, n] = 1e3 * there[4]
            columns[9, n] = 1e3 * there[5]
            n += 1
    return n


@njit(cache=True, error_model="numpy")
def to_surface(
    x: float, y: float, z: float, px: float, py: float, pz: float, charge: int, cylinder: Cylinder
) -> tuple[bool, float, float, float, float, float]:
    """One particle to the surface of the cylinder; lengths in m.

    Returns
    -------
    tuple
        Whether it arrives within ``eta_max``; its eta and phi there, as seen from the origin;
        phi of its momentum, transverse impact parameter and z at closest approach to the beam
        (of a neutral particle: phi at production, 0 and its production z).
    """
    nothing = (False, 0.0, 0.0, 0.0, 0.0, 0.0)
    rho_0 = math.sqrt(x * x + y * y)
    pt = math.sqrt(px * px + py * py)
    if rho_0 > cylinder.radius or abs(z) > cylinder.half_length or pt < _PT_MIN:
        return nothing
    # Transverse path to the end cap; a straight line goes farthest out, which excludes most of what is forward.
    to_end = math.inf if pz == 0.0 else (cylinder.half_length - math.copysign(z, z * pz)) * pt / abs(pz)
    sinh_max = cylinder.sinh_eta_max
    if (rho_0 + to_end) * sinh_max < cylinder.half_length:
        return nothing
    phi, d_0, z_d = math.atan2(py, px), 0.0, z
    if charge == 0 or cylinder.b_z == 0.0:
        along = (x * px + y * py) / pt
        across = (x * py - y * px) / pt
        path = min(math.sqrt(cylinder.radius**2 - across**2) - along, to_end)
        x_s, y_s = x + px / pt * path, y + py / pt * path
        z_s = z + pz / pt * path
        if charge != 0:
            d_0, z_d = across, z - pz / pt * along
    else:
        # Signed radius: positive turns clockwise, seen against z.
        radius = pt / (charge * cylinder.b_z * _CURVATURE)
        r, turn = abs(radius), math.copysign(1.0, radius)
        x_c, y_c = x + radius * py / pt, y - radius * px / pt
        r_c = math.sqrt(x_c * x_c + y_c * y_c)
        x_a, y_a = (x - x_c) / r, (y - y_c) / r
        x_b, y_b = (-x_c / r_c, -y_c / r_c) if r_c > 0.0 else (x_a, y_a)
        # Angle turned from here until closest approach, negative where that lies behind.
        approach = math.atan2(turn * (x_b * y_a - y_b * x_a), x_a * x_b + y_a * y_b)
        angle = to_end / r
        if r_c + r >= cylinder.radius:
            cosine = (r * r + r_c * r_c - cylinder.radius**2) / (2.0 * r * r_c)
            angle = min(angle, approach + math.acos(min(1.0, max(-1.0, cosine))))
        if angle == math.inf:
            return nothing
        sine, cosine = turn * math.sin(angle), math.cos(angle)
        x_s, y_s = x_c + r * (cosine * x_a + sine * y_a), y_c + r * (cosine * y_a - sine * x_a)
        z_s = z + pz / pt * r * angle
        phi = math.atan2(-turn * x_b, turn * y_b)
        d_0 = turn * (r_c - r)
        z_d = z + pz / pt * r * approach
    rho = math.sqrt(x_s * x_s + y_s * y_s)
    if rho * sinh_max < abs(z_s):
        return nothing
    return True, math.asinh(z_s / rho), math.atan2(y_s, x_s), phi, d_0, z_d
