"""What a normalized autoencoder makes of its input before it looks at it, as part of the network and its file.

The autoencoder rebuilds images with pixels in [0, 1]; each kind of input has its own way there.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from scipy.ndimage import gaussian_filter1d
from torch import Tensor, nn

from darktrigger.config import StrictModel
from imaging.input_shapes import ALL_INPUT_SHAPES

#: Width of the Gaussian filter, pixels; 0 for none.
Sigma = Annotated[float, Field(ge=0)]

#: Smallest sum that an image is divided by, so that an empty one stays empty.
_MIN_TOTAL = 1e-12


class JetFront(StrictModel):
    """Jet images: pixels to a power, divided by their sum, then blurred (section 2.3 and equation 14).

    Parameters
    ----------
    input
        Kind of input.
    power
        n of p_T -> p_T^n.
    sigma
        Of the Gaussian filter, pixels.
    """

    input: Literal["jet"] = "jet"
    power: Annotated[float, Field(gt=0)] = 1.0
    sigma: Sigma = 1.0


class MaskFront(StrictModel):
    """Coarse masks, blurred; nothing is divided, since the number of lit pixels is what matters most.

    Parameters
    ----------
    input
        Kind of input.
    sigma
        Of the Gaussian filter, pixels.
    """

    input: Literal["coarse mask"] = "coarse mask"
    sigma: Sigma = 1.0


class EnergyFront(StrictModel):
    """Coarse E_T images, each pixel as E_T / (E_T + scale), then blurred.

    Parameters
    ----------
    input
        Kind of input.
    scale
        E_T that gives half of the brightness, GeV.
    sigma
        Of the Gaussian filter, pixels.
    """

    input: Literal["coarse E_T"] = "coarse E_T"
    scale: Annotated[float, Field(gt=0)] = 5.0
    sigma: Sigma = 1.0


FrontConfig = JetFront | MaskFront | EnergyFront


def blur_matrix(size: int, sigma: float) -> Tensor:
    """Gaussian filter along an axis as a matrix, shape (size, size); mirrored at the ends, cut off at 4 sigma."""
    unit = np.eye(size)
    blurred = gaussian_filter1d(unit, sigma, axis=0, mode="reflect") if sigma else unit
    return torch.from_numpy(blurred.astype(np.float32))


class FrontEnd(nn.Module):
    """Raw images to images with pixels in [0, 1].

    Parameters
    ----------
    config
        Which, and its settings.
    """

    rows: Tensor
    columns: Tensor

    def __init__(self, config: FrontConfig) -> None:
        super().__init__()
        self.config = config
        _, height, width = ALL_INPUT_SHAPES[config.input]
        self.register_buffer("rows", blur_matrix(height, config.sigma), persistent=False)
        self.register_buffer("columns", blur_matrix(width, config.sigma).T.contiguous(), persistent=False)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Shape of ``image_NCHW``."""
        config = self.config
        if isinstance(config, JetFront):
            image_NCHW = image_NCHW if config.power == 1 else image_NCHW**config.power
            image_NCHW = image_NCHW / image_NCHW.sum((2, 3), keepdim=True).clamp(min=_MIN_TOTAL)
        elif isinstance(config, EnergyFront):
            image_NCHW = image_NCHW / (image_NCHW + config.scale)
        return self.rows @ image_NCHW @ self.columns if config.sigma else image_NCHW
