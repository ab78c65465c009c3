"""Convolutional stages with batch norm: convolution, norm, activation (ConvAE)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.batch_norm import Moments, SpatialBatchNorm
from ml.layers import same_conv2d

Stride = tuple[int, int]
Shape = tuple[int, int, int]


class PositionalPReLU(nn.Module):
    """PReLU with a slope of its own for each channel and pixel, as Keras has it; all slopes start at 0."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(shape))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Same shape as the input."""
        # torch's PReLU has one slope for each element of the second axis: flat, that is each position.
        return F.prelu(x_NCHW.flatten(1), self.slope.flatten()).view(-1, *self.slope.shape)


class Stage(nn.Module):
    """A 3 x 3 convolution with 'same' padding, batch norm and an activation.

    Parameters
    ----------
    conv
        Holds weight, bias and stride.
    shape
        Channels, height and width of the output.
    activation
        Applied last.
    """

    def __init__(self, conv: nn.Conv2d | nn.ConvTranspose2d, shape: Shape, activation: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm, self.activation = conv, SpatialBatchNorm(shape[0]), activation
        self.shape = shape

    def convolve(self, x_NCHW: Tensor, bias_C: Tensor | None = None) -> Tensor:
        """The convolution, with a bias if one is given, shape (n, *shape)."""
        raise NotImplementedError

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Output by the running statistics, for inference."""
        output_NCHW: Tensor = self.activation(self.norm(self.convolve(x_NCHW, self.bias_C)))
        return output_NCHW

    def train_forward(self, x_NCHW: Tensor) -> tuple[Tensor, Moments]:
        """Output by the moments of this batch, and the moments."""
        return self.finish(self.convolve(x_NCHW))

    def finish(self, conv_NCHW: Tensor) -> tuple[Tensor, Moments]:
        """:meth:`train_forward` from the convolution without bias on.

        The norm takes the bias out again: it is a parameter of the original, but gets no
        gradient, and shows in the running mean alone.
        """
        normal_NCHW, moments = self.norm.train_forward(conv_NCHW)
        return self.activation(normal_NCHW), Moments(moments.mean + self.bias_C.detach(), moments.variance)

    @property
    def bias_C(self) -> Tensor:
        """Bias of the convolution, shape (channels,)."""
        assert self.conv.bias is not None  # noqa: S101 (for the type checker)
        return self.conv.bias


class DownStage(Stage):
    """A stage that divides height and width by its stride."""

    def __init__(self, channels: int, shape: Shape, stride: Stride, activation: nn.Module) -> None:
        super().__init__(nn.Conv2d(channels, shape[0], 3, stride), shape, activation)
        self.stride = stride

    def convolve(self, x_NCHW: Tensor, bias_C: Tensor | None = None) -> Tensor:
        """The convolution, with a bias if one is given, shape (n, *shape)."""
        return same_conv2d(x_NCHW, self.conv.weight, bias_C, stride=self.stride)


class UpStage(Stage):
    """A stage that multiplies height and width by its stride: the transpose of a :class:`DownStage`'s convolution."""

    def __init__(self, channels: int, shape: Shape, stride: Stride, activation: nn.Module) -> None:
        super().__init__(nn.ConvTranspose2d(channels, shape[0], 3, stride), shape, activation)

    def convolve(self, x_NCHW: Tensor, bias_C: Tensor | None = None) -> Tensor:
        """The convolution, with a bias if one is given, shape (n, *shape)."""
        # Of the full output 'same' keeps the top left.
        _, height, width = self.shape
        full_NCHW = F.conv_transpose2d(x_NCHW, self.conv.weight, bias_C, stride=self.conv.stride)
        return full_NCHW[:, :, :height, :width]
