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
    """Draw losses and, where measured, validation SSIM against the epoch; writes ``curves.png`` and ``curves.pdf``."""
    ssim = [row.val_ssim for row in history if row.val_ssim is not None]
    figure = Figure(figsize=(6, 6 if ssim else 4), layout="constrained")
    loss, *similarity = figure.subplots(2 if ssim else 1, sharex=True, squeeze=False).flat
    epochs = [row.epoch for row in history]
    losses = {"training": [row.train_loss for row in history], "validation": [row.val_loss for row in history]}
    for label, values in losses.items():
        loss.plot(epochs, values, marker=".", label=label)
    # The logarithm of a density may be of either sign.
    positive = all(value > 0 for values in losses.values() for value in values)
    loss.set(ylabel="loss per event", yscale="log" if positive else "linear")
    loss.legend()
    for axes in similarity:
        axes.plot(epochs, ssim, marker=".", color="C1")
        axes.set(ylabel="validation SSIM")
    bottom = similarity[0] if similarity else loss
    bottom.set(xlabel="epoch")
    bottom.xaxis.set_major_locator(MaxNLocator(integer=True))
    for suffix in ("png", "pdf"):
        with atomic_path(folder / f"curves.{suffix}") as temporary:
            figure.savefig(temporary, dpi=150)
