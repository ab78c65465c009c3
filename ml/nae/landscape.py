"""The latent sphere as a map: energy of what the decoder makes of it, encoded images, chains (figures 2 and 6)."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from darktrigger.errors import ConfigError, ModelFileError
from darktrigger.files import atomic_path
from darktrigger.sphere import centring, grid, on_map, on_sphere
from ml.models.nae import NAE
from ml.nae.config import NAETraining
from ml.nae.langevin import Sphere, chain
from ml.nae.objectives import objective_of
from ml.nae.sampler import Replay

#: Points of the map in longitude and latitude.
GRID = (60, 30)

#: File of a run folder with its map.
LANDSCAPE = "landscape.npz"

#: Chains that are drawn, and images of each name.
CHAINS, IMAGES = 40, 1000


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
    turn
        Rotation that took the latent sphere to the map's, shape (3, 3).
    """

    longitude: NDArray[np.float64]
    latitude: NDArray[np.float64]
    energy: NDArray[np.float32]
    images: dict[str, NDArray[np.float32]]
    chains: NDArray[np.float32]
    turn: NDArray[np.float64]


def energy_map(model: NAE, turn: NDArray[np.float64] | None = None) -> NDArray[np.float32]:
    """Energy of what the decoder makes of the points of a map of the latent sphere, shape (30, 60).

    Parameters
    ----------
    model
        With three latents, in evaluation mode.
    turn
        Rotation of the sphere before it is mapped, shape (3, 3).
    """
    lat, lon = np.meshgrid(*reversed(grid(*GRID)), indexing="ij")
    point = on_sphere(lon, lat).reshape(-1, 3)
    point_NK = torch.from_numpy((point if turn is None else point @ turn).astype(np.float32))
    with torch.no_grad():
        energy = torch.cat([model.latent_energy(part) for part in torch.split(point_NK, 64)])
    return energy.view(lat.shape).numpy()


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
        encoded = {name: model(image_NCHW[:IMAGES]).latent.numpy() for name, image_NCHW in images.items()}
    turn = centring(next(iter(encoded.values())))
    start_NK = replay.starts(CHAINS, generator)
    states = chain(objective_of(config).slope(model), start_NK, config.latent_chain, Sphere(), generator)
    paths = torch.stack([state.point for state in states], dim=1).numpy()
    places = {name: on_map(latent_NK @ turn.T) for name, latent_NK in encoded.items()}
    return Landscape(*grid(*GRID), energy_map(model, turn), places, on_map(paths @ turn.T), turn)


def write_landscape(landscape: Landscape, path: Path) -> None:
    """Write a map as ``.npz``: ``images/NAME`` for the places of images."""
    arrays = landscape._asdict()
    places = arrays.pop("images")
    with atomic_path(path) as temporary:
        np.savez(temporary, **arrays, **{f"images/{name}": place for name, place in places.items()})


def describe_landscape(model: nn.Module, run_dir: Path) -> dict[str, Any]:
    """The latent sphere's map for a trigger model's metadata; empty where the sphere is no map.

    ``landscape`` holds ``energy``, rows of latitudes from -pi/2 to pi/2 of longitudes from -pi to pi, as the latents
    have them, and ``chains``, longitude and latitude of the states of chains, of a run that has some.
    """
    assert isinstance(model, NAE)  # noqa: S101 (for the type checker)
    if model.latents != 3:
        return {}
    energy = energy_map(model)
    return {"landscape": {"energy": _rounded(energy), "chains": _rounded(read_chains(run_dir / LANDSCAPE))}}


def read_chains(path: Path) -> NDArray[np.float32]:
    """Longitude and latitude, on the latents' own sphere, of the chains of a map, shape (chains, states, 2).

    None, shape (0, 0, 2), where there is no map, or none that tells how it was turned.

    Raises
    ------
    ModelFileError
        It cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            if "turn" in stored.files:
                places: NDArray[np.float32] = on_map(on_sphere(*np.moveaxis(stored["chains"], -1, 0)) @ stored["turn"])
                return places
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelFileError(path, f"is not a map of a latent space ({error})") from None
    return np.empty((0, 0, 2), dtype=np.float32)


def _rounded(values: NDArray[np.float32]) -> Any:
    """As nested lists of numbers of five digits, to keep the metadata short."""
    return [_rounded(row) for row in values] if values.ndim else float(f"{values:.5g}")
