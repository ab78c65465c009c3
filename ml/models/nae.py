"""The normalized autoencoder's network: a small autoencoder with a spherical latent space."""

from __future__ import annotations

import math
from typing import Annotated, Any, NamedTuple, Self

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from darktrigger.config import StrictModel
from imaging.input_shapes import ALL_INPUT_SHAPES
from ml.energy_scores import energy_of
from ml.front_ends import FrontConfig, FrontEnd, JetFront
from ml.spectral import Slope, Spectral, SpectralConv2d, SpectralConvTranspose2d, SpectralLinear, hold, release
from ml.training_config import Count

#: Scores that the network gives.
SCORES = ("energy",)

#: Outputs beside the scores that a file may have: the image as the network sees it, and its latents.
EXTRAS = ("prepared", "latent")


class NAEConfig(StrictModel):
    """Input and size of the network; the defaults are the paper's (table 2).

    Parameters
    ----------
    front
        Kind of input, and what is made of it.
    filters
        Channels of all convolutions but the last.
    units
        Width of the dense layer between convolutions and latents.
    latents
        Dimension of the space in which the latent sphere lies.
    """

    front: Annotated[FrontConfig, Field(discriminator="input")] = JetFront()
    filters: Count = 8
    units: Count = 100
    latents: Annotated[int, Field(ge=2)] = 3

    @property
    def input(self) -> str:
        """Kind of dense input, a key of :data:`imaging.input_shapes.ALL_INPUT_SHAPES`."""
        return self.front.input


class NAEOutput(NamedTuple):
    """What the network computes for n images.

    Parameters
    ----------
    prepared
        Images as the network sees them, pixels in [0, 1], shape (n, C, H, W).
    reconstruction
        Of the prepared images, same shape.
    latent
        Points on the unit sphere, shape (n, latents).
    encoded
        The same before they are put on the sphere.
    """

    prepared: Tensor
    reconstruction: Tensor
    latent: Tensor
    encoded: Tensor


class NAE(nn.Module):
    """Autoencoder with spectral normalisation and hyperspherical latent space, made to be an energy.

    Reference: B. M. Dillon et al., A normalized autoencoder for LHC triggers, arXiv:2206.14225, table 2. What
    table 2 leaves out and the authors' network has: a further PReLU after pooling and up-sampling.

    In evaluation mode the normalised weights are held (:mod:`ml.spectral`): the energy is a fixed function.

    Parameters
    ----------
    config
        Input and sizes; the defaults are the paper's.

    Examples
    --------
    >>> import torch
    >>> from ml.models.nae import NAE, NAEConfig
    >>> output = NAE(NAEConfig())(torch.ones(4, 1, 40, 40))
    >>> [tuple(tensor.shape) for tensor in output[:3]]
    [(4, 1, 40, 40), (4, 1, 40, 40), (4, 3)]
    """

    def __init__(self, config: NAEConfig) -> None:
        super().__init__()
        channels, height, width = ALL_INPUT_SHAPES[config.input]
        seed, filters = (height // 2, width // 2), config.filters
        self.front = FrontEnd(config.front)
        self.latents = config.latents
        self.encoder = nn.Sequential(
            SpectralConv2d(channels, filters),
            Slope(),
            SpectralConv2d(filters, filters),
            Slope(),
            nn.MaxPool2d(2),
            Slope(),
            SpectralConv2d(filters, filters),
            Slope(),
            SpectralConv2d(filters, filters),
            Slope(),
            SpectralConv2d(filters, 1),
            Slope(),
            nn.Flatten(),
            SpectralLinear(math.prod(seed), config.units),
            Slope(),
            SpectralLinear(config.units, config.latents),
        )
        self.decoder = nn.Sequential(
            SpectralLinear(config.latents, config.units),
            Slope(),
            SpectralLinear(config.units, math.prod(seed)),
            Slope(),
            nn.Unflatten(1, (1, *seed)),
            SpectralConvTranspose2d(1, filters),
            Slope(),
            SpectralConvTranspose2d(filters, filters),
            Slope(),
            nn.Upsample(scale_factor=2, mode="bilinear"),
            Slope(),
            SpectralConvTranspose2d(filters, filters),
            Slope(),
            SpectralConvTranspose2d(filters, channels),
            nn.Sigmoid(),
        )
        self.register_load_state_dict_post_hook(_hold_anew)  # type: ignore[no-untyped-call]
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """He-uniform weights; the output starts dark, as an average image is."""
        for module in self.modules():
            if isinstance(module, Spectral):
                module.reset_parameters(generator)
            elif isinstance(module, Slope):
                nn.init.constant_(module.weight, 0.25)
        last = self.decoder[-2]
        assert isinstance(last, Spectral)  # noqa: S101 (for the type checker)
        nn.init.constant_(last.bias, -math.log(self.front.rows.shape[0] * self.front.columns.shape[0]))

    def train(self, mode: bool = True) -> Self:
        """Training or evaluation mode; the latter holds the weights."""
        (release if mode else hold)(self)
        return super().train(mode)

    def encode(self, prepared_NCHW: Tensor) -> Tensor:
        """Points on the unit sphere, shape (n, latents)."""
        return F.normalize(self.encoder(prepared_NCHW), dim=1)

    def decode(self, latent_NK: Tensor) -> Tensor:
        """Images on the decoder's manifold, shape (n, C, H, W)."""
        image_NCHW: Tensor = self.decoder(latent_NK)
        return image_NCHW

    def energy(self, prepared_NCHW: Tensor) -> Tensor:
        """Energy of prepared images, shape (n,) (equation 9)."""
        return energy_of(prepared_NCHW, self.decode(self.encode(prepared_NCHW)))

    def latent_energy(self, latent_NK: Tensor) -> Tensor:
        """Energy of what the decoder makes of points on the sphere, shape (n,) (equation 10)."""
        return self.energy(self.decode(latent_NK))

    def forward(self, image_NCHW: Tensor) -> NAEOutput:
        """Prepare, encode and rebuild raw images, shape (n, C, H, W)."""
        prepared_NCHW = self.front(image_NCHW)
        encoded_NK = self.encoder(prepared_NCHW)
        latent_NK = F.normalize(encoded_NK, dim=1)
        return NAEOutput(prepared_NCHW, self.decode(latent_NK), latent_NK, encoded_NK)


def _hold_anew(model: nn.Module, _: Any) -> None:
    """New weights of a network in evaluation mode are held at once."""
    if not model.training:
        hold(model)
