"""Plot of a training run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from darktrigger.files import atomic_path

if TYPE_CHECKING:
    from ml.callbacks import Epoch


def plot_curves(history: Sequence[Epoch], folder: Path) -> None:
    """Draw losses and validation SSIM against the epoch; writes ``curves.png`` and ``curves.pdf``."""
    figure = Figure(figsize=(6, 6), layout="constrained")
    loss, similarity = figure.subplots(2, sharex=True)
    epochs = [row.epoch for row in history]
    loss.plot(epochs, [row.train_loss for row in history], marker=".", label="training")
    loss.plot(epochs, [row.val_loss for row in history], marker=".", label="validation")
    loss.set(ylabel="loss per event", yscale="log")
    loss.legend()
    similarity.plot(epochs, [row.val_ssim for row in history], marker=".", color="C1")
    similarity.set(xlabel="epoch", ylabel="validation SSIM")
    similarity.xaxis.set_major_locator(MaxNLocator(integer=True))
    for suffix in ("png", "pdf"):
        with atomic_path(folder / f"curves.{suffix}") as temporary:
            figure.savefig(temporary, dpi=150)
