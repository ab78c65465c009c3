"""What can be counted in a coarse E_T image; plain operations, differentiable where that has a meaning.

Images are (n, 3, 72, 58), tracker, ECAL and HCAL, phi by eta, GeV. Every function gives the
logarithm of one plus what it counts, shape (n,).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def log_total_e_t(image_NCHW: Tensor) -> Tensor:
    """Of the E_T of all channels, GeV."""
    return torch.log1p(image_NCHW.sum(dim=(1, 2, 3)))


def soft_tracks(image_NCHW: Tensor, e_t_min: float) -> Tensor:
    """Of the number of tracker pixels above ``e_t_min`` (GeV)."""
    return torch.log1p((image_NCHW[:, 0] > e_t_min).to(image_NCHW.dtype).sum(dim=(1, 2)))


def crowding(image_NCHW: Tensor, block: tuple[int, int]) -> Tensor:
    """Of the cube root of the sum of the cubes of the lit tracker pixels in each block.

    It grows with the number of tracks, and more so where they lie together. Blocks are
    ``block`` pixels (phi, eta) wide; what does not fill one is left out on both sides in eta.
    """
    lit_N1HW = (image_NCHW[:, :1] > 0).to(image_NCHW.dtype)
    height, width = block
    margin = lit_N1HW.shape[3] % width
    inner = lit_N1HW[..., margin // 2 : lit_N1HW.shape[3] - (margin - margin // 2)]
    count_N1HW = F.avg_pool2d(inner, (height, width)) * (height * width)
    return torch.log1p(count_N1HW.pow(3).sum(dim=(1, 2, 3)).pow(1 / 3))


def hardest_track(image_NCHW: Tensor) -> Tensor:
    """Of the E_T of the hardest tracker pixel, GeV."""
    return torch.log1p(image_NCHW[:, 0].amax(dim=(1, 2)))


def missing_e_t(image_NCHW: Tensor) -> Tensor:
    """Of the missing E_T (GeV): what the vectors of all pixels, of all channels, add up to in the transverse plane."""
    e_t_NH = image_NCHW.sum(dim=(1, 3))
    n_phi = e_t_NH.shape[1]
    phi_H = (torch.arange(n_phi, dtype=e_t_NH.dtype, device=e_t_NH.device) + 0.5) * (2 * math.pi / n_phi)
    components_NK = e_t_NH @ torch.stack([phi_H.cos(), phi_H.sin()], dim=1)
    return torch.log1p(components_NK.square().sum(dim=1).sqrt())
