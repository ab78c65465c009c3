"""Dense model inputs from sparse images, as torch tensors on any device.

Only the non-zero pixels travel to the device; the scatter into the dense image runs
there. Same results as :mod:`imaging.dense`.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from imaging.dense import INPUT_SHAPES, coarse_pixels, upsample_hcal
from imaging.grid import FINE, HCAL
from imaging.sparse import CHANNELS, SparseImages


def scatter(matrix: csr_array, device: torch.device | str = "cpu") -> Tensor:
    """Dense float32 tensor of a CSR array, shape (n, columns)."""
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    flat = torch.from_numpy(rows * matrix.shape[1] + matrix.indices).to(device)
    values = torch.from_numpy(np.asarray(matrix.data, dtype=np.float32)).to(device)
    dense = torch.zeros(matrix.shape[0] * matrix.shape[1], device=device)
    return dense.index_put_((flat,), values).view(matrix.shape[0], matrix.shape[1])


def coarse_e_t(images: SparseImages, device: torch.device | str = "cpu") -> Tensor:
    """Shape (n, 3, 72, 58), phi by eta, GeV."""
    channels = [scatter(coarse_pixels(images, name), device) for name in CHANNELS]
    return torch.stack(channels, dim=1).view(-1, *INPUT_SHAPES["coarse E_T"])


def coarse_mask(images: SparseImages, device: torch.device | str = "cpu") -> Tensor:
    """Shape (n, 1, 72, 58): 1 where any track lies in a coarse pixel, else 0."""
    image_NP = scatter(coarse_pixels(images, "trk"), device)
    return (image_NP > 0).float().view(-1, 1, HCAL.n_phi, HCAL.n_eta)


def fine(images: SparseImages, device: torch.device | str = "cpu") -> Tensor:
    """Shape (n, 3, 288, 360), eta by phi, GeV; one empty eta bin on either side."""
    matrices = (images.trk, images.ecal, upsample_hcal(images.hcal))
    channels = [scatter(matrix, device).view(-1, FINE.n_eta, FINE.n_phi) for matrix in matrices]
    return torch.nn.functional.pad(torch.stack(channels, dim=1), (0, 0, 1, 1))
