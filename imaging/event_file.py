"""What files of selected events have in common, whether they hold images or objects."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, Unpack, cast

from darktrigger.config import StrictModel
from darktrigger.inputs import SkippedFile
from darktrigger.provenance import versions
from imaging.config import ReadingConfig
from imaging.delphes_rows import DelphesRows, look_at_delphes
from imaging.generated_signal import warn_of_signals
from imaging.generation_record import generated_energy
from imaging.parts import Write
from imaging.production import How, Production, produce
from imaging.sample import Sample

BranchesT = TypeVar("BranchesT", bound=StrictModel)
SelectionT = TypeVar("SelectionT", bound=StrictModel)


class EventSource(StrictModel, Generic[BranchesT]):
    """One Delphes file that went into a file of events; ``energy`` of the protons' collision in GeV, where told."""

    path: str
    fingerprint: str | None
    tree_entries: int
    events_selected: int
    branches: BranchesT
    energy: float | None = None


class EventMetadata(StrictModel, Generic[BranchesT, SelectionT]):
    """What a file of events says of itself."""

    process: str
    label_names: dict[int, str]
    source_files: tuple[EventSource[BranchesT], ...]
    skipped_files: tuple[SkippedFile, ...]
    tree_entries: int
    events_read: int
    events_selected: int
    sum_of_weights_read: float
    sum_of_weights_selected: float
    selection: SelectionT
    branches: tuple[BranchesT, ...]
    versions: dict[str, str]


MetadataT = TypeVar("MetadataT", bound=EventMetadata[Any, Any])


def convert_events(
    paths: Sequence[str],
    output: str | Path,
    sample: Sample,
    config: ReadingConfig,
    *,
    rows_of: Callable[[Collection[str], str], DelphesRows],
    write: Write,
    metadata: type[MetadataT],
    selection: StrictModel,
    **how: Unpack[How],
) -> MetadataT:
    """Write the rows of all events that pass a selection.

    Parameters
    ----------
    paths, output, sample, config
        Delphes files, what to write, what the events are, and how they are read.
    rows_of
        Makes the rows of a file, see :func:`imaging.delphes_rows.look_at_delphes`.
    write
        Opens a file of such rows; a function of a module, so that it can travel.
    metadata
        What the output says of itself.
    selection
        The selection, for that.
    how
        See :func:`imaging.production.produce`, also for what is raised.
    """
    constants = {"label": sample.resolved_label(), "mass": sample.mass}
    warn_of_signals(paths, sample.resolved_label())

    def describe(made: Production) -> MetadataT:
        sources = [
            {
                "path": one.file.path,
                "fingerprint": one.file.fingerprint,
                "tree_entries": one.file.entries,
                "events_selected": one.cutflow.selected,
                "branches": cast("DelphesRows", one.file.maker).branches,
                "energy": generated_energy(one.file.path),
            }
            for one in made.done
        ]
        return metadata.model_validate(
            {
                "process": sample.process,
                "label_names": sample.label_names(),
                "source_files": sources,
                "skipped_files": made.skipped,
                "tree_entries": made.entries,
                "events_read": made.cutflow.read,
                "events_selected": made.cutflow.selected,
                "sum_of_weights_read": made.cutflow.sum_of_weights_read,
                "sum_of_weights_selected": made.cutflow.sum_of_weights_selected,
                "selection": selection,
                "branches": tuple(dict.fromkeys(source["branches"] for source in sources)),
                "versions": versions("uproot", "awkward", "numpy", "pyarrow"),
            }
        )

    return produce(
        paths,
        output,
        look=lambda files, cache: look_at_delphes(files, config, cache, rows_of, constants),
        write=write,
        describe=describe,
        **how,
    )
