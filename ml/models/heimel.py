"""The auto-encoder after "QCD or What?"."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from darktrigger.config import StrictModel
from imaging.dense import INPUT_SHAPES
from ml.networks import Count, he_uniform_
from ml.training_config import TrainingConfig

#: Scores that the auto-encoder gives (CoDAE, section 4.6).
SCORES = ("bce", "sse", "sae", "sae_mask", "dice", "pixel_sum")

#: Channels of the encoder's three convolutions, and its dense layers' units.
FILTERS = (10, 5, 5)
UNITS = (400, 100)

#: The decoder's dense layers end in one square image of so many pixels a side, which is doubled twice.
SEED_SIZE = 20


class HeimelConfig(StrictModel):
    """Size of the auto-encoder; the default is that of the CoDAE paper (section 5.2).

    Parameters
    ----------
    latents
        Size of the bottleneck.
    """

    latents: Count = 32


class HeimelTraining(TrainingConfig):
    """As of the CoDAE, for the paper's 50 epochs (section 5.2)."""

    epochs: Count = 50


class HeimelOutput(NamedTuple):
    """What the auto-encoder computes for a batch of n events.

    Parameters
    ----------
    logits
        Log-odds of the reconstruction, shape (n, 1, 72, 58).
    z
        Latents, shape (n, 32).
    """

    logits: Tensor
    z: Tensor

    @property
    def reconstruction(self) -> Tensor:
        """Pixels in [0, 1], shape (n, 1, 72, 58)."""
        return self.logits.float().sigmoid()


class Dense(nn.Sequential):
    """Fully connected layers, each followed by a PReLU with a slope for each unit."""

    def __init__(self, features: int, *units: int) -> None:
        super().__init__()
        for count in units:
            self.extend([nn.Linear(features, count), nn.PReLU(count)])
            features = count


class HeimelEncoder(nn.Module):
    """Image to latents: convolutions, average pooling, dense layers."""

    def __init__(self, channels: int, height: int, width: int, latents: int) -> None:
        super().__init__()
        first, second, third = FILTERS
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, first, 3, padding=1),
            nn.PReLU(first),
            nn.Conv2d(first, second, 3, padding=1),
            nn.PReLU(second),
            nn.AvgPool2d(2),
            nn.Conv2d(second, third, 3, padding=1),
            nn.PReLU(third),
            nn.AvgPool2d(2),
        )
        self.dense = Dense(third * (height // 4) * (width // 4), *UNITS)
        self.latents = nn.Linear(UNITS[-1], latents)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Shape (n, latents)."""
        x_NHWC = self.convolutions(image_NCHW).permute(0, 2, 3, 1)
        latents: Tensor = self.latents(self.dense(x_NHWC.flatten(1)))
        return latents


class TransposedConv2x(nn.ConvTranspose2d):
    """3 x 3 transposed convolution that doubles the image, padded as TensorFlow's 'same'."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__(channels, filters, 3, stride=2)

    def forward(self, x_NCHW: Tensor, output_size: list[int] | None = None) -> Tensor:  # noqa: ARG002 (torch's signature)
        """Shape (n, filters, 2 height, 2 width)."""
        # The full result has one row and one column more, at the bottom and right.
        return super().forward(x_NCHW)[:, :, :-1, :-1]


class HeimelDecoder(nn.Module):
    """Latents to the logits of an image: dense layers, then transposed convolutions."""

    def __init__(self, channels: int, height: int, width: int, latents: int) -> None:
        super().__init__()
        self.height, self.width = height, width
        filters = FILTERS[-1]
        self.dense = Dense(latents, *reversed(UNITS))
        self.convolutions = nn.Sequential()
        for before in (1, filters):
            self.convolutions.extend(
                [
                    TransposedConv2x(before, filters),
                    nn.PReLU(filters),
                    nn.Conv2d(filters, filters, 3, padding=1),
                    nn.PReLU(filters),
                ]
            )
        self.logits = nn.Conv2d(filters, channels, 1)

    def forward(self, z_NK: Tensor) -> Tensor:
        """Shape (n, 1, 72, 58)."""
        x_NCHW = self.dense(z_NK).unflatten(1, (1, SEED_SIZE, SEED_SIZE))
        logits: Tensor = self.logits(self.convolutions(x_NCHW))
        top, left = (logits.shape[2] - self.height) // 2, (logits.shape[3] - self.width) // 2
        return logits[:, :, top : top + self.height, left : left + self.width]


class Heimel(nn.Module):
    """Auto-encoder with a dense bottleneck, after "QCD or What?".

    The CoDAE paper's version for mask images, trained on the sum of squared errors: a few
    convolutions and dense layers down to 32 latents, and back with transposed convolutions.

    References: T. Heimel et al., QCD or What?, SciPost Phys. 6 (2019) 030; L. Anzalone et al.,
    Triggering dark showers with conditional dual auto-encoders, Mach. Learn.: Sci. Technol. 5
    (2024), section 5.2.

    Parameters
    ----------
    config
        Size; the default is the paper's.

    Examples
    --------
    >>> import torch
    >>> from ml.models.heimel import Heimel, HeimelConfig
    >>> model = Heimel(HeimelConfig())
    >>> output = model(torch.zeros(4, 1, 72, 58))
    >>> [tuple(tensor.shape) for tensor in output]
    [(4, 1, 72, 58), (4, 32)]
    """

    def __init__(self, config: HeimelConfig) -> None:
        super().__init__()
        shape = INPUT_SHAPES["coarse mask"]
        self.encoder = HeimelEncoder(*shape, config.latents)
        self.decoder = HeimelDecoder(*shape, config.latents)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Initial weights of the CoDAE paper, section 4.7."""
        he_uniform_(self, self.decoder, generator)

    def forward(self, image_NCHW: Tensor) -> HeimelOutput:
        """Encode and rebuild mask images of shape (n, 1, 72, 58), values 0 or 1."""
        z_NK = self.encoder(image_NCHW)
        return HeimelOutput(self.decoder(z_NK), z_NK)
