"""The unit sphere as a map."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darktrigger.sphere import are_on_sphere, centring, grid, on_map, on_sphere, turned, unbroken


@settings(deadline=None)
@given(st.floats(-np.pi, np.pi), st.floats(-1.57, 1.57))
def test_the_map_and_back(longitude: float, latitude: float) -> None:
    point = on_sphere(np.array(longitude), np.array(latitude))
    assert np.linalg.norm(point) == pytest.approx(1)
    np.testing.assert_allclose(on_sphere(*on_map(point)), point, atol=1e-6)


@settings(deadline=None)
@given(st.integers(0, 1000))
def test_most_points_come_to_the_middle(seed: int) -> None:
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=3)
    crowd = centre / np.linalg.norm(centre) + rng.normal(0, 0.05, (50, 3))
    point = np.vstack([crowd, rng.normal(size=(20, 3))])
    point /= np.linalg.norm(point, axis=1, keepdims=True)
    turn = centring(point.astype(np.float32))
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)
    assert np.abs(on_map(point @ turn.T)[:50]).mean() < 0.2


def test_a_map_is_turned_as_points_are() -> None:
    longitude, latitude = grid(181, 91)
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    axis = np.array([1.0, 2.0, -0.5]) / np.linalg.norm([1.0, 2.0, -0.5])
    map_yx = on_sphere(lon, lat) @ axis
    turn = centring(np.array([[0.6, 0.0, 0.8]]))
    expected = on_sphere(lon, lat) @ (turn @ axis)
    np.testing.assert_allclose(turned(map_yx, turn), expected, atol=1e-3)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        (np.array([[0.6, 0.0, 0.8]]), True),
        (np.zeros((2, 3)), False),
        (np.full((2, 3), np.nan), False),
        (np.ones((2, 1)), False),
        (np.ones(3), False),
    ],
)
def test_unit_vectors_are_told_from_others(points: np.ndarray, expected: bool) -> None:
    assert are_on_sphere(points) is expected


def test_a_path_over_the_edge_is_in_two_parts() -> None:
    path = np.array([[3.0, 0.0], [3.1, 0.1], [-3.1, 0.2], [-3.0, 0.3]], dtype=np.float32)
    assert [part.tolist() for part in unbroken(path)] == [path[:2].tolist(), path[2:].tolist()]
    assert len(unbroken(path[:1])) == 1
