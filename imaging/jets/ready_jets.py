"""Rows made from HDF5 files whose rows are jets already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from darktrigger.errors import InputFileError
from imaging.events import Cutflow
from imaging.jets.config import JetSelection
from imaging.jets.constituent_file import open_constituents, read_jets
from imaging.jets.events import draw
from imaging.jets.jet_file import JET_SCHEMA, to_jet_table
from imaging.jets.labels import QCD, TOP
from imaging.parts import Step
from imaging.preprocess import content_of
from imaging.production import InputFile

_ROWS = 1 << 14


@dataclass(frozen=True)
class ReadyJets:
    """Makes jet images of a file of constituents; a :class:`imaging.parts.Maker`.

    Jets are labelled QCD or top where the file tells signal from background, else QCD.

    Parameters
    ----------
    columns
        That give the constituents.
    selection
        Window.
    """

    columns: tuple[str, ...]
    selection: JetSelection

    @property
    def schema(self) -> pa.Schema:
        """That of the jet image file."""
        return JET_SCHEMA

    def names(self) -> list[str]:
        """Columns that are read."""
        return list(self.columns)

    def key(self) -> dict[str, Any]:
        """What decides the rows."""
        return {"rows": JET_SCHEMA.names, "columns": self.columns, "selection": self.selection.model_dump(mode="json")}

    def steps(self, path: str, span: range, timeout: float) -> Iterator[Step]:  # noqa: ARG002 (HDF5 files are local)
        """Jets of some rows.

        Raises
        ------
        InputFileError
            The file cannot be used.
        """
        with open_constituents(path) as layout:
            bytes_read = 0
            for start in span:
                stop = min(start + span.step, span.stop)
                found, is_signal = read_jets(path, layout, start, stop, self.selection)
                jets = draw(found, np.ones(stop - start), start)
                if is_signal is not None:
                    jets = replace(jets, label=np.where(is_signal, TOP, QCD).astype(np.uint8))
                cutflow = Cutflow(stop - start, len(jets), float(stop - start), float(len(jets)))
                bytes_read += (stop - start) * int(layout.data.dtype.itemsize * np.prod(layout.data.shape[1:]))
                yield Step(to_jet_table(jets), cutflow, bytes_read)


def look_at_constituents(
    path: str, selection: JetSelection, constants: Mapping[str, float], *, relabel: bool
) -> InputFile | InputFileError:
    """A file of constituents as it is to be read, or why it cannot be.

    Parameters
    ----------
    path
        HDF5.
    selection
        Window.
    constants
        Columns that have one value in all rows.
    relabel
        Whether the label among them stands above what the file says of its jets.
    """
    try:
        content = content_of(path)
        with open_constituents(path) as layout:
            entries, columns, tells = len(layout.data), layout.names, layout.signal is not None
    except InputFileError as error:
        return error
    kept = {name: value for name, value in constants.items() if name != "label" or relabel or not tells}
    return InputFile(path, content, entries, _ROWS, ReadyJets(columns, selection), kept, timeout=0.0)
