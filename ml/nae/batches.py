"""Batches for autoencoders with energies."""

from __future__ import annotations

from darktrigger.errors import TrainingError
from ml.batches import Batches
from ml.data import ImageData, TrainingBatches
from ml.nae.config import AutoencoderTraining, NAETraining


class EnergyBatches(Batches):
    """Batches of an epoch that may end before all images were seen; each epoch draws anew.

    Raises
    ------
    TrainingError
        Jets are to be augmented, which their preprocessing has turned and flipped in one way.
    """

    config: AutoencoderTraining | NAETraining

    def __init__(self, data: ImageData, config: AutoencoderTraining | NAETraining) -> None:
        if config.augmentation and data.kind == "jet":
            raise TrainingError("training.augmentation: jet images are turned and flipped in one way; set it to false")
        super().__init__(data, config)

    def training_batches(self) -> TrainingBatches:
        """The current epoch's batches, ``training.steps`` of them at most."""
        batches = super().training_batches()
        batches.batches = batches.batches[: self.config.steps]
        return batches
