"""Pictures of a training: energies, acceptance, sampled images, latent landscapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from darktrigger.files import atomic_path
from darktrigger.sphere import unbroken

if TYPE_CHECKING:
    from ml.nae.folder import ChainEpoch
    from ml.nae.landscape import Landscape

FloatArray = NDArray[np.float32]


def save(figure: Figure, *paths: Path) -> None:
    """Write a figure, in the format that each suffix says."""
    for path in paths:
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=120)


def draw_chains(chains: Sequence[ChainEpoch], folder: Path) -> None:
    """Energies, their difference, acceptance and spread against the epoch; ``chains.png`` and ``.pdf``."""
    figure = Figure(figsize=(6, 9), layout="constrained")
    energies, difference, shares = figure.subplots(3, sharex=True)
    epochs = range(len(chains))
    energies.plot(epochs, [row.positive_energy for row in chains], marker=".", label="data")
    energies.plot(epochs, [row.negative_energy for row in chains], marker=".", label="samples")
    energies.set(ylabel="energy", yscale="log")
    difference.plot(epochs, [row.positive_energy - row.negative_energy for row in chains], marker=".", color="C2")
    difference.axhline(0, color="0.6", linewidth=1)
    difference.set(ylabel="energy of data minus samples")
    shares.plot(epochs, [row.latent_acceptance for row in chains], marker=".", label="latent acceptance")
    shares.plot(epochs, [row.pixel_acceptance for row in chains], marker=".", label="pixel acceptance")
    shares.plot(epochs, [row.spread for row in chains], marker=".", label="spread of samples / data")
    shares.set(xlabel="epoch", ylim=(0, None))
    shares.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (energies, shares):
        axes.legend()
    save(figure, folder / "chains.png", folder / "chains.pdf")


def draw_samples(image_NCHW: FloatArray, title: str, path: Path, most: int = 16) -> None:
    """A square of images, channels added up."""
    shown = image_NCHW[:most].sum(axis=1)
    side = max(int(np.ceil(np.sqrt(len(shown)))), 1)
    figure = Figure(figsize=(5, 5.4), layout="constrained")
    panels = figure.subplots(side, side, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, image in zip(panels, shown, strict=False):
        axes.imshow(image, origin="lower", cmap="cividis", interpolation="nearest")
    figure.suptitle(title)
    save(figure, path)


def draw_means(means: Mapping[str, FloatArray], path: Path) -> None:
    """Mean images side by side, each with its own colour scale (figure 10)."""
    figure = Figure(figsize=(3 * len(means), 3.2), layout="constrained")
    for axes, (name, image_CHW) in zip(figure.subplots(1, len(means), squeeze=False)[0], means.items(), strict=True):
        axes.imshow(image_CHW.sum(axis=0), origin="lower", cmap="cividis", interpolation="nearest")
        axes.set_title(name, fontsize="medium")
        axes.set_axis_off()
    save(figure, path)


def draw_landscape(landscape: Landscape, folder: Path) -> None:
    """Latent energy with images and chains in equirectangular projection (figures 2 and 6)."""
    figure = Figure(figsize=(8, 4.4), layout="constrained")
    axes = figure.subplots()
    mesh = axes.pcolormesh(landscape.longitude, landscape.latitude, landscape.energy, cmap="viridis", shading="nearest")
    figure.colorbar(mesh, ax=axes, label="energy")
    for path in landscape.chains:
        for part in unbroken(path):
            axes.plot(*part.T, color="white", linewidth=0.7, alpha=0.7)
    for index, (name, points) in enumerate(landscape.images.items()):
        axes.scatter(points[:, 0], points[:, 1], s=3, color=f"C{index + 1}", label=name, alpha=0.6)
    axes.set(xlabel="longitude [rad]", ylabel="latitude [rad]", xlim=(-np.pi, np.pi), ylim=(-np.pi / 2, np.pi / 2))
    axes.legend(loc="upper right", markerscale=3)
    save(figure, folder / "landscape.png", folder / "landscape.pdf")
