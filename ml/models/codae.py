"""The conditional dual auto-encoder (CoDAE)."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from imaging.dense import INPUT_SHAPES
from ml.conditioning import CONDITIONINGS, ConditioningName
from ml.networks import DualConfig, MaskEncoder, ResidualDecoder, ResidualEncoder, he_uniform_

#: Scores that the CoDAE gives (section 4.6).
SCORES = ("bce", "sse", "sae", "sae_mask", "dice", "pixel_sum", "z1", "z2")


class CoDAEConfig(DualConfig):
    """Size and conditioning of the CoDAE; the defaults are the paper's.

    Parameters
    ----------
    conditioning
        What the compact latents do to the decoder's feature maps (section 4.4): ``scale``,
        ``bias``, ``concatenation`` or ``affine`` (scale and bias).
    """

    conditioning: ConditioningName = "scale"


class CoDAEOutput(NamedTuple):
    """What the CoDAE computes for a batch of n events.

    Parameters
    ----------
    logits
        Log-odds of each pixel being lit, shape (n, 1, 72, 58).
    z
        Convolutional latents, shape (n, 64, 5, 4).
    z_m
        Compact latents, shape (n, 2).
    """

    logits: Tensor
    z: Tensor
    z_m: Tensor

    @property
    def reconstruction(self) -> Tensor:
        """Probability of each pixel being lit, shape (n, 1, 72, 58)."""
        return self.logits.float().sigmoid()


class CoDAE(nn.Module):
    """Conditional dual auto-encoder of mask images.

    A residual encoder embeds the image in large convolutional latents z; a shallow mask
    encoder in two compact latents z_m, themselves anomaly scores. The decoder rebuilds the
    image from z, conditioned on z_m at each stage, through which z_m learns without a loss of
    its own.

    Reference: L. Anzalone et al., Triggering dark showers with conditional dual
    auto-encoders, Mach. Learn.: Sci. Technol. 5 (2024), sections 4.3 and 4.4, figure 4.

    Parameters
    ----------
    config
        Sizes; the defaults are the paper's.

    Examples
    --------
    >>> import torch
    >>> from ml.models.codae import CoDAE, CoDAEConfig
    >>> model = CoDAE(CoDAEConfig())
    >>> output = model(torch.zeros(4, 1, 72, 58))
    >>> [tuple(tensor.shape) for tensor in output]
    [(4, 1, 72, 58), (4, 64, 5, 4), (4, 2)]
    """

    def __init__(self, config: CoDAEConfig) -> None:
        super().__init__()
        shape = INPUT_SHAPES["coarse mask"]
        self.encoder = ResidualEncoder(shape[0], config)
        self.mask_encoder = MaskEncoder(shape, config)
        self.decoder = ResidualDecoder(shape, config, partial(CONDITIONINGS[config.conditioning], config.z_m))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Initial weights of section 4.7."""
        he_uniform_(self, self.decoder, generator)

    def forward(self, image_NCHW: Tensor) -> CoDAEOutput:
        """Encode and rebuild mask images of shape (n, 1, 72, 58), values 0 or 1."""
        z_m_NK = self.mask_encoder(image_NCHW)
        z_NCHW = self.encoder(image_NCHW)
        return CoDAEOutput(self.decoder(z_NCHW, z_m_NK), z_NCHW, z_m_NK)
