"""The coffea processor: Delphes events to histograms, through images or objects and the trigger."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import awkward as ak
import numpy as np
from coffea.processor import ProcessorABC
from numpy.typing import NDArray

from analysis.histograms import Booking, Histograms, fill_regions
from analysis.menu import Menu
from analysis.reading import EventSet, Reader
from analysis.scores import event_scores
from analysis.trigger import Trigger
from imaging.delphes_file import check_sound, explain_read_errors
from imaging.events import Cutflow
from imaging.split import EntrySplit


class TriggerProcessor(ProcessorABC):
    """Fills the histograms of a dataset.

    Expects events of coffea's DelphesSchema as virtual arrays, whose metadata carry
    ``dataset``, ``filename``, ``entrystart`` and, where events are to be left out,
    ``entries`` (an :class:`~imaging.split.EntrySplit` as a dict). Weights are scaled up by
    what the split leaves out.

    Parameters
    ----------
    trigger
        Trigger model.
    booking
        Axes of the histograms.
    reader
        Makes images or objects of the branches.
    baselines
        Scores that need no model.
    batch_size
        Events of which dense images exist at a time.
    menu
        Support-trigger menu, if only recorded events are to be seen; its prescales multiply the weights.
    """

    def __init__(
        self,
        trigger: Trigger,
        booking: Booking,
        reader: Reader,
        baselines: tuple[str, ...],
        batch_size: int,
        menu: Menu | None = None,
    ) -> None:
        self.trigger = trigger
        self.booking = booking
        self.reader = reader
        self.baselines = baselines
        self.batch_size = batch_size
        self.menu = menu

    def process(self, events: Any) -> dict[str, dict[str, Any]]:
        """Histograms and cutflow of a chunk, under the dataset's name."""
        metadata = events.metadata
        split = EntrySplit.model_validate(metadata.get("entries", {}))
        entries = np.arange(metadata["entrystart"], metadata["entrystop"])
        kept = split.mask(entries)
        columns = Columns(events, None if kept.all() else kept)
        images, cutflow = self.reader.build(columns, available_branches(events), metadata["filename"])
        scores = event_scores(self.trigger, images, self.batch_size, self.baselines)
        weight = images.weight.astype(np.float64) * split.scale
        histograms = self._filled(scores, images, weight, entries[kept])
        return {metadata["dataset"]: {"histograms": histograms, "cutflow": _scaled(cutflow, split.scale)}}

    def _filled(
        self,
        scores: dict[str, NDArray[np.float32]],
        images: EventSet,
        weight: NDArray[np.float64],
        entries: NDArray[np.int64],
    ) -> Histograms:
        """Histograms of all events, or, with a menu, of the recorded ones; ``entries`` are those read, shape (m,)."""
        if self.menu is None:
            return self.booking.fill(scores, images.ht, images.n_tracks, weight)
        regions = self.menu.regions(scores)
        # An image's entry counts the events that were read.
        prescale = self.menu.weights(regions, entries[images.entry])
        recorded = prescale > 0
        weight = (weight * prescale)[recorded]
        chosen = {name: values[recorded] for name, values in scores.items()}
        filled = self.booking.fill(chosen, images.ht[recorded], images.n_tracks[recorded], weight)
        return filled | fill_regions(regions[recorded], weight)

    def postprocess(self, accumulator: Any) -> Any:
        """Nothing is left to do once chunks are added up."""
        return accumulator


def _scaled(cutflow: Cutflow, scale: float) -> Cutflow:
    return cutflow._replace(
        sum_of_weights_read=cutflow.sum_of_weights_read * scale,
        sum_of_weights_selected=cutflow.sum_of_weights_selected * scale,
    )


def available_branches(events: Any) -> list[str]:
    """Branch names, ``Collection.Member``, that a DelphesSchema record offers."""
    return [f"{collection}.{member}" for collection in events.fields for member in events[collection].fields]


class Columns(Mapping[str, ak.Array]):
    """Jagged arrays by branch name; nothing is read before it is asked for.

    coffea flattens collections that hold a single object an event; they come back as
    lists of one, as Delphes wrote them.
    """

    def __init__(self, events: Any, kept: NDArray[np.bool_] | None = None) -> None:
        self._events = events
        self._kept = kept

    def __getitem__(self, branch: str) -> ak.Array:
        collection, member = branch.split(".", 1)
        source = self._events.metadata["filename"]
        with explain_read_errors(source):
            array = ak.materialize(self._events[collection][member])
        check_sound(array, branch, source)
        array = array[:, np.newaxis] if array.ndim == 1 else array
        return array if self._kept is None else array[self._kept]

    def __iter__(self) -> Iterator[str]:
        return iter(available_branches(self._events))

    def __len__(self) -> int:
        return len(available_branches(self._events))
