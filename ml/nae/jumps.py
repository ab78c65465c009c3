"""Jumps over the latent sphere, for chains too short to cross it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ml.nae.config import LatentChainConfig
from ml.nae.langevin import Energy


@torch.no_grad()
def jump(energy: Energy, start_NK: Tensor, settings: LatentChainConfig, generator: torch.Generator) -> Tensor:
    r"""Exchange each point for one of ``settings.jumps`` points anywhere on the sphere, or keep it, shape (n, K).

    Of the point and its competitors, drawn uniformly, one is chosen with probabilities proportional to
    :math:`e^{-E/T}`. This keeps the density :math:`e^{-E/T}` on the sphere invariant, however few the competitors
    (iterated sampling importance resampling: C. Andrieu, A. Lee, M. Vihola, arXiv:1312.6432).

    Parameters
    ----------
    energy
        Maps points (n, K) to energies (n,).
    start_NK
        Points on the sphere.
    settings
        Number of competitors; the temperature is that of the chain's Metropolis acceptance.
    generator
        Of the competitors and the choice, on the device of the points.
    """
    if not settings.jumps:
        return start_NK
    shape = (settings.jumps, *start_NK.shape)
    fresh_JNK = F.normalize(torch.randn(shape, generator=generator, device=start_NK.device), dim=2)
    points_JNK = torch.cat([start_NK[None], fresh_JNK])
    # One energy at a time: those of a GPU are graphs for n points.
    energy_NJ = torch.stack([energy(point_NK) for point_NK in points_JNK], dim=1)
    probability_NJ = torch.softmax(-energy_NJ / settings.temperature_at(settings.noise), dim=1)
    chosen_N = torch.multinomial(probability_NJ, 1, generator=generator)[:, 0]
    return points_JNK[chosen_N, torch.arange(len(start_NK), device=start_NK.device)]
