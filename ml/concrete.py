"""The Concrete, or Gumbel-softmax, distribution and mixtures of it.

A sample z lies on the simplex; here it is carried as log z, whose smallest entries would
vanish in z itself. Densities are those of log z: they differ from those of z by the sum of
log z, whatever the parameters, so that it drops out of every difference of log densities.

References: C. J. Maddison et al., The Concrete distribution, ICLR 2017 (appendix C.3 for the
density of log z); E. Jang et al., Categorical reparameterization with Gumbel-softmax, ICLR 2017.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

#: Axis of the C categories in tensors of shape (..., C, H, W).
_CATEGORIES = -3


class Concrete(NamedTuple):
    """Independent Concrete distributions at each of H x W places.

    Parameters
    ----------
    logits
        Log-probabilities of the categories up to a constant, shape (..., C, H, W).
    temperature
        Shape (..., 1, H, W), or what broadcasts to it; the higher, the nearer samples are to
        uniform.
    """

    logits: Tensor
    temperature: Tensor

    def sample(self, gumbel: Tensor) -> Tensor:
        """Logarithm of z for Gumbel noise of shape (..., C, H, W); same shape."""
        return torch.log_softmax((self.logits + gumbel) / self.temperature, dim=_CATEGORIES)

    def log_density(self, log_z: Tensor) -> Tensor:
        """Log density of log z at each place, shape (..., H, W)."""
        categories = self.logits.shape[_CATEGORIES]
        log_p = torch.log_softmax(self.logits - self.temperature * log_z, dim=_CATEGORIES).sum(_CATEGORIES)
        log_tau = self.temperature.log().squeeze(_CATEGORIES)
        return math.lgamma(categories) + (categories - 1) * log_tau + log_p


def mixture_log_density(components: Concrete, log_z: Tensor) -> Tensor:
    """Log density of log z at each place under an even mixture.

    Parameters
    ----------
    components
        N distributions; logits (N, C, H, W).
    log_z
        Shape (..., C, H, W).

    Returns
    -------
    Tensor
        Shape (..., H, W).
    """
    log_density = components.log_density(log_z.unsqueeze(_CATEGORIES - 1))
    return torch.logsumexp(log_density, dim=_CATEGORIES) - math.log(len(components.logits))


def draw_gumbel(shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    """Standard Gumbel noise, on the generator's device."""
    device = generator.device if generator else None
    # torch draws multiples of 2^-24, zero among them.
    uniform = torch.rand(shape, generator=generator, device=device).clamp(min=2**-25)
    return -torch.log(-torch.log(uniform))
