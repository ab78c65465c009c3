"""Results of a few chunks on disk, for a run that was interrupted to take up again; nothing is pickled."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from coffea.processor.executor import WorkItem
from hist import Hist
from numpy.typing import NDArray

from analysis.histograms import Booking, fill_regions
from analysis.menu import Menu
from darktrigger.files import atomic_path, hash_of
from imaging.events import Cutflow

_RECORD = "record"
_PLACES = "places"


@dataclass(frozen=True)
class UnitStore:
    """Results by the chunks that they come from.

    Parameters
    ----------
    folder
        Where they lie.
    key
        Hash of everything besides the chunks that decides a result.
    contents
        Of each file by its path: what tells it from any other.
    booking
        Axes of the histograms.
    menu
        Support-trigger menu, whose regions are counted too.
    """

    folder: Path
    key: str
    contents: Mapping[str, str]
    booking: Booking
    menu: Menu | None = None

    def has(self, items: Sequence[WorkItem]) -> bool:
        """Whether there is a result."""
        return self._path(items).exists()

    def save(self, items: Sequence[WorkItem], output: Mapping[str, Any]) -> None:
        """Keep a result, whole or not at all.

        Raises
        ------
        DarktriggerError
            The disk is full, or the folder cannot be written.
        """
        metrics = {
            name: sorted(value) if isinstance(value, set) else value for name, value in output["metrics"].items()
        }
        record: dict[str, Any] = {"metrics": metrics, "cutflows": {}}
        arrays: dict[str, NDArray[Any]] = {}
        for dataset, result in output["out"].items():
            record["cutflows"][dataset] = list(result["cutflow"])
            for name, histogram in result["histograms"].items():
                arrays |= {f"{dataset}/{name}/{key}": values for key, values in _filled_bins(histogram).items()}
        with atomic_path(self._path(items)) as temporary:
            np.savez(temporary, **{_RECORD: np.array(json.dumps(record))}, **arrays)  # type: ignore[arg-type]

    def load(self, items: Sequence[WorkItem]) -> dict[str, Any] | None:
        """What was kept, in the form in which coffea hands results over; None where it is damaged."""
        try:
            with self._path(items).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
                record = json.loads(str(stored[_RECORD]))
                results = {
                    dataset: {"histograms": self._histograms(stored, dataset), "cutflow": Cutflow(*cutflow)}
                    for dataset, cutflow in record["cutflows"].items()
                }
        except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, IndexError, EOFError):
            return None
        metrics = {name: set(value) if isinstance(value, list) else value for name, value in record["metrics"].items()}
        return {"out": results, "metrics": metrics, "processed": set(items)}

    def _path(self, items: Sequence[WorkItem]) -> Path:
        chunks = [
            [item.dataset, self.contents[item.filename], item.treename, item.entrystart, item.entrystop, item.usermeta]
            for item in items
        ]
        return self.folder / f"{hash_of({'run': self.key, 'chunks': chunks})[:32]}.npz"

    def _histograms(self, stored: Mapping[str, NDArray[Any]], dataset: str) -> dict[str, Hist[Any]]:
        histograms = self.booking.empty()
        if self.menu is not None:
            histograms |= fill_regions(np.empty(0, dtype=np.intp), np.empty(0))
        for name, histogram in histograms.items():
            prefix = f"{dataset}/{name}/"
            places = stored[prefix + _PLACES]
            for field, column in _columns(histogram).items():
                flat = column.reshape(-1).copy()
                flat[places] = stored[prefix + field]
                column[...] = flat.reshape(column.shape)
        return histograms


def _columns(histogram: Hist[Any]) -> dict[str, NDArray[Any]]:
    """Views of everything that a histogram stores, shape of its axes with flow bins each."""
    view: Any = histogram.view(flow=True)
    return {name: view[name] for name in view.dtype.names} if view.dtype.names else {"value": view}


def _filled_bins(histogram: Hist[Any]) -> dict[str, NDArray[Any]]:
    columns = {name: np.asarray(column).reshape(-1) for name, column in _columns(histogram).items()}
    places = np.flatnonzero(np.any([column != 0 for column in columns.values()], axis=0))
    return {_PLACES: places, **{name: column[places] for name, column in columns.items()}}
