"""A first look at every input file: can it be read, and what does the trigger make of its first events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from coffea.processor.executor import WorkItem
from numpy.typing import NDArray

from analysis.config import AnalysisConfig
from analysis.fileset import Dataset
from analysis.reading import EventSet, Reader, reader_for
from analysis.scores import event_scores
from analysis.trigger import Trigger
from darktrigger.errors import InputFileError
from darktrigger.inputs import SkippedFile
from darktrigger.progress import progress
from imaging.delphes_file import explain_read_errors, open_delphes
from imaging.preprocess import look_at_all

#: The pre-scan reads this many events at a time, and no more than so many times.
_STEP, _MAX_STEPS = 1000, 50


@dataclass(frozen=True)
class ScannedFile:
    """A file that can be used, and the names of all its branches."""

    dataset: Dataset
    path: str
    tree: str
    entries: int
    uuid: bytes
    content: str
    branches: frozenset[str]


@dataclass(frozen=True)
class Scan:
    """Usable files in the order of the fileset, and the others with the reason."""

    files: tuple[ScannedFile, ...]
    bad_files: tuple[SkippedFile, ...]


def scan_files(
    datasets: Sequence[Dataset],
    reader: Reader,
    config: AnalysisConfig,
    *,
    limit_files: int | None = None,
    skip_bad_files: bool = False,
    cache: Path | None = None,
) -> Scan:
    """Look at every file, unless the cache knows its content, and for the branches that the trigger needs.

    Raises
    ------
    InputFileError
        For the first bad file, unless bad files are skipped.
    """
    wanted = [
        (dataset, path, tree) for dataset in datasets for path, tree in islice(dataset.files.items(), limit_files)
    ]

    files: list[ScannedFile] = []
    bad: list[SkippedFile] = []
    found = look_at_all(((path, tree) for _, path, tree in wanted), cache, config.read_timeout)
    with progress("looking at files", len(wanted)) as advance:
        for (dataset, path, tree), info in zip(wanted, found, strict=True):
            try:
                if isinstance(info, InputFileError):
                    raise info
                available = frozenset(info.branches)
                reader.branches(available, path)
            except InputFileError as error:
                if not skip_bad_files:
                    raise
                bad.append(SkippedFile(path=path, cause=error.cause))
            else:
                uuid = bytes.fromhex(info.uuid)
                files.append(ScannedFile(dataset, path, tree, info.entries, uuid, info.content, available))
            advance(1)
    return Scan(tuple(files), tuple(bad))


def work_items(files: Sequence[ScannedFile], chunk_size: int, limit_chunks: int | None = None) -> list[WorkItem]:
    """Chunks of at most ``chunk_size`` events, the first ``limit_chunks`` of each dataset."""
    by_dataset: dict[str, list[WorkItem]] = {}
    for file in files:
        metadata = {"entries": file.dataset.metadata.entries.model_dump()}
        by_dataset.setdefault(file.dataset.name, []).extend(
            WorkItem(
                file.dataset.name,
                file.path,
                file.tree,
                start,
                min(start + chunk_size, file.entries),
                file.uuid,
                metadata,
            )
            for start in range(0, file.entries, chunk_size)
        )
    return [item for items in by_dataset.values() for item in items[:limit_chunks]]


def first_scores(
    files: Sequence[ScannedFile], trigger: Trigger, config: AnalysisConfig
) -> dict[str, dict[str, NDArray[np.float32]]]:
    """Scores of the first selected events of each dataset: dataset, then score, then shape (n,).

    At most ``config.axes.prescan_events`` events of each; fewer where few pass.
    """
    count = config.axes.prescan_events
    by_dataset: dict[str, list[ScannedFile]] = {}
    for file in files:
        by_dataset.setdefault(file.dataset.name, []).append(file)
    reader = reader_for(trigger, config)
    return {
        name: event_scores(
            trigger,
            _first_events(members, reader, count, config.read_timeout),
            config.executor.batch_size,
            config.baselines,
        )
        for name, members in by_dataset.items()
    }


def _first_events(files: Sequence[ScannedFile], reader: Reader, count: int, timeout: float) -> EventSet:
    parts: list[EventSet] = []
    for part in islice(_steps(files, reader, timeout), _MAX_STEPS):
        parts.append(part)
        if sum(map(len, parts)) >= count:
            break
    return reader.joined(parts)[:count]


def _steps(files: Sequence[ScannedFile], reader: Reader, timeout: float) -> Iterator[EventSet]:
    for file in files:
        split, names = file.dataset.metadata.entries, reader.branches(file.branches, file.path)
        try:
            with open_delphes(file.path, file.tree, timeout) as events, explain_read_errors(file.path):
                for arrays, report in events.iterate(names, step_size=_STEP, library="ak", how=dict, report=True):
                    images, _ = reader.build(arrays, file.branches, file.path, report.tree_entry_start)
                    yield images[split.mask(images.entry)]
        except InputFileError:
            # Whether a bad file is an error is for the full pass to say.
            continue
