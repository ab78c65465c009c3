"""Pictures of jets, as figure 1 of the NAE paper: the mean of a file and some jets of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from darktrigger.errors import DarktriggerError
from darktrigger.files import atomic_path
from imaging.jets.dense import JetInput, jet_image
from imaging.jets.grid import ETA_MAX, N_PIXELS, PHI_MAX
from imaging.jets.jet_file import iterate_jet_file
from imaging.jets.jet_set import JetSet, concatenate_jets

N_SHOWN = 7
_FAINTEST = 1e-5  # of the whole jet's p_T
_BATCH = 1 << 12


def load_jets(path: str, first: int) -> tuple[NDArray[np.float64], JetSet]:
    """Mean of all jets' images, each of sum 1, shape (40, 40), and up to seven jets from row ``first`` on.

    Raises
    ------
    InputFileError
        The file cannot be used.
    DarktriggerError
        It has no such row.
    """
    mean_HW = np.zeros((N_PIXELS, N_PIXELS))
    shown: list[JetSet] = []
    n_read = 0
    for jets in iterate_jet_file(path, _BATCH):
        mean_HW += jet_image(jets.images, JetInput(sigma=0))[:, 0].sum(axis=0, dtype=np.float64)
        shown.append(jets[max(0, first - n_read) : max(0, first + N_SHOWN - n_read)])
        n_read += len(jets)
    if first >= n_read:
        raise DarktriggerError(f"{path}: has no entry {first}; it holds {n_read} jets")
    return mean_HW / n_read, concatenate_jets(shown)


def draw_jets(mean_HW: NDArray[np.float64], jets: JetSet, title: str, output: str | Path) -> None:
    """Write the picture: the mean and the jets, each of sum 1, on one logarithmic colour scale."""
    images_NHW = jet_image(jets.images, JetInput(sigma=0))[:, 0]
    figure = Figure(figsize=(14, 8), layout="constrained")
    axes = figure.subplots(2, (N_SHOWN + 1) // 2, sharex=True, sharey=True)
    drawn = _draw(axes.flat[0], mean_HW, "mean of all jets")
    for axis, image_HW, pt, mass in zip(axes.flat[1:], images_NHW, jets.pt, jets.jet_mass, strict=False):
        _draw(axis, image_HW, rf"$p_\mathrm{{T}}$ = {pt:.0f} GeV, $m$ = {mass:.0f} GeV")
    for axis in axes.flat[1 + len(jets) :]:
        axis.set_visible(False)
    for axis in axes[-1]:
        axis.set_xlabel(r"$\eta'$", fontsize=13)
    for axis in axes[:, 0]:
        axis.set_ylabel(r"$\phi'$", fontsize=13)
    figure.colorbar(drawn, ax=axes, pad=0.01).set_label(r"share of $p_\mathrm{T}$", fontsize=12)
    figure.suptitle(title, fontsize=14)
    with atomic_path(output) as temporary:
        figure.savefig(temporary, dpi=160)


def _draw(axis: Axes, image_HW: NDArray[np.floating], title: str) -> ScalarMappable:
    """Row 0 on top, empty pixels white."""
    axis.set_title(title, fontsize=11)
    return axis.imshow(
        np.ma.masked_less(image_HW, _FAINTEST),
        norm=LogNorm(_FAINTEST, 1.0),
        extent=(-ETA_MAX, ETA_MAX, -PHI_MAX, PHI_MAX),
        interpolation="nearest",
        cmap="viridis_r",
    )
