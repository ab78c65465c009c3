"""The pixel grid of jet images (NAE paper, section 2.3): 40 x 40 pixels of 0.029 x 0.035 in eta x phi.

Rows run along phi after the rotation, from 12 o'clock downwards; columns run along eta, from left to
right. A pixel's number is row * 40 + column, as an image is drawn with its first row on top.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_PIXELS = 40  # along either side
D_ETA, D_PHI = 0.029, 0.035
ETA_MAX, PHI_MAX = N_PIXELS / 2 * D_ETA, N_PIXELS / 2 * D_PHI


def pixel(eta: NDArray[np.floating], phi: NDArray[np.floating]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Pixel number of each point in the frame of its jet, and whether the point lies on the grid at all.

    Numbers off the grid mean nothing.
    """
    column = np.floor(eta / D_ETA).astype(np.int32) + N_PIXELS // 2
    row = N_PIXELS // 2 - 1 - np.floor(phi / D_PHI).astype(np.int32)
    inside = (row >= 0) & (row < N_PIXELS) & (column >= 0) & (column < N_PIXELS)
    return row * np.int32(N_PIXELS) + column, inside
