"""The unit sphere as a map: longitude and latitude, turned so that what matters lies in the middle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

FloatArray = NDArray[np.floating[Any]]

#: Points within this cosine of each other are near.
_NEAR = 0.95


def are_on_sphere(points: FloatArray) -> bool:
    """Whether these are unit vectors of three coordinates, shape (n, 3), as far as float16 knows."""
    if points.ndim != 2 or points.shape[1] != 3:
        return False
    return bool(np.allclose(np.linalg.norm(points, axis=1), 1, atol=1e-2))


def centring(point_NK: FloatArray) -> NDArray[np.float64]:
    """Rotation that takes the unit vector with most others around it to (1, 0, 0), shape (3, 3)."""
    point_NK = np.asarray(point_NK, dtype=np.float64)
    near_N = (point_NK @ point_NK.T > _NEAR).sum(axis=1)
    centre = point_NK[near_N.argmax()]
    centre = centre / np.linalg.norm(centre)
    east = np.cross(centre, np.eye(3)[np.abs(centre).argmin()])
    east = east / np.linalg.norm(east)
    return np.stack([centre, east, np.cross(centre, east)])


def on_map(point: FloatArray) -> NDArray[np.float32]:
    """Longitude and latitude (radians) of unit vectors (..., 3), shape (..., 2)."""
    longitude = np.arctan2(point[..., 1], point[..., 0])
    return np.stack([longitude, np.arcsin(np.clip(point[..., 2], -1, 1))], axis=-1).astype(np.float32)


def unbroken(path_N2: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """A path on the map in parts that can be drawn: one that leaves on one side comes back on the other.

    Parameters
    ----------
    path_N2
        Longitude and latitude of each point, shape (n, 2).
    """
    jumps = np.flatnonzero(np.abs(np.diff(path_N2[:, 0])) > np.pi) + 1
    return np.split(path_N2, jumps)


def on_sphere(longitude: FloatArray, latitude: FloatArray) -> NDArray[np.float64]:
    """Unit vectors of places on the map, shape (..., 3)."""
    lon, lat = np.asarray(longitude, dtype=np.float64), np.asarray(latitude, dtype=np.float64)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def grid(n_longitude: int, n_latitude: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitudes and latitudes of the points of a map, both ends included."""
    return np.linspace(-np.pi, np.pi, n_longitude), np.linspace(-np.pi / 2, np.pi / 2, n_latitude)


def turned(map_YX: FloatArray, turn: FloatArray) -> NDArray[np.float64]:
    """A map as it looks after the rotation ``turn`` of the sphere; values between points are interpolated.

    Parameters
    ----------
    map_YX
        Values on :func:`grid`, shape (latitudes, longitudes).
    turn
        Rotation, shape (3, 3): a unit vector v is drawn at ``turn @ v``.
    """
    longitude, latitude = grid(map_YX.shape[1], map_YX.shape[0])
    lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
    before = on_map(on_sphere(lon, lat) @ turn).astype(np.float64)
    value = RegularGridInterpolator((latitude, longitude), np.asarray(map_YX, dtype=np.float64))
    clipped = np.clip(before, [longitude[0], latitude[0]], [longitude[-1], latitude[-1]])
    found: NDArray[np.float64] = value(clipped[..., ::-1])
    return found
