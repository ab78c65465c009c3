"""Each step on jets whose image is known, and properties that hold for all jets."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imaging.jets.grid import D_ETA, D_PHI
from imaging.jets.preprocessing import Constituents, centre, flip, pixelate, preprocess, rotate


def jets(*rows: list[tuple[float, float, float]]) -> Constituents:
    """Jets from lists of (p_T, eta, phi)."""
    flat = np.array([constituent for row in rows for constituent in row], dtype=np.float64).reshape(-1, 3)
    return Constituents(np.cumsum([0, *(len(row) for row in rows)]), *flat.T)


def test_centre_moves_the_weighted_centroid_to_the_origin() -> None:
    result = centre(jets([(30.0, 1.0, 0.5), (10.0, 1.4, 0.1)], [(5.0, -1.0, 2.0)]))
    np.testing.assert_allclose(result.eta, [-0.1, 0.3, 0.0], atol=1e-12)
    np.testing.assert_allclose(result.phi, [0.1, -0.3, 0.0], atol=1e-12)


def test_centre_keeps_a_jet_across_pi_whole() -> None:
    result = centre(jets([(10.0, 0.0, np.pi - 0.1), (10.0, 0.0, -np.pi + 0.1)]))
    np.testing.assert_allclose(np.sort(result.phi), [-0.1, 0.1], atol=1e-12)


@pytest.mark.parametrize("angle", np.linspace(0, np.pi, 7).tolist())
def test_rotation_puts_two_prongs_upright(angle: float) -> None:
    """Prongs at distance 0.3 from the centroid, at any angle, end on the phi axis."""
    x, y = 0.3 * np.cos(angle), 0.3 * np.sin(angle)
    result = rotate(jets([(10.0, x, y), (10.0, -x, -y)]))
    np.testing.assert_allclose(result.eta, 0, atol=1e-9)
    np.testing.assert_allclose(np.sort(result.phi), [-0.3, 0.3], atol=1e-9)


def test_rotation_is_about_the_major_axis_and_keeps_distances() -> None:
    """A cross that is longer along eta: its long arm ends upright, its short one lies level."""
    result = rotate(jets([(10.0, 0.4, 0.0), (10.0, -0.4, 0.0), (10.0, 0.0, 0.1), (10.0, 0.0, -0.1)]))
    np.testing.assert_allclose(np.abs(result.phi), [0.4, 0.4, 0.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(np.abs(result.eta), [0.0, 0.0, 0.1, 0.1], atol=1e-12)


@pytest.mark.parametrize("eta", [-0.2, 0.2])
@pytest.mark.parametrize("phi", [-0.3, 0.3])
def test_flip_puts_the_hardest_quadrant_lower_left(eta: float, phi: float) -> None:
    result = flip(jets([(50.0, eta, phi), (20.0, -eta, phi), (20.0, eta, -phi), (30.0, -eta, -phi)]))
    np.testing.assert_allclose(result.eta, [-0.2, 0.2, -0.2, 0.2])
    np.testing.assert_allclose(result.phi, [-0.3, -0.3, 0.3, 0.3])


def test_pixels_of_known_points() -> None:
    """Rows go down from 12 o'clock, columns from left to right; what is off the grid is dropped."""
    half_eta, half_phi = D_ETA / 2, D_PHI / 2
    image = pixelate(
        jets(
            [(1.0, half_eta, half_phi), (2.0, half_eta, half_phi), (4.0, -half_eta, -half_phi)],
            [(8.0, -20 * D_ETA + half_eta, 20 * D_PHI - half_phi), (16.0, 20 * D_ETA - half_eta, -19.5 * D_PHI)],
            [(32.0, 20.5 * D_ETA, 0.0), (64.0, 0.0, -20.5 * D_PHI), (128.0, 0.0, 20.5 * D_PHI)],
        )
    )
    assert image.shape == (3, 1600)
    assert image.dtype == np.float32
    dense = image.toarray().reshape(3, 40, 40)
    assert {(int(j), int(r), int(c)): float(dense[j, r, c]) for j, r, c in np.argwhere(dense)} == {
        (0, 19, 20): 3.0,
        (0, 20, 19): 4.0,
        (1, 0, 0): 8.0,
        (1, 39, 39): 16.0,
    }


def test_whole_chain_on_a_three_prong_jet() -> None:
    """Placed anywhere, turned by any angle and mirrored, the jet has one image."""
    prongs = np.array([(300.0, -0.021, -0.257), (200.0, -0.045, 0.231), (100.0, 0.153, 0.309)])
    prongs[:, 1:] -= np.average(prongs[:, 1:], axis=0, weights=prongs[:, 0])
    rows = []
    for mirror in (1, -1):
        for angle in (0.0, 0.7, 2.0, 4.0):
            turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            eta, phi = turn @ (prongs[:, 1:] * (mirror, 1)).T
            phi = (phi + 3.1 + np.pi) % (2 * np.pi) - np.pi
            rows.append(list(zip(prongs[:, 0], eta + 1.5, phi, strict=True)))
    images = pixelate(preprocess(jets(*rows))).toarray()
    assert np.count_nonzero(images[0]) == 3
    np.testing.assert_array_equal(images, np.broadcast_to(images[:1], images.shape))


def test_empty_and_single_constituent_jets_are_safe() -> None:
    result = preprocess(jets([], [(7.0, 1.9, -3.1)], [], [(0.0, 0.3, 0.2)]))
    np.testing.assert_allclose(result.eta[:1], 0, atol=1e-12)
    assert np.isfinite(result.eta).all()
    assert np.isfinite(result.phi).all()
    image = pixelate(result).toarray()
    assert image.sum(axis=1).tolist() == [0, 7, 0, 0]
    assert image[1].reshape(40, 40)[18:21, 18:21].sum() == 7
    assert pixelate(preprocess(jets())).shape == (0, 1600)


constituent = st.tuples(st.floats(0.1, 500), st.floats(-0.8, 0.8), st.floats(-0.8, 0.8))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(constituent, max_size=8), max_size=4), st.floats(-3, 3), st.floats(-2, 2))
def test_properties(rows: Any, phi: float, eta: float) -> None:
    placed = [[(pt, x + eta, np.remainder(y + phi + np.pi, 2 * np.pi) - np.pi) for pt, x, y in row] for row in rows]
    before = jets(*placed)
    after = preprocess(before)
    np.testing.assert_array_equal(after.pt, before.pt)
    # Centred, upright, and most of the p_T lower left.
    scale = 1 + before.total(before.pt)
    np.testing.assert_allclose(after.total(after.pt * after.eta) / scale, 0, atol=1e-9)
    np.testing.assert_allclose(after.total(after.pt * after.phi) / scale, 0, atol=1e-9)
    np.testing.assert_allclose(after.total(after.pt * after.eta * after.phi) / scale, 0, atol=1e-9)
    spread = after.total(after.pt * (after.phi**2 - after.eta**2))
    assert (spread / scale > -1e-9).all()
    image = pixelate(after)
    assert (image.sum(axis=1) <= before.total(before.pt) * (1 + 1e-5)).all()
    # Distances do not change.
    for jet in range(len(rows)):
        part = slice(before.offsets[jet], before.offsets[jet + 1])
        for first, second in zip(range(len(rows[jet])), range(1, len(rows[jet])), strict=False):
            expected = np.hypot(rows[jet][first][1] - rows[jet][second][1], rows[jet][first][2] - rows[jet][second][2])
            found = np.hypot(
                after.eta[part][first] - after.eta[part][second], after.phi[part][first] - after.phi[part][second]
            )
            assert found == pytest.approx(expected, abs=1e-9)
