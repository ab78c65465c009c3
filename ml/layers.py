"""Building blocks that the convolutional models share; plain operations only, on any device.

TensorFlow's 'same' padding is kept, since the originals were trained with it: where the
total is odd, the odd pixel goes to the bottom and right. The blocks are written for speed on
a CPU, where a training step spends half its time outside the convolutions when it is put
together from the standard layers; ``benchmarks/training.py`` has those, and the tests
compare values and gradients.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Epsilon of Keras' normalisation layers.
NORM_EPS = 1e-3

#: Slope of the LeakyReLU for negative inputs (CoDAE).
SLOPE = 0.2


def same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Padding before and after one axis, in pixels, for ceil(size / stride) outputs."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def same_conv2d(
    x_NCHW: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    stride: int | tuple[int, int] = 1,
    groups: int = 1,
) -> Tensor:
    """Convolution with 'same' padding, shape (n, filters, ceil(height / stride), ceil(width / stride))."""
    stride_y, stride_x = (stride, stride) if isinstance(stride, int) else stride
    top, bottom = same_padding(x_NCHW.shape[2], weight.shape[2], stride_y)
    left, right = same_padding(x_NCHW.shape[3], weight.shape[3], stride_x)
    if (top, left) != (bottom, right):
        x_NCHW, top, left = F.pad(x_NCHW, (left, right, top, bottom)), 0, 0
    return F.conv2d(x_NCHW, weight, bias, stride, (top, left), groups=groups)


def same_max_pool(x_NCHW: Tensor, kernel: int = 3, stride: int = 2) -> Tensor:
    """Max-pooling with 'same' padding by minus infinity."""
    top, _ = same_padding(x_NCHW.shape[2], kernel, stride)
    left, _ = same_padding(x_NCHW.shape[3], kernel, stride)
    # Rounding up the output size pads the bottom and right by what is missing there.
    return F.max_pool2d(x_NCHW, kernel, stride, padding=(top, left), ceil_mode=True)


class InstanceNorm(nn.Module):
    """Each channel of each event to zero mean and unit (biased) variance, then an affine map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape as the input."""
        if torch.compiler.is_exporting():
            # An ONNX operator of its own, where group norm needs reshapes that refuse an empty batch.
            return F.instance_norm(x_NCHW, weight=self.weight, bias=self.bias, eps=NORM_EPS)
        # Instance norm is group norm with one channel a group, which torch computes twice as fast on a CPU.
        return F.group_norm(x_NCHW, len(self.weight), self.weight, self.bias, NORM_EPS)


class ConvBlock(nn.Module):
    """3 x 3 convolution, instance norm, LeakyReLU.

    The convolution's bias is a parameter of the original, but the norm takes it out again: it
    is kept, not computed, and gets no gradient.
    """

    def __init__(self, channels: int, filters: int, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 3, stride, groups=groups)
        self.norm = InstanceNorm(filters)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Shape (n, filters, ceil(height / stride), ceil(width / stride))."""
        x_NCHW = same_conv2d(x_NCHW, self.conv.weight, stride=self.conv.stride[0], groups=self.conv.groups)
        # In place: the backward pass of the norm needs its input only, that of LeakyReLU its output.
        activation_NCHW: Tensor = F.leaky_relu_(self.norm(x_NCHW), SLOPE)
        return activation_NCHW


class ResidualStage(nn.Module):
    """A block that changes the shape, then two whose output is added to its own, without activation."""

    def __init__(self, channels: int, filters: int, *, stride: int = 1, first_groups: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.first = ConvBlock(channels, filters, stride=stride, groups=first_groups)
        self.conv1 = ConvBlock(filters, filters, groups=groups)
        self.conv2 = ConvBlock(filters, filters, groups=groups)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Shape (n, filters, ceil(height / stride), ceil(width / stride))."""
        x_NCHW = self.first(x_NCHW)
        residual_NCHW: Tensor = self.conv2(self.conv1(x_NCHW))
        return x_NCHW + residual_NCHW


def bilinear_matrix(size: int) -> Tensor:
    """Matrix that doubles one axis by linear interpolation without corner alignment, shape (2 size, size)."""
    return F.interpolate(torch.eye(size)[None], scale_factor=2, mode="linear", align_corners=False)[0].T


class UpSample2x(nn.Module):
    """Bilinear up-sampling by two without corner alignment.

    Two matrix products: torch's own kernel is twice as slow, and four times backward.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.register_buffer("rows", bilinear_matrix(height), persistent=False)
        self.register_buffer("columns", bilinear_matrix(width).T.contiguous(), persistent=False)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Shape (n, channels, 2 height, 2 width)."""
        return self.rows @ x_NCHW @ self.columns


class SpatialConditioning(nn.Module):
    """Multiplies a feature map by a convolution of the broadcast latents (CoDAE, algorithm 2).

    The latents are repeated at every pixel and joined by the pixel's coordinates x (along the
    width) and y, from -1 to 1. As the convolution is linear, it is applied once to each
    latent's unit image, not to every event.
    """

    basis: Tensor

    def __init__(self, latents: int, channels: int, height: int, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(latents + 2, channels, 3)
        y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
        basis_KCHW = torch.zeros(latents + 1, latents + 2, height, width)
        basis_KCHW[range(latents), range(latents)] = 1
        basis_KCHW[latents, latents:] = torch.stack([x, y])
        self.register_buffer("basis", basis_KCHW, persistent=False)

    def forward(self, x_NCHW: Tensor, z_NK: Tensor) -> Tensor:
        """Shape of ``x_NCHW``."""
        assert self.conv.bias is not None  # noqa: S101 (for the type checker)
        response_KCHW = same_conv2d(self.basis, self.conv.weight)
        offset_CHW = response_KCHW[-1] + self.conv.bias[:, None, None]
        scale_NP = torch.addmm(offset_CHW.flatten(), z_NK, response_KCHW[:-1].flatten(1))
        return scale_NP.view_as(x_NCHW) * x_NCHW
