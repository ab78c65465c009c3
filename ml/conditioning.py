"""How the compact latents act on a feature map of the decoder (CoDAE, section 4.4).

All of them start alike (algorithm 2): the latents are repeated at every pixel, joined by the
pixel's coordinates, and turned into feature maps by a linear 3 x 3 convolution. They differ in
what those maps then do to the decoder's own.
"""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

import torch
from torch import Tensor, nn

from ml.layers import compiling, same_conv2d

ConditioningName: TypeAlias = Literal["scale", "bias", "concatenation", "affine"]


class SpatialConditioning(nn.Module):
    """Feature maps of the broadcast latents, for the subclasses to apply.

    The pixel's coordinates are x (along the width) and y, from -1 to 1. As the convolution is
    linear, it is applied once to each latent's unit image, not to every event.

    Parameters
    ----------
    latents
        Number of compact latents.
    channels, height, width
        Shape of the decoder's feature map.
    """

    #: Maps that are made for each channel of the decoder.
    maps: ClassVar[int] = 1

    basis: Tensor

    def __init__(self, latents: int, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(latents + 2, self.maps * channels, 3)
        y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        basis_KCHW = torch.zeros(latents + 1, latents + 2, height, width)
        basis_KCHW[range(latents), range(latents)] = 1
        basis_KCHW[latents, latents:] = torch.stack([x, y])
        self.register_buffer("basis", basis_KCHW, persistent=False)

    @property
    def out_channels(self) -> int:
        """Channels of the conditioned feature map."""
        return self.conv.out_channels // self.maps

    def response(self, z_NK: Tensor) -> Tensor:
        """Maps of the latents, shape (n, maps * channels, height, width)."""
        assert self.conv.bias is not None  # noqa: S101 (for the type checker)
        response_KCHW = same_conv2d(self.basis, self.conv.weight)
        offset_CHW = response_KCHW[-1] + self.conv.bias[:, None, None]
        if compiling(z_NK):
            return (z_NK[:, :, None, None, None] * response_KCHW[:-1]).sum(dim=1) + offset_CHW
        response_NP = torch.addmm(offset_CHW.flatten(), z_NK, response_KCHW[:-1].flatten(1))
        return response_NP.view(z_NK.shape[0], *offset_CHW.shape)


class Scale(SpatialConditioning):
    """Multiplies the feature map by the maps of the latents (equation 1)."""

    def forward(self, x_NCHW: Tensor, z_NK: Tensor) -> Tensor:
        """Shape of ``x_NCHW``."""
        return self.response(z_NK) * x_NCHW


class Bias(SpatialConditioning):
    """Adds the maps of the latents to the feature map."""

    def forward(self, x_NCHW: Tensor, z_NK: Tensor) -> Tensor:
        """Shape of ``x_NCHW``."""
        return x_NCHW + self.response(z_NK)


class Affine(SpatialConditioning):
    """Multiplies the feature map by half of the maps of the latents and adds the other half."""

    maps = 2

    def forward(self, x_NCHW: Tensor, z_NK: Tensor) -> Tensor:
        """Shape of ``x_NCHW``."""
        scale_NCHW, bias_NCHW = self.response(z_NK).chunk(2, dim=1)
        return scale_NCHW * x_NCHW + bias_NCHW


class Concatenation(SpatialConditioning):
    """Puts the maps of the latents beside the feature map, channel by channel.

    Each channel is followed by the map made for it, so that every group of the convolution
    that comes next sees both.
    """

    @property
    def out_channels(self) -> int:
        """Twice those of the feature map."""
        return 2 * self.conv.out_channels

    def forward(self, x_NCHW: Tensor, z_NK: Tensor) -> Tensor:
        """Shape (n, 2 channels, height, width)."""
        return torch.stack([x_NCHW, self.response(z_NK)], dim=2).flatten(1, 2)


CONDITIONINGS: dict[ConditioningName, type[SpatialConditioning]] = {
    "scale": Scale,
    "bias": Bias,
    "concatenation": Concatenation,
    "affine": Affine,
}


class Unconditioned(nn.Module):
    """Stands where a decoder without compact latents has no conditioning."""

    def __init__(self, channels: int, height: int, width: int) -> None:  # noqa: ARG002 (as the others without latents)
        super().__init__()
        self.out_channels = channels

    def forward(self, x_NCHW: Tensor, z_NK: None) -> Tensor:  # noqa: ARG002
        """``x_NCHW`` itself."""
        return x_NCHW
