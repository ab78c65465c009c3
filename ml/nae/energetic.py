"""What chains and objectives ask of a network."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor

from ml.models.nae import NAE

#: Energies below it, the square of what float32 tells of a pixel of 1, have the same logarithm.
LEAST_ENERGY = 1e-14


def log_energy(energy_N: Tensor) -> Tensor:
    """Logarithm of energies, finite for an image rebuilt without error."""
    return energy_N.clamp(min=LEAST_ENERGY).log()


class Energetic(Protocol):
    """An autoencoder as an energy of images."""

    def decode(self, latent_NK: Tensor) -> Tensor:
        """Images on the decoder's manifold, shape (n, C, H, W)."""

    def energy(self, prepared_NCHW: Tensor) -> Tensor:
        """Energy of prepared images, shape (n,)."""

    def latent_energy(self, latent_NK: Tensor) -> Tensor:
        """Energy of what the decoder makes of latents, shape (n,)."""


def mean_energy(model: NAE, batches: Iterable[Tensor]) -> float:
    """Mean energy of images, shape (n, C, H, W) a batch."""
    with torch.no_grad():
        energy_N = torch.cat([model.energy(model.front(image_NCHW)) for image_NCHW in batches])
    return float(energy_N.mean())
