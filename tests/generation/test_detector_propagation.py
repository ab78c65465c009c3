"""Propagation: known trajectories."""

import math

import pytest

from generation.detector.propagation import Cylinder, to_surface

CMS = Cylinder(3.8, 1.29, 3.0, math.sinh(5.0))
NO_FIELD = Cylinder(0.0, 1.29, 3.0, math.sinh(5.0))


def test_neutral_goes_straight_to_the_barrel() -> None:
    arrives, eta, phi, *_ = to_surface(0.0, 0.0, 0.0, 0.0, 5.0, 5.0 * math.sinh(0.7), 0, CMS)
    assert arrives
    assert (eta, phi) == pytest.approx((0.7, math.pi / 2))


def test_neutral_from_a_displaced_vertex_in_z() -> None:
    """From z = 10 cm at 90 degrees it reaches the barrel at z = 10 cm."""
    _, eta, phi, *_ = to_surface(0.0, 0.0, 0.1, 5.0, 0.0, 0.0, 0, CMS)
    assert (eta, phi) == pytest.approx((math.asinh(0.1 / 1.29), 0.0))


def test_neutral_to_the_end_cap() -> None:
    _, eta, phi, *_ = to_surface(0.5, 0.0, 0.0, 0.0, 1.0, -10.0, 0, CMS)
    assert eta == pytest.approx(-math.asinh(3.0 / math.hypot(0.5, 0.3)))
    assert phi == pytest.approx(math.atan2(0.3, 0.5))


@pytest.mark.parametrize("charge", [1, -1])
def test_helix_to_the_barrel(charge: int) -> None:
    """In the transverse plane a chord of length R subtends asin(R / 2r) on either side."""
    pt = 2.0
    r = pt / (0.299792458 * 3.8)
    half = math.asin(1.29 / (2 * r))
    arrives, eta, phi, phi_d, d_0, z_d = to_surface(0.0, 0.0, 0.0, pt, 0.0, pt * math.sinh(0.5), charge, CMS)
    assert arrives
    assert phi == pytest.approx(-charge * half)
    assert eta == pytest.approx(math.asinh(math.sinh(0.5) * 2 * r * half / 1.29))
    assert (phi_d, d_0, z_d) == pytest.approx((0.0, 0.0, 0.0), abs=1e-12)


def test_charged_without_field_equals_neutral() -> None:
    charged = to_surface(0.02, -0.01, 0.1, 1.0, 2.0, 0.5, 1, NO_FIELD)
    neutral = to_surface(0.02, -0.01, 0.1, 1.0, 2.0, 0.5, 0, CMS)
    assert charged[:4] == pytest.approx(neutral[:4])


def test_looper_ends_in_the_end_cap() -> None:
    """Below p_T of 0.3 B R / 2 = 0.735 GeV a track from the origin never reaches the barrel."""
    pt, pz = 0.4, 0.3
    r = pt / (0.299792458 * 3.8)
    arrives, eta, phi, *_ = to_surface(0.0, 0.0, 0.0, pt, 0.0, pz, 1, CMS)
    angle = 3.0 / (r * pz / pt)
    chord = 2 * r * abs(math.sin(angle / 2))
    assert angle > 2 * math.pi
    assert arrives
    assert eta == pytest.approx(math.asinh(3.0 / chord))
    assert phi == pytest.approx(math.atan2(r * (math.cos(angle) - 1), r * math.sin(angle)))


def test_looper_without_longitudinal_momentum_never_arrives() -> None:
    assert not to_surface(0.0, 0.0, 0.0, 0.4, 0.0, 0.0, 1, CMS)[0]


def test_starting_outside_is_dropped() -> None:
    assert not to_surface(1.3, 0.0, 0.0, -5.0, 0.0, 0.0, 0, CMS)[0]
    assert not to_surface(0.0, 0.0, 3.1, 5.0, 0.0, -5.0, 1, CMS)[0]


def test_displaced_track_points_back_to_its_closest_approach() -> None:
    """Start 0.4 rad after the perigee of a helix of known impact parameter; positive charges turn clockwise."""
    r, d_0 = 0.9, 0.05
    pt = r * 0.299792458 * 3.8
    angle = 0.4
    x, y = r * math.sin(angle), -d_0 - r + r * math.cos(angle)
    px, py = pt * math.cos(angle), -pt * math.sin(angle)
    arrives, _, _, phi_d, found, z_d = to_surface(x, y, 0.0, px, py, 0.5 * pt, 1, CMS)
    assert arrives
    assert phi_d == pytest.approx(0.0, abs=1e-9)
    assert abs(found) == pytest.approx(d_0)
    assert z_d == pytest.approx(-0.5 * r * angle)


def test_beyond_acceptance_is_dropped() -> None:
    central = Cylinder(3.8, 1.29, 3.0, math.sinh(2.5))
    assert not to_surface(0.0, 0.0, 0.0, 1.0, 0.0, math.sinh(2.6), 0, central)[0]
    assert to_surface(0.0, 0.0, 0.0, 1.0, 0.0, math.sinh(2.4), 0, central)[0]
