"""A model in one file: an auto-encoder with one hidden layer, and a score of its own.

Copied to ``ml/models/tiny.py``, it is the family ``tiny`` of ``darktrigger train``.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from darktrigger.config import StrictModel
from imaging.dense import INPUT_SHAPES
from ml.family import Family
from ml.scores import Score, bce

SHAPE = INPUT_SHAPES["coarse mask"]


class TinyConfig(StrictModel):
    """Size; the section ``model`` of the training's YAML file."""

    hidden: Annotated[int, Field(ge=1)] = 16


class TinyOutput(NamedTuple):
    """Log-odds of each pixel being lit, shape (n, 1, 72, 58); scores read its fields."""

    logits: Tensor

    @property
    def reconstruction(self) -> Tensor:
        """Probability of each pixel being lit, shape (n, 1, 72, 58)."""
        return self.logits.sigmoid()


class Tiny(nn.Module):
    """Dense auto-encoder of mask images."""

    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        pixels = SHAPE[1] * SHAPE[2]
        self.encoder, self.decoder = nn.Linear(pixels, config.hidden), nn.Linear(config.hidden, pixels)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Initial weights, from the run's seed."""
        for layer in (self.encoder, self.decoder):
            nn.init.kaiming_uniform_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, image_NCHW: Tensor) -> TinyOutput:
        """Rebuild mask images of shape (n, 1, 72, 58)."""
        logits_NP = self.decoder(self.encoder(image_NCHW.flatten(1)).relu())
        return TinyOutput(logits_NP.unflatten(1, SHAPE))


def worst_pixel(image_NCHW: Tensor, output: TinyOutput) -> Tensor:
    """Largest squared error of any pixel, shape (n,)."""
    return (image_NCHW - output.reconstruction).square().amax((1, 2, 3))


FAMILY = Family(
    TinyConfig,
    Tiny,
    "coarse mask",
    bce,
    ("bce", "worst_pixel"),
    own_scores={"worst_pixel": Score(worst_pixel, "higher")},
)
