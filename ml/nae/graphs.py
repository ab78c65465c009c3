"""Energies of a network replayed from CUDA graphs, for chains whose steps are many and small.

On a GPU a step of a chain is a hundred operations of a few microseconds, and their launches take ten times as long as
they do. Captured once, they are launched together.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from ml.models.nae import NAE
from ml.spectral import Slope, Spectral


class GraphedEnergies:
    """A copy of a network on a GPU, its weights held, whose energies are graphs for ``n`` points at a time.

    Parameters
    ----------
    model
        Network on a GPU, in training.
    n
        Points that are always given together.
    """

    def __init__(self, model: NAE, n: int) -> None:
        self.source, self.n = model, n
        self.twin = copy.deepcopy(model).requires_grad_(False)
        for layer in self.twin.modules():
            if isinstance(layer, Spectral):
                layer.hold()
        device = next(model.parameters()).device
        latent_NK = F.normalize(torch.ones(n, model.latents, device=device), dim=1)
        image_NCHW = self.twin.decode(latent_NK)
        self._latent_energy = _captured(self.twin.latent_energy, latent_NK)
        self._energy = _captured(self.twin.energy, image_NCHW)

    @torch.no_grad()
    def refresh(self) -> None:
        """Take over the weights that the network has now."""
        for mine, theirs in zip(self.twin.modules(), self.source.modules(), strict=True):
            if isinstance(mine, Spectral) and isinstance(theirs, Spectral):
                assert mine.held is not None  # noqa: S101 (for the type checker)
                mine.held.copy_(theirs.applied())
                mine.bias.copy_(theirs.bias)
            elif isinstance(mine, Slope) and isinstance(theirs, Slope):
                mine.weight.copy_(theirs.weight)

    def decode(self, latent_NK: Tensor) -> Tensor:
        """Images on the decoder's manifold, shape (n, C, H, W)."""
        return self.twin.decode(latent_NK)

    def energy(self, prepared_NCHW: Tensor) -> Tensor:
        """Energy of prepared images, shape (n,)."""
        return self._energy(prepared_NCHW)

    def latent_energy(self, latent_NK: Tensor) -> Tensor:
        """Energy of what the decoder makes of latents, shape (n,)."""
        return self._latent_energy(latent_NK)


def _captured(energy: Callable[[Tensor], Tensor], example: Tensor) -> Callable[[Tensor], Tensor]:
    sample = example.detach().clone().requires_grad_()
    with torch.enable_grad():
        graphed = cast("Callable[[Tensor], Tensor]", torch.cuda.make_graphed_callables(energy, (sample,)))
    # A graph writes its output to the same place each time.
    return lambda point: graphed(point).clone()
