"""The energy that plots state: the one that the files say their events were generated at."""

from __future__ import annotations

from collections.abc import Iterable

from analysis.config import StyleConfig
from imaging.image_source import open_images
from imaging.jets.jet_file import is_jet_file, read_jet_metadata


def energies_of(path: str) -> set[float | None]:
    """Centre-of-mass energies of the events of an image, jet image or object file, GeV; None for what is not told.

    Raises
    ------
    InputFileError
        No such file.
    """
    metadata = read_jet_metadata(path) if is_jet_file(path) else open_images(path).metadata()
    return {source.energy for source in metadata.source_files} if metadata else {None}


def told(style: StyleConfig, energies: Iterable[float | None]) -> StyleConfig:
    """A style with the energy that all events share, unless it has one; none is stated where some are not told.

    Parameters
    ----------
    style
        Its own energy goes before all others.
    energies
        Of the events, GeV.
    """
    found = set(energies)
    energy = next(iter(found)) if len(found) == 1 else None
    if style.energy is not None or energy is None:
        return style
    return style.model_copy(update={"energy": energy / 1000})
