"""Building blocks that the convolutional models share; plain operations only, on any device.

TensorFlow's 'same' padding is kept, since the originals were trained with it: where the
total is odd, the odd pixel goes to the bottom and right. The blocks are written for speed on
a CPU, where a training step spends half its time outside the convolutions when it is put
together from the standard layers; ``benchmarks/training.py`` has those, and the tests
compare values and gradients. A compiler for a GPU makes more of other forms of some of them, which
it gets (:func:`compiling`); the values are the same up to rounding.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Epsilon of Keras' normalisation layers.
NORM_EPS = 1e-3

#: Slope of the LeakyReLU for negative inputs (CoDAE).
SLOPE = 0.2


def compiling(x_NCHW: Tensor) -> bool:
    """Whether ``torch.compile`` is at work for an accelerator, where it fuses what is written pixel by pixel."""
    # By the device, since whether torch.compiler.is_exporting tells one from the other depends on torch's version.
    return x_NCHW.device.type != "cpu" and torch.compiler.is_compiling()


def ungrouped(weight: Tensor, groups: int) -> Tensor:
    """Weights of a convolution without groups that does the same, zero between the groups.

    Parameters
    ----------
    weight
        Shape (filters, channels / groups, height, width).
    groups
        Groups of the convolution.

    Returns
    -------
    Tensor
        Shape (filters, channels, height, width).
    """
    filters, channels, *kernel = weight.shape
    grouped = weight.reshape(groups, filters // groups, 1, channels, *kernel)
    own = torch.eye(groups, dtype=weight.dtype, device=weight.device).view(groups, 1, groups, 1, 1, 1)
    return (grouped * own).reshape(filters, groups * channels, *kernel)


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
    if groups > 1 and compiling(x_NCHW) and torch.is_autocast_enabled(x_NCHW.device.type):
        # Tensor cores multiply zeros faster than they take up small groups.
        weight, groups = ungrouped(weight, groups), 1
    top, bottom = same_padding(x_NCHW.shape[2], weight.shape[2], stride_y)
    left, right = same_padding(x_NCHW.shape[3], weight.shape[3], stride_x)
    if (top, left) != (bottom, right):
        x_NCHW, top, left = F.pad(x_NCHW, (left, right, top, bottom)), 0, 0
    return F.conv2d(x_NCHW, weight, bias, stride, (top, left), groups=groups)


class Rewritten(nn.Module):
    """What stands for one or several standard layers, in a form of its own.

    With ``standard`` set it is computed as those, with the same values up to rounding; see :func:`standard_layers`.
    """

    standard = False


@contextmanager
def standard_layers(model: nn.Module) -> Iterator[None]:
    """All of a model's :class:`Rewritten` as standard layers, which OpenVINO joins better than our forms."""
    parts = [part for part in model.modules() if isinstance(part, Rewritten)]
    try:
        for part in parts:
            part.standard = True
        yield
    finally:
        for part in parts:
            part.standard = False


class Pointwise(nn.Conv2d, Rewritten):
    """A 1 x 1 convolution without groups to few channels, as a matrix product."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__(channels, filters, 1)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Shape (n, filters, height, width)."""
        assert self.bias is not None  # noqa: S101 (for the type checker)
        if self.standard:
            return super().forward(x_NCHW)
        if compiling(x_NCHW):
            product_NFCHW = x_NCHW.float()[:, None] * self.weight
            return product_NFCHW.sum(dim=2) + self.bias[:, None, None]
        weight_NFC = self.weight.flatten(1)
        if not torch.compiler.is_exporting():
            # A product for each event: of one for all, the gradient would lie in memory channels last.
            weight_NFC = weight_NFC.expand(len(x_NCHW), -1, -1)
        output_NCP = weight_NFC @ x_NCHW.flatten(2) + self.bias[:, None]
        return output_NCP.view(-1, self.out_channels, *x_NCHW.shape[2:])


def same_max_pool(x_NCHW: Tensor, kernel: int = 3, stride: int = 2) -> Tensor:
    """Max-pooling with 'same' padding by minus infinity."""
    top, _ = same_padding(x_NCHW.shape[2], kernel, stride)
    left, _ = same_padding(x_NCHW.shape[3], kernel, stride)
    by_channel = x_NCHW.device.type == "cpu" and not torch.compiler.is_exporting()
    if by_channel:
        # torch's kernel takes twice as long, with these copies, on channels that lie apart.
        x_NCHW = x_NCHW.contiguous(memory_format=torch.channels_last)
    # Rounding up the output size pads the bottom and right by what is missing there.
    pooled_NCHW = F.max_pool2d(x_NCHW, kernel, stride, padding=(top, left), ceil_mode=True)
    return pooled_NCHW.contiguous() if by_channel else pooled_NCHW


