"""Batches of a training run, for Lightning."""

from __future__ import annotations

from typing import Any

import numpy as np
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray

from ml.data import ImageData, LabelledBatches, PlainBatches, TrainingBatches
from ml.events import Labelled, class_weights
from ml.training_config import TrainingConfig

#: Events in a batch where nothing is trained; small, so that a batch stays in the cache.
EVALUATION_BATCH = 16


class Batches(LightningDataModule):
    """Training batches, drawn anew each epoch, and validation batches; with labels where the training is supervised."""

    def __init__(self, data: ImageData, config: TrainingConfig) -> None:
        super().__init__()
        self.data, self.config = data, config
        self.training_rows, self.validation_rows = config.events.split(
            data.label, config.validation_fraction, config.seed
        )
        self.supervised = isinstance(config.events, Labelled)

    def train_dataloader(self) -> Any:
        """The current epoch's batches."""
        epoch = self.trainer.current_epoch if self.trainer else 0
        settings = self.config
        batches = TrainingBatches(
            self.data,
            self.training_rows,
            batch_size=settings.batch_size,
            seed=settings.seed,
            epoch=epoch,
            augmentation=settings.augmentation,
        )
        return self.dressed(batches)

    def val_dataloader(self) -> Any:
        """All validation events."""
        batches = PlainBatches(self.data, self.validation_rows, batch_size=EVALUATION_BATCH)
        return self.dressed(batches)

    def dressed(self, batches: TrainingBatches | PlainBatches) -> Any:
        """With the labels where the training is supervised."""
        return LabelledBatches(batches) if self.supervised else batches

    def background_batches(self) -> PlainBatches:
        """The validation events that are background, without labels."""
        rows = self.validation_rows[self.data.label[self.validation_rows] == self.config.events.background]
        return PlainBatches(self.data, rows, batch_size=EVALUATION_BATCH)

    @property
    def class_weights(self) -> NDArray[np.float32]:
        """Weight of an event by its label, from the training events; see :func:`ml.events.class_weights`."""
        return class_weights(self.data.label[self.training_rows])
