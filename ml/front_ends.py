"""What a normalized autoencoder makes of its input before it looks at it, as part of the network and its file.

The autoencoder rebuilds images with pixels in [0, 1]; each kind of input has its own way there.
"""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from darktrigger.config import StrictModel
from imaging.input_shapes import ALL_INPUT_SHAPES
from imaging.jets.dense import gaussian_matrix

#: Width of the Gaussian filter, pixels; 0 for none.
Sigma = Annotated[float, Field(ge=0)]

#: Factor of the pixels; those that it takes beyond 1 cannot be rebuilt.
Brightness = Annotated[float, Field(gt=0)]

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
    brightness
        See :class:`FrontEnd`.
    """

    input: Literal["jet"] = "jet"
    power: Annotated[float, Field(gt=0)] = 1.0
    sigma: Sigma = 1.0
    brightness: Brightness = 1.0


class MaskFront(StrictModel):
    """Coarse masks, blurred, round in phi; nothing is divided, since the number of lit pixels is what matters most.

    Parameters
    ----------
    input
        Kind of input.
    sigma
        Of the Gaussian filter, pixels.
    brightness
        See :class:`FrontEnd`.
    """

    input: Literal["coarse mask"] = "coarse mask"
    sigma: Sigma = 1.0
    brightness: Brightness = 1.0


class EnergyFront(StrictModel):
    """Coarse E_T images, each pixel as E_T / (E_T + scale), then blurred, round in phi.

    Parameters
    ----------
    input
        Kind of input.
    scale
        E_T that gives half of the brightness, GeV.
    sigma
        Of the Gaussian filter, pixels.
    brightness
        See :class:`FrontEnd`.
    """

    input: Literal["coarse E_T"] = "coarse E_T"
    scale: Annotated[float, Field(gt=0)] = 5.0
    sigma: Sigma = 1.0
    brightness: Brightness = 1.0


FrontConfig = JetFront | MaskFront | EnergyFront


class FrontEnd(nn.Module):
    """Raw images to images with pixels in [0, 1].

    Their brightness, 1 in the paper, says how closely the network follows an image: how far the latents move with it is
    bounded by the normalisation of the weights, which biases do not have. Dark images get latents near each other, and
    are rebuilt more like their mean than bright ones are.

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
        # Images of events go round in phi, their rows.
        rows = gaussian_matrix(config.sigma, height, "reflect" if isinstance(config, JetFront) else "wrap")
        columns = gaussian_matrix(config.sigma, width)
        self.register_buffer("rows", torch.from_numpy(rows), persistent=False)
        self.register_buffer("columns", torch.from_numpy(columns.T.copy()), persistent=False)

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Shape of ``image_NCHW``."""
        config = self.config
        if isinstance(config, JetFront):
            image_NCHW = image_NCHW if config.power == 1 else image_NCHW**config.power
            image_NCHW = image_NCHW / image_NCHW.sum((2, 3), keepdim=True).clamp(min=_MIN_TOTAL)
        elif isinstance(config, EnergyFront):
            image_NCHW = image_NCHW / (image_NCHW + config.scale)
        image_NCHW = self.rows @ image_NCHW @ self.columns if config.sigma else image_NCHW
        return image_NCHW if config.brightness == 1 else config.brightness * image_NCHW
