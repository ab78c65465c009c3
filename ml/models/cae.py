"""The convolutional auto-encoder (CAE), the CoDAE's baseline."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from imaging.dense import INPUT_SHAPES
from ml.conditioning import Unconditioned
from ml.networks import ResidualConfig, ResidualDecoder, ResidualEncoder, he_uniform_

#: Scores that the CAE gives (section 4.6).
SCORES = ("bce", "sse", "sae", "sae_mask", "dice", "pixel_sum")


class CAEConfig(ResidualConfig):
    """Size of the CAE; the defaults are the paper's, those of the CoDAE (section 5.2)."""


class CAEOutput(NamedTuple):
    """What the CAE computes for a batch of n events.

    Parameters
    ----------
    logits
        Log-odds of each pixel being lit, shape (n, 1, 72, 58).
    z
        Convolutional latents, shape (n, 64, 5, 4).
    """

    logits: Tensor
    z: Tensor

    @property
    def reconstruction(self) -> Tensor:
        """Probability of each pixel being lit, shape (n, 1, 72, 58)."""
        return self.logits.float().sigmoid()


class CAE(nn.Module):
    """Convolutional auto-encoder of mask images: the CoDAE without mask encoder and conditioning.

    Reference: L. Anzalone et al., Triggering dark showers with conditional dual
    auto-encoders, Mach. Learn.: Sci. Technol. 5 (2024), section 5.2.

    Parameters
    ----------
    config
        Sizes; the defaults are the paper's.

    Examples
    --------
    >>> import torch
    >>> from ml.models.cae import CAE, CAEConfig
    >>> model = CAE(CAEConfig())
    >>> output = model(torch.zeros(4, 1, 72, 58))
    >>> [tuple(tensor.shape) for tensor in output]
    [(4, 1, 72, 58), (4, 64, 5, 4)]
    """

    def __init__(self, config: CAEConfig) -> None:
        super().__init__()
        shape = INPUT_SHAPES["coarse mask"]
        self.encoder = ResidualEncoder(shape[0], config)
        self.decoder = ResidualDecoder(shape, config, Unconditioned)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Initial weights of section 4.7."""
        he_uniform_(self, self.decoder, generator)

    def forward(self, image_NCHW: Tensor) -> CAEOutput:
        """Encode and rebuild mask images of shape (n, 1, 72, 58), values 0 or 1."""
        z_NCHW = self.encoder(image_NCHW)
        return CAEOutput(self.decoder(z_NCHW, None), z_NCHW)
