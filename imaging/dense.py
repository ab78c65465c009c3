"""Dense model inputs from sparse images, in numpy (CONTRACTS.md, "Model inputs").

Down-sampling and up-sampling act on the pixel indices: a coarse image is built without
the fine one ever existing. ``imaging.dense_torch`` does the same on torch tensors.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from imaging.grid import BLOCK, ETA_PADDING, FINE, HCAL
from imaging.sparse import CHANNELS, SparseImages, canonical

#: Input kind of the leptons, jets and missing E_T of :mod:`imaging.objects`, which is no image.
OBJECTS = "objects"

#: Shape of one event for each kind of image, channels first.
INPUT_SHAPES: dict[str, tuple[int, int, int]] = {
    "coarse mask": (1, HCAL.n_phi, HCAL.n_eta),
    "coarse E_T": (3, HCAL.n_phi, HCAL.n_eta),
    "fine": (3, FINE.n_eta + 2, FINE.n_phi),
}

#: What a model may be fed: images, or objects of shape (n, 57).
EventImages: TypeAlias = SparseImages | NDArray[np.float32]

#: Sub-detectors that each input kind shows, in channel order.
INPUT_CHANNELS: dict[str, tuple[str, ...]] = {"coarse mask": ("trk",), "coarse E_T": CHANNELS, "fine": CHANNELS}


def fine_to_coarse() -> NDArray[np.int32]:
    """Coarse pixel (phi_bin * 58 + eta_bin) of each fine pixel, shape (286 * 360,).

    SAME padding puts two empty eta bins on either side, so that the coarse grid is the
    HCAL grid.
    """
    eta_bin = (np.arange(FINE.n_eta, dtype=np.int32) + ETA_PADDING) // BLOCK
    phi_bin = np.arange(FINE.n_phi, dtype=np.int32) // BLOCK
    return (phi_bin[None, :] * np.int32(HCAL.n_eta) + eta_bin[:, None]).ravel()


def hcal_to_coarse() -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Coarse pixel and share of its E_T that each HCAL pixel passes on, each of shape (58 * 72,).

    The outermost HCAL rows reach beyond the fine grid; what falls there is dropped.
    """
    eta_bin, phi_bin = np.divmod(np.arange(HCAL.n_pixels, dtype=np.int32), np.int32(HCAL.n_phi))
    inside = np.full(HCAL.n_eta, BLOCK)
    inside[[0, -1]] -= ETA_PADDING
    share = (inside / BLOCK).astype(np.float32)
    return phi_bin * np.int32(HCAL.n_eta) + eta_bin, share[eta_bin]


def coarse_pixels(images: SparseImages, channel: str) -> csr_array:
    """One channel summed over 5 x 5 fine pixels, shape (n, 72 * 58), float32, still sparse."""
    matrix = images.channel(channel)
    if channel == "hcal":
        index, share = hcal_to_coarse()
        values = matrix.data * share[matrix.indices]
    else:
        index, values = fine_to_coarse(), matrix.data
    return canonical(values, index[matrix.indices], matrix.indptr, HCAL.n_pixels)


def coarse_e_t(images: SparseImages) -> NDArray[np.float32]:
    """E_T of all channels on the coarse grid, shape (n, 3, 72, 58), phi by eta, GeV."""
    image_NCHW = np.empty((len(images), *INPUT_SHAPES["coarse E_T"]), dtype=np.float32)
    for index, name in enumerate(CHANNELS):
        image_NCHW[:, index] = coarse_pixels(images, name).toarray().reshape(-1, HCAL.n_phi, HCAL.n_eta)
    return image_NCHW


def coarse_mask(images: SparseImages) -> NDArray[np.float32]:
    """1 where any track lies in a coarse pixel, else 0; shape (n, 1, 72, 58) (CoDAE, algorithm 1)."""
    image_NCHW = np.zeros((len(images), *INPUT_SHAPES["coarse mask"]), dtype=np.float32)
    rows = np.repeat(np.arange(len(images)), np.diff(images.trk.indptr))
    image_NCHW.reshape(len(images), HCAL.n_pixels)[rows, fine_to_coarse()[images.trk.indices]] = 1.0
    return image_NCHW


def upsample_hcal(hcal: csr_array) -> csr_array:
    """HCAL pixels spread evenly over their 25 fine pixels, shape (n, 286 * 360), float32, still sparse.

    What falls outside the fine grid is dropped (CoDAE, section 1.2).
    """
    eta_bin, phi_bin = np.divmod(hcal.indices, np.int32(HCAL.n_phi))
    step = np.arange(BLOCK, dtype=np.int32)
    fine_eta = (eta_bin * BLOCK - ETA_PADDING)[:, None, None] + step[:, None]
    fine_phi = (phi_bin * BLOCK)[:, None, None] + step[None, :]
    index, fine_eta = np.broadcast_arrays(fine_eta * np.int32(FINE.n_phi) + fine_phi, fine_eta)
    inside = ((fine_eta >= 0) & (fine_eta < FINE.n_eta)).ravel()
    values = np.repeat(hcal.data / np.float32(BLOCK**2), BLOCK**2)[inside]
    rows = np.repeat(np.arange(hcal.shape[0]), np.diff(hcal.indptr) * BLOCK**2)[inside]
    offsets = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=hcal.shape[0]))))
    return canonical(values, index.ravel()[inside], offsets, FINE.n_pixels)


def fine(images: SparseImages) -> NDArray[np.float32]:
    """All channels on the fine grid, shape (n, 3, 288, 360), eta by phi, GeV; one empty eta bin on either side."""
    image_NCHW = np.zeros((len(images), *INPUT_SHAPES["fine"]), dtype=np.float32)
    for index, matrix in enumerate((images.trk, images.ecal, upsample_hcal(images.hcal))):
        image_NCHW[:, index, 1:-1] = matrix.toarray().reshape(-1, FINE.n_eta, FINE.n_phi)
    return image_NCHW


def model_input(images: EventImages, kind: str) -> NDArray[np.float32]:
    """The dense input of a model by its kind, :data:`OBJECTS` or one of :data:`INPUT_SHAPES`.

    Of images the shape is (n, channels, height, width).

    Objects, already of shape (n, 57), pass as they are.

    Raises
    ------
    ValueError
        The kind is not known, or the events are not of that kind.
    """
    if isinstance(images, np.ndarray) != (kind == OBJECTS):
        raise ValueError(f"input kind '{kind}' cannot be made of {type(images).__name__}")
    if isinstance(images, np.ndarray):
        return images
    builders = {"coarse mask": coarse_mask, "coarse E_T": coarse_e_t, "fine": fine}
    if kind not in builders:
        raise ValueError(f"unknown input kind '{kind}'; expected one of {', '.join(builders)}")
    return builders[kind](images)