class InstanceNorm(nn.Module):
    """Each channel of each event to zero mean and unit (biased) variance, then an affine map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape as the input."""
        # First, since torch 2.11 says of a compilation that it is an export.
        if compiling(x_NCHW):
            variance_NC11, mean_NC11 = torch.var_mean(x_NCHW.float(), dim=(2, 3), correction=0, keepdim=True)
            scale_NC11 = torch.rsqrt(variance_NC11 + NORM_EPS) * self.weight[:, None, None]
            return ((x_NCHW.float() - mean_NC11) * scale_NC11 + self.bias[:, None, None]).to(x_NCHW.dtype)
        if torch.compiler.is_exporting():
            # An ONNX operator of its own, where group norm needs reshapes that refuse an empty batch.
            return F.instance_norm(x_NCHW, weight=self.weight, bias=self.bias, eps=NORM_EPS)
        device = x_NCHW.device.type
        if device != "cpu" and torch.is_autocast_enabled(device):
            # A GPU's autocast would have the norm, and what follows it, in float32; the sums are so all the same.
            dtype = torch.get_autocast_dtype(device)
            with torch.autocast(device, enabled=False):
                return F.group_norm(
                    x_NCHW.to(dtype), len(self.weight), self.weight.to(dtype), self.bias.to(dtype), NORM_EPS
                )
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

    def convolve(self, x_NCHW: Tensor) -> Tensor:
        """The convolution alone, shape (n, filters, ceil(height / stride), ceil(width / stride))."""
        return same_conv2d(x_NCHW, self.conv.weight, stride=self.conv.stride[0], groups=self.conv.groups)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Shape (n, filters, ceil(height / stride), ceil(width / stride))."""
        # In place: the backward pass of the norm needs its input only, that of LeakyReLU its output.
        activation_NCHW: Tensor = F.leaky_relu_(self.norm(self.convolve(x_NCHW)), SLOPE)
        return activation_NCHW


class PooledConvBlock(ConvBlock):
    """A :class:`ConvBlock`, then :func:`same_max_pool`."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Shape (n, filters, ceil(height / 2), ceil(width / 2))."""
        # LeakyReLU rises everywhere, so that it may follow the pooling, which leaves it a quarter of the pixels.
        activation_NCHW: Tensor = F.leaky_relu_(same_max_pool(self.norm(self.convolve(x_NCHW))), SLOPE)
        return activation_NCHW


class ResidualStage(nn.Module):
    """A block that changes the shape, then two whose output is added to its own, without activation."""

    def __init__(self, first: ConvBlock, groups: int) -> None:
        super().__init__()
        filters = first.conv.out_channels
        self.first = first
        self.conv1 = ConvBlock(filters, filters, groups=groups)
        self.conv2 = ConvBlock(filters, filters, groups=groups)

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Shape of what the first block puts out."""
        x_NCHW = self.first(x_NCHW)
        residual_NCHW: Tensor = self.conv2(self.conv1(x_NCHW))
        return x_NCHW + residual_NCHW


class BatchNorm(nn.Module):
    """Each feature to zero mean and unit (biased) variance over the batch, then scaled; no offset.

    Outside training the running averages take the place of the batch's, as in Keras.

    Parameters
    ----------
    features
        Number of features.
    momentum
        Share of the running averages that a batch leaves as it is.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, features: int, momentum: float = 0.99) -> None:
        super().__init__()
        self.momentum = momentum
        self.weight = nn.Parameter(torch.ones(features))
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))

    def forward(self, x_NF: Tensor) -> Tensor:
        """Shape of ``x_NF``, in float32."""
        x_NF, mean_F, variance_F = x_NF.float(), self.mean, self.variance
        if self.training:
            variance_F, mean_F = torch.var_mean(x_NF, dim=0, correction=0)
            with torch.no_grad():
                self.mean.lerp_(mean_F, 1 - self.momentum)
                self.variance.lerp_(variance_F, 1 - self.momentum)
        return (x_NF - mean_F) * torch.rsqrt(variance_F + NORM_EPS) * self.weight


def mixes_events(model: nn.Module) -> bool:
    """Whether an event's output depends, in training, on the others of its batch."""
    return any(isinstance(module, BatchNorm | nn.BatchNorm1d | nn.BatchNorm2d) for module in model.modules())
