"""Batches of a training run, for Lightning."""

from __future__ import annotations

from typing import Any

import numpy as np
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray

from ml.data import ImageData, PlainBatches, TrainingBatches, labelled
from ml.devices import accelerator, evaluation_batch, loaded
from ml.events import Labelled, class_weights
from ml.training_config import TrainingConfig


class Batches(LightningDataModule):
    """Training batches, drawn anew each epoch, and validation batches; with labels where the training is supervised."""

    def __init__(self, data: ImageData, config: TrainingConfig) -> None:
        super().__init__()
        self.data, self.config, self.device = data, config, accelerator()
        self.training_rows, self.validation_rows = config.events.split(
            data.label, config.validation_fraction, config.seed
        )
        self.supervised = isinstance(config.events, Labelled)

    def train_dataloader(self) -> Any:
        """The current epoch's batches."""
        return self.loaded(self.training_batches())

    def training_batches(self) -> TrainingBatches:
        """The current epoch's batches, bare."""
        epoch = self.trainer.current_epoch if self.trainer else 0
        settings = self.config
        return TrainingBatches(
            self.data,
            self.training_rows,
            batch_size=settings.batch_size,
            seed=settings.seed,
            epoch=epoch,
            augmentation=settings.augmentation,
        )

    def val_dataloader(self) -> Any:
        """All validation events."""
        batches = PlainBatches(self.data, self.validation_rows, batch_size=evaluation_batch(self.device))
        return self.loaded(batches)

    def loaded(self, batches: TrainingBatches | PlainBatches) -> Any:
        """Batches as the trainer takes them; fine images, which come as sparse tensors, pass no process boundary."""
        dressed = self.dressed(batches)
        return dressed if self.data.kind == "fine" else loaded(dressed, self.device)

    def dressed(self, batches: TrainingBatches | PlainBatches) -> Any:
        """With the labels where the training is supervised."""
        return labelled(batches) if self.supervised else batches

    def training_events(self) -> PlainBatches:
        """All training events, in order, as they are."""
        return PlainBatches(self.data, self.training_rows, batch_size=evaluation_batch(self.device))

    def background_batches(self) -> PlainBatches:
        """The validation events that are background, without labels."""
        rows = self.validation_rows[self.data.label[self.validation_rows] == self.config.events.background]
        return PlainBatches(self.data, rows, batch_size=evaluation_batch(self.device))

    @property
    def class_weights(self) -> NDArray[np.float32]:
        """Weight of an event by its label, from the training events; see :func:`ml.events.class_weights`."""
        return class_weights(self.data.label[self.training_rows])
