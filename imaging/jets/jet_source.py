"""Files of jet images, read as :mod:`imaging.image_source` reads files of events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from darktrigger.errors import InputFileError
from imaging.jets.dense import JET, JET_INPUT_SHAPES
from imaging.jets.jet_file import iterate_jet_file, read_jet_metadata
from imaging.jets.jet_set import JetSet


@dataclass(frozen=True)
class JetFile:
    """A file of labelled jets.

    Parameters
    ----------
    path
        Parquet (:mod:`imaging.jets.jet_file`).
    label_names
        Name of each label.
    """

    path: str
    label_names: dict[int, str]

    @property
    def columns(self) -> frozenset[str]:
        """What its jets tell."""
        return frozenset({JET})

    @property
    def holds(self) -> type[JetSet]:
        """Kind of set that its jets come in."""
        return JetSet

    def require(self, kind: str, *, sums_channels: bool = False) -> None:  # noqa: ARG002 (the signature for events)
        """Check that a model of an input kind can be fed.

        Raises
        ------
        InputFileError
            It looks at events.
        """
        if kind not in JET_INPUT_SHAPES:
            raise InputFileError(self.path, f"holds jets; a model of input kind '{kind}' needs images of events")

    def pieces(self, n_events: int) -> list[range | None]:  # noqa: ARG002 (the signature for events)
        """A file of jets is one piece."""
        return [None]

    def iterate(self, batch_size: int, piece: range | None = None) -> Iterator[JetSet]:  # noqa: ARG002
        """Jets in file order, at most ``batch_size`` at a time.

        Raises
        ------
        InputFileError
            A damaged file.
        """
        yield from iterate_jet_file(self.path, batch_size)


def open_jets(path: str | Path) -> JetFile:
    """Look at a jet image file.

    Raises
    ------
    InputFileError
        Not one.
    """
    return JetFile(str(path), read_jet_metadata(path).label_names)
