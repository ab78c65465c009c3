"""Dense model inputs from jet images (NAE paper, section 2.3)."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_array

from darktrigger.config import StrictModel
from imaging.jets.grid import N_PIXELS

#: Name of the input kind.
JET = "jet"

#: Shape of one jet for each input kind, channels first; the sibling of :data:`imaging.dense.INPUT_SHAPES`.
JET_INPUT_SHAPES: dict[str, tuple[int, int, int]] = {JET: (1, N_PIXELS, N_PIXELS)}


class JetInput(StrictModel):
    """What is done to the p_T in the pixels before a network sees it.

    Each lit pixel is raised to ``power`` (equation 14), the image divided by its sum, and then blurred.
    """

    power: Annotated[float, Field(gt=0, le=1, description="Exponent n of p_T -> p_T^n.")] = 1.0
    sigma: Annotated[float, Field(ge=0, description="Width of the Gaussian filter, pixels; 0 for none.")] = 1.0


def gaussian_matrix(
    sigma: float, size: int = N_PIXELS, mode: Literal["reflect", "wrap"] = "reflect"
) -> NDArray[np.float32]:
    """The Gaussian filter along a side of ``size`` pixels as a linear map G, shape (size, size), float32.

    The filtered image is G x G^T, of unequal sides each with its own. Kernel cut at 4 sigma, the sum over pixels stays.

    Parameters
    ----------
    sigma
        Width, pixels; 0 for none.
    size
        Pixels of the side.
    mode
        What is beyond the edges, as ``scipy.ndimage`` names it: the image mirrored, or, where the side goes round the
        detector, its other end.
    """
    unit = np.eye(size)
    filtered = gaussian_filter1d(unit, sigma, axis=0, mode=mode) if sigma > 0 else unit
    matrix: NDArray[np.float32] = filtered.astype(np.float32)
    return matrix


def jet_image(images: csr_array, settings: JetInput) -> NDArray[np.float32]:
    """Network inputs, shape (n, 1, 40, 40), each of sum 1; a jet without any lit pixel stays empty.

    Parameters
    ----------
    images
        p_T in the pixels, GeV, shape (n, 1600), as in :class:`imaging.jets.jet_set.JetSet`.
    settings
        Exponent and filter.
    """
    remapped = csr_array((images.data ** np.float32(settings.power), images.indices, images.indptr), images.shape)
    total = remapped.sum(axis=1)
    scale = np.divide(1, total, out=np.zeros(len(total), dtype=np.float32), where=total > 0)
    image_NHW = (remapped.toarray() * scale[:, None]).reshape(-1, N_PIXELS, N_PIXELS)
    if settings.sigma > 0:
        filter_HH = gaussian_matrix(settings.sigma)
        image_NHW = filter_HH @ image_NHW @ filter_HH.T
    image_NCHW: NDArray[np.float32] = image_NHW[:, None].astype(np.float32, copy=False)
    return image_NCHW
