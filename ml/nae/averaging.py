"""Weights of a normalized autoencoder, averaged along its training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor

from ml.devices import accelerator
from ml.spectral import advance

#: Power iterations from the singular vectors of the current weights to those of the mean ones.
_ITERATIONS = 20


class MeanWeights(WeightAveraging):
    """Puts a running mean of the weights into the checkpoints, in the place of those that go on learning.

    Network and samples answer each other: what the network has just forbidden is where its samples are not, and it
    forgets why. Its weights go round what neither side would leave, and their mean lies inside. Means of the
    weights along such games are known from generative adversarial networks (arXiv:1806.04498).

    Parameters
    ----------
    steps
        Of the optimiser, that the mean reaches back: plain over the first so many, then exponential with the decay
        1 - 1/steps.
    """

    def __init__(self, steps: int) -> None:
        def move(means: Sequence[Tensor], currents: Sequence[Tensor], n_averaged: Tensor | int) -> None:
            share = max(1 / steps, 1 / (int(n_averaged) + 1))
            for mean, current in zip(means, currents, strict=True):
                mean.lerp_(current, share)

        # The model itself is moved to the device only after its copy has been made.
        super().__init__(device=accelerator(), use_buffers=False, multi_avg_fn=move)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing: the figures of an epoch are those of the network that learns."""

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Nothing, see above."""

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """The mean in ``state_dict``, normalised as a network of its own; the other beside it."""
        if self._average_model is not None:
            for _ in range(_ITERATIONS):
                advance(self._average_model)
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
