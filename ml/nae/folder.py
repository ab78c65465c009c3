"""What the training of a normalized autoencoder leaves in its folder after each epoch, and when it ends."""

from __future__ import annotations

import csv
import io
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from lightning.pytorch import LightningModule, Trainer

from darktrigger.files import write_text
from ml.callbacks import Epoch, RunFolder, best_epoch
from ml.nae.config import Best, CollapseConfig
from ml.nae.module import NormalizedTraining
from ml.nae.plots import draw_samples

logger = logging.getLogger(__name__)

CHAINS, SAMPLES = "chains.csv", "samples"

#: Epochs over which the energies are averaged for the choice of the best one.
WINDOW = 3


class ChainEpoch(NamedTuple):
    """Means over an epoch, of background and samples alone; a row of ``chains.csv``.

    Parameters
    ----------
    positive_energy, negative_energy
        Of data and of samples.
    latent_acceptance, pixel_acceptance
        Share of the steps of the chains that were taken.
    spread
        Deviation of the samples' pixels from sample to sample, in units of the data's.
    """

    positive_energy: float
    negative_energy: float
    latent_acceptance: float
    pixel_acceptance: float
    spread: float

    @property
    def difference(self) -> float:
        """Of the energies, positive minus negative, in units of the positive one."""
        return (self.positive_energy - self.negative_energy) / self.positive_energy

    def collapsed(self, config: CollapseConfig, energy_before: float) -> str | None:
        """The sign of a collapse that the epoch shows, if any; ``energy_before`` is the data's before training."""
        if self.negative_energy > config.energy_ratio * self.positive_energy:
            ratio = self.negative_energy / self.positive_energy
            return f"the samples' energy is {ratio:.3g} times the data's (more than {config.energy_ratio:g})"
        if self.positive_energy > config.loss_of_data * energy_before:
            ratio = self.positive_energy / energy_before
            return f"the data's energy is {ratio:.3g} times what it was before (more than {config.loss_of_data:g})"
        if self.spread < config.spread:
            return f"the samples' spread is {self.spread:.3g} of the data's (less than {config.spread:g})"
        return None


def collapse(chains: Sequence[ChainEpoch], config: CollapseConfig, energy_before: float) -> str | None:
    """The sign that the last ``patience`` epochs all show, None while there is none."""
    last = [row.collapsed(config, energy_before) for row in chains[-config.patience :]]
    return last[-1] if len(last) == config.patience and all(last) else None


class ChainFolder(RunFolder):
    """Keeps the energies beside the losses, chooses the epoch by them, and stops at a collapse.

    The best epoch is the one whose loss is closest to zero with stable energies (section 3): the smallest absolute
    difference of the energies, a mean over :data:`WINDOW` epochs, in units of the positive one; or the last one. An
    epoch that shows a sign of collapse is never kept. No signal is looked at.

    Parameters
    ----------
    folder, patience
        See :class:`ml.callbacks.RunFolder`.
    config
        What a collapse is.
    energy_before
        Mean energy of the validation data before training; it travels in the checkpoints, and without it no epoch has
        lost the data.
    best
        Which epoch is kept, see :class:`ml.nae.config.NAETraining`.
    """

    def __init__(
        self,
        folder: Path,
        patience: int,
        config: CollapseConfig,
        energy_before: float = math.inf,
        best: Best = "balanced",
    ) -> None:
        super().__init__(folder, patience)
        self.config, self.energy_before, self.best = config, energy_before, best
        self.chains: list[ChainEpoch] = []

    @property
    def collapse(self) -> str | None:
        """What ended the training early, if it collapsed."""
        return collapse(self.chains, self.config, self.energy_before)

    @property
    def finished(self) -> bool:
        """Whether training is over, whatever epochs are left."""
        return (self.best == "balanced" and super().finished) or self.collapse is not None

    def state_dict(self) -> dict[str, Any]:
        """With the energies."""
        return super().state_dict() | {
            "chains": [list(row) for row in self.chains],
            "energy_before": self.energy_before,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """With the energies."""
        super().load_state_dict(state_dict)
        self.chains = [ChainEpoch(*map(float, row)) for row in state_dict["chains"]]
        self.energy_before = float(state_dict["energy_before"])

    def measured(self, trainer: Trainer) -> Epoch:
        """Figures of the epoch; ``val_loss`` is what the best one is chosen by."""
        found = trainer.callback_metrics
        self.chains.append(ChainEpoch(*(float(found[name]) for name in ChainEpoch._fields)))
        difference = abs(fmean(row.difference for row in self.chains[-WINDOW:]))
        return Epoch(trainer.current_epoch, float(found["train_loss"]), difference)

    def is_best(self) -> bool:
        """Whether the last epoch is the best so far and shows no sign of collapse."""
        sound = [row.collapsed(self.config, self.energy_before) is None for row in self.chains]
        if not any(sound[:-1]):
            # Something has to be kept, even of a run that never was sound.
            return sound[-1] or len(sound) == 1
        if self.best == "last":
            return sound[-1]
        rows = [row for row, good in zip(self.history, sound, strict=True) if good]
        return sound[-1] and best_epoch(rows) == len(rows) - 1

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record, save, draw samples, and stop at a collapse."""
        super().on_train_epoch_end(trainer, pl_module)
        if isinstance(pl_module, NormalizedTraining) and pl_module.samples is not None:
            path = self.folder / SAMPLES / f"epoch_{trainer.current_epoch:03d}.png"
            draw_samples(pl_module.samples.image.numpy(force=True), f"Samples, epoch {trainer.current_epoch}", path)
        if self.collapse:
            logger.warning("%s: collapsed in epoch %d: %s", self.folder, trainer.current_epoch, self.collapse)

    def write_metrics(self) -> None:
        """Write ``metrics.csv`` and ``chains.csv``."""
        super().write_metrics()
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["epoch", *ChainEpoch._fields, "difference"])
        rows = zip(self.history, self.chains, strict=True)
        writer.writerows([epoch.epoch, *row, row.positive_energy - row.negative_energy] for epoch, row in rows)
        write_text(self.folder / CHAINS, text.getvalue())
