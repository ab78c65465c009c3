"""The first two convolutions of a network on nearly empty images, at the cost of what is lit (ConvAE).

Of the 11,520 patches of 3 x 3 pixels that the first convolution sees in a fine image, about 600
hold anything. Wherever a patch is empty, the stage's output is that of an empty image, a map which
all events share. So the second convolution, being linear, is that of this map plus that of
the differences at the lit patches: a few products of small matrices instead of the network's
most expensive layer. Values and gradients are those of the dense stages; only the order of the
sums differs.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ml.batch_norm import Moments
from ml.convolutions import DownStage, PositionalPReLU
from ml.layers import NORM_EPS, same_conv2d, same_padding


class Lit(NamedTuple):
    """The patches that hold anything, a in number, of n images of height x width patches.

    Parameters
    ----------
    pixels
        Their pixels, in the order of a convolution's weights, shape (a, channels * 9).
    event, row, column
        Where they are, shape (a,) each.
    """

    pixels: Tensor
    event: Tensor
    row: Tensor
    column: Tensor


def lit_patches(image_NCHW: Tensor) -> Lit:
    """Patches of 3 x 3 pixels that are not all zero; height and width must be multiples of 3."""
    n, channels, height, width = image_NCHW.shape
    patch_NPQK = image_NCHW.view(n, channels, height // 3, 3, width // 3, 3).permute(0, 2, 4, 1, 3, 5).flatten(3)
    event_A, row_A, column_A = patch_NPQK.any(3).nonzero(as_tuple=True)
    return Lit(patch_NPQK[event_A, row_A, column_A], event_A, row_A, column_A)


def sparse_stem(image_NCHW: Tensor, first: DownStage, second: DownStage) -> tuple[Tensor, Moments]:
    """The second stage's convolution, without bias, of the first stage's output.

    Parameters
    ----------
    image_NCHW
        Images of height and width that are multiples of 3.
    first
        Stage of stride 3, so that its patches do not overlap, with a slope at each position.
    second
        The stage that follows; only its convolution is done.

    Returns
    -------
    tuple
        Shape (n, channels, height, width) of the second stage's output; moments of the first's.
    """
    with torch.autocast(image_NCHW.device.type, enabled=False):
        lit = lit_patches(image_NCHW.float())
        conv_AC = lit.pixels @ first.conv.weight.flatten(1).T
        channels, height, width = first.shape
        n_patches = len(image_NCHW) * height * width
        mean_C = conv_AC.sum(0) / n_patches
        # Two passes, as the patches' mean is far from zero in units of their spread; empty ones differ by the mean.
        squares_C = (conv_AC - mean_C).square().sum(0) + (n_patches - len(conv_AC)) * mean_C.square()
        variance_C = squares_C / n_patches
        scale_C = first.norm.weight * (variance_C + NORM_EPS).rsqrt()
        empty_C = first.norm.bias - mean_C * scale_C

        assert isinstance(first.activation, PositionalPReLU)  # noqa: S101 (for the type checker)
        slope_CP = first.activation.slope.flatten(1)
        position_A = lit.row * width + lit.column
        empty_CP = torch.where(empty_C[:, None] > 0, empty_C[:, None], slope_CP * empty_C[:, None])
        normal_AC = conv_AC * scale_C + empty_C
        lit_AC = torch.where(normal_AC > 0, normal_AC, slope_CP[:, position_A].T * normal_AC)
        difference_AC = lit_AC - empty_CP[:, position_A].T
        empty_NCHW = empty_CP.view(1, channels, height, width).expand(len(image_NCHW), -1, -1, -1)
        output_NCHW = convolve_differences(empty_NCHW, difference_AC, lit, second)
    moments = Moments(mean_C.detach() + first.bias_C.detach(), variance_C.detach())
    return output_NCHW, moments


def convolve_differences(shared_NCHW: Tensor, difference_AC: Tensor, lit: Lit, stage: DownStage) -> Tensor:
    """A stage's convolution, without bias, of maps that differ from ``shared_NCHW`` at the lit patches alone.

    The shared map is the same for all events.
    """
    n, _, height, width = shared_NCHW.shape
    filters, out_height, out_width = stage.shape
    stride_y, stride_x = stage.stride
    top, _ = same_padding(height, 3, stride_y)
    left, _ = same_padding(width, 3, stride_x)
    shared_PF = same_conv2d(shared_NCHW[:1], stage.conv.weight, stride=stage.stride)[0].flatten(1).T
    output_QF = shared_PF.repeat(n, 1)
    for ky in range(3):
        for kx in range(3):
            # A patch meets this element of the kernel in the output pixel where stride * pixel + element is its place.
            y_A, x_A = lit.row + top - ky, lit.column + left - kx
            row_A, column_A = y_A // stride_y, x_A // stride_x
            meets_A = (y_A >= 0) & (x_A >= 0) & (y_A % stride_y == 0) & (x_A % stride_x == 0)
            meets_A &= (row_A < out_height) & (column_A < out_width)
            (chosen,) = meets_A.nonzero(as_tuple=True)
            target = (lit.event[chosen] * out_height + row_A[chosen]) * out_width + column_A[chosen]
            output_QF.index_add_(0, target, difference_AC[chosen] @ stage.conv.weight[:, :, ky, kx].T)
    return output_QF.view(n, out_height, out_width, filters).permute(0, 3, 1, 2).contiguous()
