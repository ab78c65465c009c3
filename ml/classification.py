"""The training step of models that learn labels or other targets, for Lightning."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ml.module import Loss, Reconstruction
from ml.threads import Map
from ml.training_config import TrainingConfig


def balanced(loss: Loss, weight_L: Tensor) -> Loss:
    """A loss of labels and outputs, each event weighed by its label; see :func:`ml.events.class_weights`."""

    def weighed(label_N: Tensor, output: Any) -> Tensor:
        return weight_L.to(label_N.device)[label_N] * loss(label_N, output)

    return weighed


class Targeted(Reconstruction):
    """Trains a model on batches of images and targets, which its loss maps to (n,) with the output."""

    def training_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:  # type: ignore[override]
        """One step of the optimiser on one batch."""
        image_NCHW, target_N = batch
        self.optimise(image_NCHW, batch_index, target_N)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_index: int) -> None:  # type: ignore[override]  # noqa: ARG002
        """Loss of one batch."""
        image_NCHW, target_N = batch
        loss = self.loss(target_N, self.model(image_NCHW)).mean()
        self.log("val_loss", loss, batch_size=len(image_NCHW))


class Classification(Targeted):
    """Trains a model to tell labels; validation gives the loss alone.

    Parameters
    ----------
    model
        Network.
    loss
        Maps labels (n,), int64, 0 for background, and the model's output to (n,).
    config
        Training settings.
    weight_L
        Weight of an event by its label, in training and validation.
    each
        How to go through the micro-batches on a CPU, see :func:`ml.module.accumulate_gradient`.
    """

    def __init__(
        self, model: nn.Module, loss: Loss, config: TrainingConfig, weight_L: NDArray[np.float32], each: Map = map
    ) -> None:
        super().__init__(model, balanced(loss, torch.from_numpy(weight_L)), config, each, validated=None)
