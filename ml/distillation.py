"""Training a student on a teacher's score of background events.

The teacher scores every event once, before training, as it lies in the image file; overlays
(:mod:`ml.overlays`) it scores as overlays. The scores are kept in the run folder, so that a resumed run does
not ask again. Flips and rotations leave an event's score as it was: what the student then learns is the
teacher's mean over them, which is the better score where the teacher is not symmetric as the detector is (the
authors' CoDAE: its Dice score of an event moves by 0.28 of the spread over events, its BCE by 0.19).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from darktrigger.errors import ModelFileError, TrainingError
from darktrigger.files import atomic_path
from ml.batches import Batches
from ml.data import DressedBatches, ImageData, PlainBatches, TrainingBatches, load_images
from ml.devices import evaluation_batch
from ml.overlays import draw_pairs, with_overlays
from ml.teacher import Teacher
from ml.training_config import DistillationTraining

TARGETS = "targets.npz"

#: Background quantiles one standard deviation below and above the centre of a Gaussian.
_BELOW, _ABOVE = 0.1587, 0.8413


class Standardised(Protocol):
    """A model that learns scores in units of their spread on background."""

    def standardise(self, location: float, scale: float) -> None:
        """Take over centre and spread of the teacher's score."""


class Targets(NamedTuple):
    """What a teacher says of background events.

    Parameters
    ----------
    score
        Its score, higher for more anomalous, of the events and after them of the overlays; shape (n,), float32.
    location, scale
        Median of the training events, without overlays, and half the width that holds their central 68%: of a
        Gaussian, mean and standard deviation.
    """

    score: NDArray[np.float32]
    location: float
    scale: float


class ImageTargets(NamedTuple):
    """Images with what the teacher says of them.

    Parameters
    ----------
    image
        Shape (n, channels, height, width).
    target
        Shape (n,).
    """

    image: Tensor
    target: Tensor


class DistillationBatches(Batches):
    """Batches of events and overlays with the teacher's scores.

    Overlays of training events are for training, those of validation events for validation, where calibration
    leaves them out.

    Parameters
    ----------
    data
        Background events.
    config
        How to train.
    """

    config: DistillationTraining
    targets: Targets

    def __init__(self, data: ImageData, config: DistillationTraining) -> None:
        super().__init__(data, config)
        self.real_training, self.real_validation = self.training_rows, self.validation_rows
        for_training, for_validation = (
            draw_pairs(rows, config.overlays, part)
            for part, rows in (("training", self.training_rows), ("validation", self.validation_rows))
        )
        self.pairs = np.concatenate([for_training, for_validation])
        self.data = with_overlays(data, self.pairs)
        overlay_rows = len(data) + np.arange(len(self.pairs))
        self.training_rows = np.concatenate([self.training_rows, overlay_rows[: len(for_training)]])
        self.validation_rows = np.concatenate([self.validation_rows, overlay_rows[len(for_training) :]])

    def ask(self, teacher: Teacher, files: Sequence[Path], run_dir: Path) -> None:
        """Get the teacher's scores, from ``run_dir`` where they are there already.

        Raises
        ------
        TrainingError
            The score does not tell background events apart, or it is not finite.
        ModelFileError
            The scores in ``run_dir`` are damaged.
        """
        path = run_dir / TARGETS
        if path.exists():
            self.targets = read_targets(path)
            return
        self.targets = standardise(teacher.scores(self._seen_by(teacher, files)), self.real_training, teacher)
        with atomic_path(path) as temporary:
            np.savez(temporary, **self.targets._asdict())

    def dressed(self, batches: TrainingBatches | PlainBatches) -> DressedBatches[ImageTargets]:
        """With the teacher's scores."""
        return DressedBatches(batches, self.targets.score, ImageTargets)

    def background_batches(self) -> PlainBatches:
        """The validation events, without overlays."""
        return PlainBatches(self.data, self.real_validation, batch_size=evaluation_batch(self.device))

    def _seen_by(self, teacher: Teacher, files: Sequence[Path]) -> ImageData:
        if teacher.kind == self.data.kind:
            return self.data
        settings = self.config
        return with_overlays(
            load_images(files, teacher.kind, settings.entries, settings.events, settings.seed), self.pairs
        )


def standardise(score_N: NDArray[np.float32], rows: NDArray[np.integer[Any]], teacher: Teacher) -> Targets:
    """Scores with their centre and spread over the events ``rows``.

    Raises
    ------
    TrainingError
        They have no spread.
    """
    below, median, above = np.quantile(score_N[rows].astype(np.float64), (_BELOW, 0.5, _ABOVE))
    if not above > below:
        raise TrainingError(
            f"{teacher.record.path}: score '{teacher.record.score}' is the same, {median:g}, for the central 68% of "
            "background; it teaches nothing"
        )
    return Targets(score_N, float(median), float((above - below) / 2))


def read_targets(path: Path) -> Targets:
    """Read ``targets.npz``.

    Raises
    ------
    ModelFileError
        Absent or damaged.
    """
    try:
        # Opened here, since numpy leaves a damaged file open.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Targets(arrays["score"], float(arrays["location"]), float(arrays["scale"]))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
        raise ModelFileError(path, f"does not hold a teacher's scores ({error})") from None
