"""What a run leaves in its folder after each epoch."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import Checkpoint

from darktrigger.errors import TrainingError
from darktrigger.files import atomic_path, write_text

BEST, LAST, METRICS = "best.ckpt", "last.ckpt", "metrics.csv"


class Epoch(NamedTuple):
    """Figures of one epoch, a row of ``metrics.csv``.

    Parameters
    ----------
    epoch
        Counted from 0.
    train_loss, val_loss
        Mean loss an event.
    val_ssim
        Mean structural similarity of validation images and reconstructions; None for a family
        that is not selected by it.
    val_disco
        Sum over pairs of scores of their squared distance correlation on the validation events; None where no
        scores are decorrelated.
    """

    epoch: int
    train_loss: float
    val_loss: float
    val_ssim: float | None = None
    val_disco: float | None = None

    @property
    def quality(self) -> float:
        """What makes an epoch the best: the validation SSIM or, without one, the negative validation loss."""
        return -self.val_loss if self.val_ssim is None else self.val_ssim


def _epoch(row: Sequence[Any]) -> Epoch:
    """A row of a checkpoint, whose figures must be numbers."""
    epoch = Epoch(*row)
    if not all(isinstance(value, int | float) for value in row if value is not None) or None in epoch[:3]:
        raise TypeError(f"not the figures of an epoch: {row}")
    return epoch


def best_epoch(history: Sequence[Epoch]) -> int:
    """Position of the highest quality, the earliest of equals."""
    return max(range(len(history)), key=lambda i: (history[i].quality, -i))


def exhausted(history: Sequence[Epoch], patience: int) -> bool:
    """Whether ``patience`` epochs have passed since the best one."""
    return bool(history) and len(history) - 1 - best_epoch(history) >= patience


class RunFolder(Checkpoint):
    """Keeps checkpoints and ``metrics.csv``, and stops when patience runs out.

    The history is all its state: it travels in the checkpoints, and everything else follows
    from it, so that a resumed run neither repeats nor loses an epoch.

    Parameters
    ----------
    folder
        Run folder.
    patience
        Epochs without a better one, by :attr:`Epoch.quality`, before training stops.
    """

    def __init__(self, folder: Path, patience: int) -> None:
        self.folder, self.patience = folder, patience
        self.history: list[Epoch] = []

    def state_dict(self) -> dict[str, Any]:
        """The history, as plain lists."""
        return {"history": [list(row) for row in self.history]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the history up again.

        Raises
        ------
        TypeError, ValueError, KeyError
            It is no history.
        """
        self.history = [_epoch(row) for row in state_dict["history"]]

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        """Record the epoch, then save: the checkpoint must hold the epoch's own row.

        Raises
        ------
        TrainingError
            A figure is not finite.
        """
        row = self.measured(trainer)
        figures = {name: value for name, value in row._asdict().items() if name != "epoch" and value is not None}
        if not all(map(math.isfinite, figures.values())):
            raise TrainingError(f"epoch {trainer.current_epoch}: {figures} not finite; lower training.learning_rate")
        self.history.append(row)
        if self.is_best():
            self._save(trainer, BEST)
        self._save(trainer, LAST)
        self.write_metrics()
        trainer.should_stop = self.finished

    def measured(self, trainer: Trainer) -> Epoch:
        """Figures of the epoch that ends."""
        found = trainer.callback_metrics
        return Epoch(trainer.current_epoch, **{name: float(found[name]) for name in Epoch._fields[1:] if name in found})

    def is_best(self) -> bool:
        """Whether the last epoch is the best so far."""
        return best_epoch(self.history) == len(self.history) - 1

    @property
    def finished(self) -> bool:
        """Whether training is over, whatever epochs are left."""
        return exhausted(self.history, self.patience)

    def write_metrics(self) -> None:
        """Write ``metrics.csv``."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([Epoch._fields, *self.history])
        write_text(self.folder / METRICS, text.getvalue())

    def _save(self, trainer: Trainer, name: str) -> None:
        with atomic_path(self.folder / name) as temporary:
            trainer.save_checkpoint(temporary)


class Steps(Callback):
    """Advances a progress bar by the training steps done, and knows whether training has begun."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self.advance = advance
        self.have_begun = False

    def on_train_start(self, *_: Any) -> None:
        """Everything has been restored."""
        self.have_begun = True

    def on_train_batch_end(self, *_: Any) -> None:
        """One step more."""
        self.advance(1)
