"""Files of images, ours and the CoDAE paper's, and of objects, read in one way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from darktrigger.errors import InputFileError, UnreadableFileError
from imaging.dense import INPUT_SHAPES, OBJECTS
from imaging.image_file import ImageMetadata, iterate_image_file, read_metadata, read_row_groups
from imaging.image_set import ImageSet
from imaging.jets.jet_file import is_jet_file
from imaging.objects.object_file import (
    CHALLENGE_SUFFIXES,
    ObjectMetadata,
    is_object_file,
    iterate_object_file,
    object_label_names,
    read_object_metadata,
)
from imaging.objects.object_set import ObjectSet
from imaging.paper_file import SUFFIX, TOTAL, read_paper_file
from imaging.sample import Sample
from imaging.sparse import CHANNELS


@dataclass(frozen=True)
class ImageSource:
    """A file of labelled images.

    Parameters
    ----------
    path
        Parquet (:mod:`imaging.image_file`, :mod:`imaging.objects.object_file`), npz (:mod:`imaging.paper_file`) or
        HDF5 (the 40 MHz challenge).
    label_names
        Name of each label.
    columns
        What its events tell: channels (or their sum) and ``n_tracks``.
    is_coarse
        Whether only the coarse images mean anything.
    has_objects
        Whether it holds objects in the place of images.
    """

    path: str
    label_names: dict[int, str]
    columns: frozenset[str]
    is_coarse: bool
    has_objects: bool = False

    @property
    def holds(self) -> type[ImageSet | ObjectSet]:
        """Kind of set that its events come in."""
        return ObjectSet if self.has_objects else ImageSet

    def metadata(self) -> ImageMetadata | ObjectMetadata | None:
        """What our own files tell of how they were made; None for the layouts of others."""
        if self.path.endswith((SUFFIX, *CHALLENGE_SUFFIXES)):
            return None
        return read_object_metadata(self.path) if self.has_objects else read_metadata(self.path)

    def require(self, kind: str, *, sums_channels: bool = False) -> None:
        """Check that a model of an input kind can be fed.

        Parameters
        ----------
        kind
            A key of :data:`imaging.dense.INPUT_SHAPES`.
        sums_channels
            Whether the model looks at nothing but the sum of its channels.

        Raises
        ------
        InputFileError
            It needs channels or the fine grid, which the file does not have.
        """
        if kind not in INPUT_SHAPES and kind != OBJECTS:
            raise InputFileError(self.path, f"holds events; a model of input kind '{kind}' needs jet image files")
        if self.has_objects != (kind == OBJECTS):
            held = "objects" if self.has_objects else "images"
            raise InputFileError(self.path, f"holds {held}; a model of input kind '{kind}' cannot be fed with them")
        if kind == "fine" and self.is_coarse:
            raise InputFileError(self.path, "holds coarse images; a model of input kind 'fine' needs image files")
        if TOTAL in self.columns:
            if kind == "coarse E_T" and sums_channels:
                return
            raise InputFileError(
                self.path, f"holds the sum of tracker, ECAL and HCAL; a model of input kind '{kind}' needs them apart"
            )

    def pieces(self, n_events: int) -> list[range | None]:
        """Runs of row groups with some ``n_events`` events each, for :meth:`iterate`; None for a file without any."""
        if self.is_coarse or self.has_objects:
            return [None]
        pieces: list[range | None] = []
        counts = read_row_groups(self.path)
        first, waiting = 0, 0
        for index, count in enumerate(counts):
            waiting += count
            if waiting >= n_events:
                pieces.append(range(first, index + 1))
                first, waiting = index + 1, 0
        return [*pieces, range(first, len(counts))] if waiting else pieces

    def iterate(self, batch_size: int, piece: range | None = None) -> Iterator[ImageSet | ObjectSet]:
        """Events in file order, or those of a piece, at most ``batch_size`` at a time.

        Raises
        ------
        InputFileError
            A damaged file.
        """
        if self.has_objects:
            yield from iterate_object_file(self.path, batch_size)
            return
        if not self.is_coarse:
            yield from iterate_image_file(self.path, batch_size, piece)
            return
        events = read_paper_file(self.path).events
        for start in range(0, len(events), batch_size):
            yield events[start : start + batch_size]


def open_images(path: str | Path) -> ImageSource:
    """Look at a file and say what it holds.

    Raises
    ------
    InputFileError
        Not a file of images or objects.
    """
    if Path(path).suffix == SUFFIX:
        return ImageSource(str(path), Sample().label_names(), read_paper_file(path).columns, is_coarse=True)
    if is_object_file(path):
        # The challenge tells nothing of tracks.
        columns: frozenset[str] = frozenset(() if Path(path).suffix in CHALLENGE_SUFFIXES else ("n_tracks",))
        return ImageSource(str(path), object_label_names(path), columns, is_coarse=False, has_objects=True)
    try:
        names = read_metadata(path).label_names
    except UnreadableFileError:
        if is_jet_file(path):
            raise UnreadableFileError(path, "holds jets; expected images or objects of events") from None
        raise
    return ImageSource(str(path), names, frozenset(CHANNELS) | {"n_tracks"}, is_coarse=False)
