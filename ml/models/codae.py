"""The conditional dual auto-encoder (CoDAE)."""

from __future__ import annotations

from typing import Annotated, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from darktrigger.config import StrictModel
from imaging.dense import INPUT_SHAPES
from ml.layers import ConvBlock, ResidualStage, SpatialConditioning, UpSample2x, same_max_pool

#: Scores that the CoDAE gives (section 4.6).
SCORES = ("bce", "sse", "sae", "sae_mask", "dice", "pixel_sum", "z1", "z2")

Channels = Annotated[int, Field(ge=1)]


class CoDAEConfig(StrictModel):
    """Size of the CoDAE; the defaults are the paper's (figure 4).

    Parameters
    ----------
    filters
        Channels of the stages of both encoders; the decoder's are the reverse. Each stage
        halves (doubles) the image.
    groups, mask_groups
        Convolution groups of the residual networks and of the mask encoder, from their
        second (residual: strided) convolution on.
    z_channels
        Channels of the convolutional latents.
    z_m
        Number of compact latents.
    """

    filters: tuple[Channels, ...] = Field(default=(64, 128, 128, 256), min_length=1, max_length=4)
    groups: Channels = 4
    mask_groups: Channels = 2
    z_channels: Channels = 64
    z_m: Channels = 2

    @model_validator(mode="after")
    def _groups_divide_filters(self) -> Self:
        for key in ("groups", "mask_groups"):
            if any(count % getattr(self, key) for count in self.filters):
                raise ValueError(f"{key}: {getattr(self, key)} does not divide each of filters {list(self.filters)}")
        return self


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


def half(size: tuple[int, int]) -> tuple[int, int]:
    """Height and width after one stage of an encoder."""
    return -(-size[0] // 2), -(-size[1] // 2)


class ResidualEncoder(nn.Module):
    """Image to convolutional latents: strided residual stages, then a 1 x 1 convolution."""

    def __init__(self, channels: int, config: CoDAEConfig) -> None:
        super().__init__()
        self.stages = nn.Sequential()
        for stage, filters in enumerate(config.filters):
            first_groups = config.groups if stage else 1
            self.stages.append(
                ResidualStage(channels, filters, stride=2, first_groups=first_groups, groups=config.groups)
            )
            channels = filters
        self.latents = nn.Conv2d(channels, config.z_channels, 1)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Shape (n, z_channels, 5, 4)."""
        latents: Tensor = self.latents(self.stages(image_NCHW))
        return latents


class MaskEncoder(nn.Module):
    """Image to a few compact latents: convolutions, each followed by max-pooling."""

    def __init__(self, shape: tuple[int, int, int], config: CoDAEConfig) -> None:
        super().__init__()
        channels, *_ = shape
        size = shape[1], shape[2]
        self.stages = nn.ModuleList()
        for stage, filters in enumerate(config.filters):
            self.stages.append(ConvBlock(channels, filters, groups=config.mask_groups if stage else 1))
            channels, size = filters, half(size)
        self.z = nn.Linear(size[0] * size[1] * channels, config.z_m)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Shape (n, z_m)."""
        x_NCHW = image_NCHW
        for stage in self.stages:
            x_NCHW = same_max_pool(stage(x_NCHW))
        latents: Tensor = self.z(x_NCHW.permute(0, 2, 3, 1).flatten(1))
        return latents


class ConditionalDecoder(nn.Module):
    """Convolutional latents to the logits of an image, scaled by the compact latents before each stage."""

    def __init__(self, shape: tuple[int, int, int], config: CoDAEConfig) -> None:
        super().__init__()
        self.height, self.width = shape[1:]
        size = self.height, self.width
        for _ in config.filters:
            size = half(size)
        channels = config.z_channels
        self.conditionings, self.up_samplings, self.stages = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for stage, filters in enumerate(reversed(config.filters)):
            first_groups = config.groups if stage else 1
            self.conditionings.append(SpatialConditioning(config.z_m, channels, *size))
            self.up_samplings.append(UpSample2x(*size))
            self.stages.append(ResidualStage(channels, filters, first_groups=first_groups, groups=config.groups))
            channels, size = filters, (2 * size[0], 2 * size[1])
        self.logits = nn.Conv2d(channels, shape[0], 1)
        self.top, self.left = (size[0] - self.height) // 2, (size[1] - self.width) // 2

    def forward(self, z_NCHW: Tensor, z_m_NK: Tensor) -> Tensor:
        """Shape (n, 1, 72, 58)."""
        x_NCHW = z_NCHW
        for condition, up_sample, stage in zip(self.conditionings, self.up_samplings, self.stages, strict=True):
            x_NCHW = stage(up_sample(condition(x_NCHW, z_m_NK)))
        # The centre crop commutes with the 1 x 1 convolution, and is cheaper after it.
        logits: Tensor = self.logits(x_NCHW)
        return logits[:, :, self.top : self.top + self.height, self.left : self.left + self.width]


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
        self.decoder = ConditionalDecoder(shape, config)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """He-uniform weights; biases zero, but -1 in the decoder (section 4.7)."""
        decoder = set(self.decoder.modules())
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu", generator=generator)
                if module.bias is not None:
                    nn.init.constant_(module.bias, -1.0 if module in decoder else 0.0)

    def forward(self, image_NCHW: Tensor) -> CoDAEOutput:
        """Encode and rebuild mask images of shape (n, 1, 72, 58), values 0 or 1."""
        z_m_NK = self.mask_encoder(image_NCHW)
        z_NCHW = self.encoder(image_NCHW)
        return CoDAEOutput(self.decoder(z_NCHW, z_m_NK), z_NCHW, z_m_NK)
