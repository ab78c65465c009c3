"""Augmentations that respect the detector's geometry (for images CoDAE, section 4.2).

A flip reverses the eta axis, a rotation rolls the phi axis, where the detector closes on itself;
all channels of an event move together. Coarse images are (n, channels, phi, eta), fine ones
(n, channels, eta, phi), with 5 fine pixels for each coarse one: a fine image turns by the
same angles, and so does the HCAL grid in it. Objects turn by any angle.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from imaging.grid import BLOCK
from imaging.objects.layout import MEMBERS

#: Rows of a rotation, drawn uniformly; on 72 rows of 5 degrees.
ROTATIONS = (8, 16, 24, 32, 40, 48, 56)

#: (flip, direction of the rotation) of the five combinations: up, down, flip, flip and up, flip and down.
COMBINATIONS = ((False, -1), (False, 1), (True, 0), (True, -1), (True, 1))


class Augmentation(NamedTuple):
    """What to do to each of n images.

    Parameters
    ----------
    flip
        Whether to flip in eta, bool, shape (n,).
    shift
        Rows by which to rotate in phi, upwards if negative, shape (n,).
    """

    flip: Tensor
    shift: Tensor


def draw(n: int, generator: torch.Generator) -> Augmentation:
    """One of the five combinations for each of ``n`` images, with equal odds."""
    choice_N = torch.randint(len(COMBINATIONS), (n,), generator=generator)
    rows_N = torch.tensor(ROTATIONS)[torch.randint(len(ROTATIONS), (n,), generator=generator)]
    flip, sign = zip(*COMBINATIONS, strict=True)
    return Augmentation(torch.tensor(flip)[choice_N], torch.tensor(sign)[choice_N] * rows_N)


def augment(image_NCHW: Tensor, augmentation: Augmentation) -> Tensor:
    """Flip and rotate each coarse image; same shape, same pixel values in other places."""
    n, channels, height, width = image_NCHW.shape
    flip_N, shift_N = augmentation
    row_NH = (torch.arange(height) - shift_N[:, None]) % height
    column_NW = torch.where(flip_N[:, None], torch.arange(width).flip(0), torch.arange(width))
    # One index a dimension, so that the result lies in memory as an image; what lies there channels last is
    # convolved so, in which torch's instance norm is several times slower on a CPU.
    event_N111, channel_C11 = torch.arange(n)[:, None, None, None], torch.arange(channels)[:, None, None]
    return image_NCHW[event_N111, channel_C11, row_NH[:, None, :, None], column_NW[:, None, None, :]]


def augment_sparse(image_NCHW: Tensor, augmentation: Augmentation) -> Tensor:
    """Flip and rotate each fine image, given as a sparse tensor (COO); ``shift`` counts coarse rows of 5 degrees."""
    *_, height, width = image_NCHW.shape
    image_NCHW = image_NCHW.coalesce()
    event, channel, eta, phi = image_NCHW.indices()
    flip, shift = augmentation.flip[event], augmentation.shift[event] * BLOCK
    index = torch.stack([event, channel, torch.where(flip, height - 1 - eta, eta), (phi + shift) % width])
    return torch.sparse_coo_tensor(index, image_NCHW.values(), image_NCHW.shape, check_invariants=True)


def wrapped(phi: Tensor) -> Tensor:
    """Azimuths from -pi to pi."""
    return torch.remainder(phi + math.pi, 2 * math.pi) - math.pi


def augment_objects(objects_NK: Tensor, generator: torch.Generator) -> Tensor:
    """Turn each event by an angle and mirror it in eta, in phi or both at random; empty slots stay empty.

    Parameters
    ----------
    objects_NK
        As :mod:`imaging.objects.layout` has them, shape (n, 57), GeV and radians.
    generator
        Source of the angles and the mirrors.
    """
    n = len(objects_NK)
    pt_NS, eta_NS, phi_NS = objects_NK.view(n, -1, len(MEMBERS)).unbind(2)
    angle_N1 = 2 * math.pi * torch.rand(n, 1, generator=generator)
    mirror_2N1 = 1.0 - 2.0 * torch.randint(2, (2, n, 1), generator=generator)
    turned_NS = wrapped(phi_NS * mirror_2N1[1] + angle_N1)
    turned_NS = torch.where(pt_NS > 0, turned_NS, phi_NS)
    return torch.stack([pt_NS, eta_NS * mirror_2N1[0], turned_NS], dim=2).view(n, -1)
