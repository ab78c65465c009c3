"""What chains end in."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Samples(NamedTuple):
    """What n pairs of chains end in.

    Parameters
    ----------
    image
        End of the pixel chains, shape (n, C, H, W).
    latent
        End of the latent chains, shape (n, latents).
    latent_acceptance, pixel_acceptance
        Share of steps that were taken, shape (n,).
    """

    image: Tensor
    latent: Tensor
    latent_acceptance: Tensor
    pixel_acceptance: Tensor
