"""Event displays, as figures 1 and 2 of the ConvAE paper: each sub-detector, fine and coarse."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from darktrigger.errors import DarktriggerError, UnreadableFileError
from darktrigger.files import atomic_path
from imaging.branches import find_branches
from imaging.config import ImagingConfig, Selection
from imaging.delphes_file import explain_read_errors, open_delphes
from imaging.dense import coarse_e_t, fine
from imaging.events import build_images
from imaging.grid import FINE, HCAL, Grid
from imaging.image_file import iterate_image_file, open_image_file
from imaging.image_set import ImageSet

NAMES = ("Tracker", "ECAL", "HCAL")
COLOURS = "viridis_r"


def load_event(path: str, entry: int, config: ImagingConfig) -> ImageSet:
    """One event of a Delphes file (whatever its H_T) or of an image file.

    Raises
    ------
    InputFileError
        The file cannot be used.
    DarktriggerError
        It has no such entry.
    """
    if path.endswith(".parquet"):
        return _from_image_file(path, entry)
    with open_delphes(path, config.tree) as events:
        _check_entry(path, entry, events.num_entries)
        branches = find_branches(events.keys(full_paths=False), config.branches, path)
        with explain_read_errors(path):
            arrays = events.arrays(branches.names(), entry_start=entry, entry_stop=entry + 1, library="ak", how=dict)
        images, _ = build_images(arrays, branches, Selection(ht_min=0.0), path, entry)
    return images


def _from_image_file(path: str, entry: int) -> ImageSet:
    with open_image_file(path) as file:
        _check_entry(path, entry, file.metadata.num_rows)
    for images in iterate_image_file(path, 1024):
        if entry < len(images):
            return images[entry : entry + 1]
        entry -= len(images)
    raise UnreadableFileError(path, "is damaged (it holds fewer events than it says)")


def _check_entry(path: str, entry: int, n_entries: int) -> None:
    if entry >= n_entries:
        raise DarktriggerError(f"{path}: has no entry {entry}; the last one is {n_entries - 1}")


def draw_event(event: ImageSet, title: str, output: str | Path) -> None:
    """Write the picture of one event: fine images above, coarse ones below; log colour scale in GeV."""
    figure = Figure(figsize=(15, 9), layout="constrained")
    axes = figure.subplots(2, len(NAMES), sharex=True, sharey=True)
    fine_CHW = fine(event.images)[0, :, 1:-1]
    coarse_CHW = coarse_e_t(event.images)[0].transpose(0, 2, 1)
    for column, name in enumerate(NAMES):
        # A fine pixel is too small to see: tracker and ECAL deposits are drawn as points.
        draw_fine = _draw_image if name == "HCAL" else _draw_points
        for axis, image_HW, grid, draw in (
            (axes[0, column], fine_CHW[column], FINE, draw_fine),
            (axes[1, column], coarse_CHW[column], HCAL, _draw_image),
        ):
            axis.set(xlim=(-HCAL.eta_max, HCAL.eta_max), ylim=(-np.pi, np.pi))
            axis.set_title(f"{name}, {grid.n_eta} × {grid.n_phi}", fontsize=12)
            if image_HW.any():
                colours = figure.colorbar(draw(axis, image_HW, grid), ax=axis, pad=0.01)
                colours.set_label(r"$E_\mathrm{T}$ [GeV]" if name == NAMES[-1] else "", fontsize=12)
            else:
                axis.text(0, 0, "no deposits", ha="center", va="center")
    for axis in axes[-1]:
        axis.set_xlabel(r"$\eta$", fontsize=13)
    for axis in axes[:, 0]:
        axis.set_ylabel(r"$\phi$", fontsize=13)
    numbers = f"$H_\\mathrm{{T}}$ = {event.ht[0]:.0f} GeV,  $n_\\mathrm{{tracks}}$ = {event.n_tracks[0]}"
    figure.suptitle(f"{title}:  {numbers}", fontsize=14)
    with atomic_path(output) as temporary:
        figure.savefig(temporary, dpi=160)


def _colour_norm(image_HW: NDArray[np.float32]) -> LogNorm:
    lit = image_HW[image_HW > 0]
    return LogNorm(lit.min(), max(lit.max(), lit.min() * 10))


def _draw_points(axis: Axes, image_HW: NDArray[np.float32], grid: Grid) -> ScalarMappable:
    """Lit pixels as points, the hardest on top."""
    eta_bin, phi_bin = np.nonzero(image_HW)
    e_t = image_HW[eta_bin, phi_bin]
    order = np.argsort(e_t)
    eta = (grid.eta_edges[:-1] + grid.eta_edges[1:])[eta_bin] / 2
    phi = (grid.phi_edges[:-1] + grid.phi_edges[1:])[phi_bin] / 2
    return axis.scatter(
        eta[order], phi[order], c=e_t[order], s=5, marker="s", linewidths=0, norm=_colour_norm(image_HW), cmap=COLOURS
    )


def _draw_image(axis: Axes, image_HW: NDArray[np.float32], grid: Grid) -> ScalarMappable:
    """The image itself, eta to the right and phi upwards, empty pixels white."""
    return axis.imshow(
        np.ma.masked_equal(image_HW.T, 0),
        norm=_colour_norm(image_HW),
        extent=(-grid.eta_max, grid.eta_max, -np.pi, np.pi),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        cmap=COLOURS,
    )
