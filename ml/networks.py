"""Encoders and decoder that the CoDAE and its relatives share (CoDAE, figure 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from darktrigger.config import StrictModel
from ml.layers import ConvBlock, Pointwise, PooledConvBlock, ResidualStage
from ml.up_sampling import UpConvBlock

Count = Annotated[int, Field(ge=1)]

#: Channels, height and width of an event.
Shape = tuple[int, int, int]


class ResidualConfig(StrictModel):
    """Size of the residual encoder and of the decoder; the defaults are the paper's (figure 4).

    Parameters
    ----------
    filters
        Channels of the stages of the encoders; the decoder's are the reverse. Each stage
        halves (doubles) the image.
    groups
        Convolution groups of the residual networks, from the strided convolution of the
        second stage on.
    z_channels
        Channels of the convolutional latents.
    """

    filters: tuple[Count, ...] = Field(default=(64, 128, 128, 256), min_length=1, max_length=4)
    groups: Count = 4
    z_channels: Count = 64

    @model_validator(mode="after")
    def _groups_divide_filters(self) -> Self:
        _check_divides("groups", self.groups, self.filters)
        return self


class DualConfig(ResidualConfig):
    """Size of a model with a mask encoder beside; the defaults are the paper's.

    Parameters
    ----------
    mask_groups
        Convolution groups of the mask encoder, from its second convolution on.
    z_m
        Number of compact latents, the first two of which are scores.
    """

    mask_groups: Count = 2
    z_m: Annotated[int, Field(ge=2)] = 2

    @model_validator(mode="after")
    def _mask_groups_divide_filters(self) -> Self:
        _check_divides("mask_groups", self.mask_groups, self.filters)
        return self


def _check_divides(key: str, groups: int, filters: tuple[int, ...]) -> None:
    if any(count % groups for count in filters):
        raise ValueError(f"{key}: {groups} does not divide each of filters {list(filters)}")


def latent_size(shape: Shape, stages: int) -> tuple[int, int]:
    """Height and width of an event after ``stages`` stages of an encoder, each of which halves it."""
    height, width = shape[1:]
    for _ in range(stages):
        height, width = -(-height // 2), -(-width // 2)
    return height, width


def he_uniform_(model: nn.Module, decoder: nn.Module, generator: torch.Generator | None) -> None:
    """He-uniform weights; biases zero, but -1 in the decoder (section 4.7)."""
    in_decoder = set(decoder.modules())
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.kaiming_uniform_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.constant_(module.bias, -1.0 if module in in_decoder else 0.0)


class ResidualEncoder(nn.Module):
    """Image to convolutional latents: strided residual stages, then a 1 x 1 convolution."""

    def __init__(self, channels: int, config: ResidualConfig) -> None:
        super().__init__()
        self.stages = nn.Sequential()
        for stage, filters in enumerate(config.filters):
            first = ConvBlock(channels, filters, stride=2, groups=config.groups if stage else 1)
            self.stages.append(ResidualStage(first, config.groups))
            channels = filters
        self.latents = nn.Conv2d(channels, config.z_channels, 1)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Shape (n, z_channels, 5, 4)."""
        latents: Tensor = self.latents(self.stages(image_NCHW))
        return latents


class MaskEncoder(nn.Module):
    """Image to a few compact latents: convolutions, each followed by max-pooling."""

    def __init__(self, shape: Shape, config: DualConfig) -> None:
        super().__init__()
        channels, *_ = shape
        self.stages = nn.ModuleList()
        for stage, filters in enumerate(config.filters):
            self.stages.append(PooledConvBlock(channels, filters, groups=config.mask_groups if stage else 1))
            channels = filters
        height, width = latent_size(shape, len(config.filters))
        self.z = nn.Linear(height * width * channels, config.z_m)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Shape (n, z_m)."""
        x_NCHW = image_NCHW
        for stage in self.stages:
            x_NCHW = stage(x_NCHW)
        latents: Tensor = self.z(x_NCHW.permute(0, 2, 3, 1).flatten(1))
        return latents


class ResidualDecoder(nn.Module):
    """Convolutional latents to the logits of an image, conditioned before each stage.

    Parameters
    ----------
    shape
        Of the image.
    config
        Sizes.
    conditioning
        Makes the conditioning of a feature map of so many channels, height and width; see
        :mod:`ml.conditioning`.
    """

    def __init__(self, shape: Shape, config: ResidualConfig, conditioning: Callable[[int, int, int], Any]) -> None:
        super().__init__()
        self.height, self.width = shape[1:]
        size = latent_size(shape, len(config.filters))
        channels = config.z_channels
        self.conditionings, self.stages = nn.ModuleList(), nn.ModuleList()
        for stage, filters in enumerate(reversed(config.filters)):
            condition = conditioning(channels, *size)
            first = UpConvBlock(condition.out_channels, filters, *size, groups=config.groups if stage else 1)
            self.conditionings.append(condition)
            self.stages.append(ResidualStage(first, config.groups))
            channels, size = filters, (2 * size[0], 2 * size[1])
        self.logits = Pointwise(channels, shape[0])
        self.top, self.left = (size[0] - self.height) // 2, (size[1] - self.width) // 2

    def forward(self, z_NCHW: Tensor, z_m_NK: Tensor | None) -> Tensor:
        """Shape (n, 1, 72, 58); ``z_m_NK`` is None for a decoder without conditioning."""
        x_NCHW = z_NCHW
        for condition, stage in zip(self.conditionings, self.stages, strict=True):
            x_NCHW = stage(condition(x_NCHW, z_m_NK))
        # The centre crop commutes with the 1 x 1 convolution, and is cheaper after it.
        logits: Tensor = self.logits(x_NCHW)
        return logits[:, :, self.top : self.top + self.height, self.left : self.left + self.width]
