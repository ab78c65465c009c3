"""Bilinear up-sampling by two and the convolution that follows it, as one linear map (CoDAE's decoder).

Written one after the other, a 3 x 3 convolution on the doubled image is the most expensive layer
of the network. Both being linear, their order along the height can be changed: each of the
kernel's three rows is applied to the image of half the height, and what the three give is
then up-sampled, shifted and added by one product with a fixed matrix. That is half of the
multiplications, and the values are those of the two layers up to rounding, edges included.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ml.layers import ConvBlock, Rewritten, compiling, same_conv2d


def bilinear_matrix(size: int) -> Tensor:
    """Matrix that doubles one axis by linear interpolation without corner alignment, shape (2 size, size)."""
    return F.interpolate(torch.eye(size)[None], scale_factor=2, mode="linear", align_corners=False)[0].T


def shifted_bilinear_matrix(size: int) -> Tensor:
    """For each element k of a kernel of three, what :func:`bilinear_matrix` gives at pixel p + k - 1, zero outside.

    The three matrices stand side by side, shape (2 size, 3 size).
    """
    padded = F.pad(bilinear_matrix(size), (0, 0, 1, 1))
    return torch.cat([padded[k : k + 2 * size] for k in range(3)], dim=1)


def doubled(x_NCHW: Tensor, dim: int) -> Tensor:
    """:func:`bilinear_matrix` along one axis, pixel by pixel: three quarters are its own, one its neighbour's."""
    size = x_NCHW.shape[dim]
    first, last = x_NCHW.narrow(dim, 0, 1), x_NCHW.narrow(dim, size - 1, 1)
    before = torch.cat([first, x_NCHW.narrow(dim, 0, size - 1)], dim)
    after = torch.cat([x_NCHW.narrow(dim, 1, size - 1), last], dim)
    pairs = torch.stack([0.75 * x_NCHW + 0.25 * before, 0.75 * x_NCHW + 0.25 * after], dim + 1)
    return pairs.flatten(dim, dim + 1)


class UpConvBlock(ConvBlock, Rewritten):
    """Bilinear up-sampling by two without corner alignment, then a :class:`ml.layers.ConvBlock`.

    Parameters
    ----------
    channels, height, width
        Shape of the input.
    filters, groups
        Of the convolution.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, channels: int, filters: int, height: int, width: int, *, groups: int = 1) -> None:
        super().__init__(channels, filters, groups=groups)
        self.register_buffer("rows", shifted_bilinear_matrix(height), persistent=False)
        self.register_buffer("columns", bilinear_matrix(width).T.contiguous(), persistent=False)

    def convolve(self, x_NCHW: Tensor) -> Tensor:
        """Shape (n, filters, 2 height, 2 width)."""
        if self.standard:
            doubled_NCHW = F.interpolate(x_NCHW, scale_factor=2, mode="bilinear", align_corners=False)
            return same_conv2d(doubled_NCHW, self.conv.weight, groups=self.conv.groups)
        if compiling(x_NCHW):
            return same_conv2d(doubled(doubled(x_NCHW, 2), 3), self.conv.weight, groups=self.conv.groups)
        filters = self.conv.out_channels
        # A filter's three rows become three filters of one row, next to each other.
        weight = self.conv.weight.transpose(1, 2).reshape(3 * filters, -1, 1, 3)
        rows_NCHW = F.conv2d(x_NCHW @ self.columns, weight, padding=(0, 1), groups=self.conv.groups)
        return self.rows @ rows_NCHW.reshape(-1, filters, self.rows.shape[1], self.columns.shape[1])
