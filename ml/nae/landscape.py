"""The latent sphere as a map: energy of what the decoder makes of it, encoded images, chains (figures 2 and 6)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from darktrigger.errors import ConfigError
from darktrigger.files import atomic_path
from ml.models.nae import NAE
from ml.nae.config import NAETraining
from ml.nae.langevin import Sphere, chain
from ml.nae.sampler import Replay

#: Points of the map in longitude and latitude.
GRID = (60, 30)

#: Chains that are drawn, and images of each name.
CHAINS, IMAGES = 40, 1000

#: Images within this cosine of a point count as near it.
_NEAR = 0.95


class Landscape(NamedTuple):
    """A map of the latent sphere, turned so that (0, 0) is where most images lie.

    Parameters
    ----------
    longitude, latitude
        Of the map's points, radians, shapes (60,) and (30,).
    energy
        Shape (30, 60).
    images
        Longitude and latitude of encoded images, shape (n, 2), by name.
    chains
        The same of the chains' states, shape (chains, steps + 1, 2).
    """

    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    energy: NDArray[np.float32]
    images: dict[str, NDArray[np.float32]]
    chains: NDArray[np.float32]


def centring(point_NK: Tensor) -> Tensor:
    """Rotation that takes the point with most others around it to (1, 0, 0), shape (3, 3)."""
    near_N = (point_NK @ point_NK.T > _NEAR).sum(1)
    centre = point_NK[near_N.argmax()]
    other = torch.eye(3)[centre.abs().argmin()]
    east = torch.linalg.cross(other, centre)
    east = east / east.norm()
    return torch.stack([centre, east, torch.linalg.cross(centre, east)])


def on_map(point: Tensor) -> NDArray[np.float32]:
    """Longitude and latitude of unit vectors (..., 3), shape (..., 2)."""
    longitude = torch.atan2(point[..., 1], point[..., 0])
    return torch.stack([longitude, torch.asin(point[..., 2].clamp(-1, 1))], dim=-1).numpy()


def latent_landscape(
    model: NAE,
    images: Mapping[str, Tensor],
    replay: Replay,
    config: NAETraining,
    generator: torch.Generator,
) -> Landscape:
    """Map the latent sphere of a model in evaluation mode.

    Parameters
    ----------
    model
        With three latents.
    images
        Raw images (n, C, H, W) by name; those of the first name centre the map.
    replay
        Where chains start.
    config
        Of the latent chain.
    generator
        Of the chains.

    Raises
    ------
    ConfigError
        The sphere has another dimension.
    """
    if model.latents != 3:
        raise ConfigError(f"model.latents: a map needs 3 (found {model.latents})")
    with torch.no_grad():
        encoded = {name: model(image_NCHW[:IMAGES]).latent for name, image_NCHW in images.items()}
        turn = centring(next(iter(encoded.values())))
        longitude, latitude = (np.linspace(-side, side, n) for side, n in zip((np.pi, np.pi / 2), GRID, strict=True))
        lat, lon = np.meshgrid(latitude, longitude, indexing="ij")
        grid = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
        point_NK = torch.from_numpy(grid.reshape(-1, 3).astype(np.float32)) @ turn
        energy = torch.cat([model.latent_energy(part) for part in torch.split(point_NK, 64)]).view(lat.shape)
    start_NK = replay.starts(CHAINS, generator)
    states = chain(model.latent_energy, start_NK, config.latent_chain, Sphere(), generator)
    paths = torch.stack([state.point for state in states], dim=1)
    places = {name: on_map(latent_NK @ turn.T) for name, latent_NK in encoded.items()}
    return Landscape(longitude, latitude, energy.numpy(), places, on_map(paths @ turn.T))


def write_landscape(landscape: Landscape, path: Path) -> None:
    """Write a map as ``.npz``: ``images/NAME`` for the places of images."""
    arrays = landscape._asdict()
    places = arrays.pop("images")
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays, **{f"images/{name}": place for name, place in places.items()})
