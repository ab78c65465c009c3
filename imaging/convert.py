"""Delphes ROOT files to one image file."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from darktrigger.config import StrictModel
from darktrigger.errors import DarktriggerError, InputFileError, UnreadableFileError
from darktrigger.executors import HERE, Executor
from darktrigger.files import fingerprint
from darktrigger.inputs import is_remote
from darktrigger.memory import keep_freed_memory
from darktrigger.provenance import versions
from darktrigger.run_report import Meter, RunReport
from imaging.branches import BranchMap, find_branches
from imaging.config import ImagingConfig
from imaging.events import NO_EVENTS, Cutflow
from imaging.image_file import ImageMetadata, SkippedFile, SourceFile, write_image_file
from imaging.parts import Part, Piece, make_part
from imaging.preprocess import FileInfo, look_at_all

logger = logging.getLogger(__name__)

#: Steps of reading that a task makes: enough for the opening of the file not to matter.
_STEPS = 16

#: Labels of the image file; further processes take numbers from 3 on.
LABELS = {"background": 0, "qcd": 0, "suep": 1, "svj": 2}


class Sample(StrictModel):
    """What the events are: process name, label (0 background, 1 SUEP, 2 SVJ, 3 and up: others), mediator mass (GeV)."""

    process: str = "background"
    label: int | None = None
    mass: float = 0.0

    def resolved_label(self) -> int:
        """The label given, or the one that the process has.

        Raises
        ------
        DarktriggerError
            Neither exists.
        """
        label = self.label if self.label is not None else LABELS.get(self.process.lower())
        if label is None:
            raise DarktriggerError(f"process '{self.process}' has no label of its own: give one, 3 or higher")
        return label

    def label_names(self) -> dict[int, str]:
        """Names of the common labels and of this sample's."""
        return {0: "background", 1: "SUEP", 2: "SVJ"} | {
            label: self.process for label in [self.resolved_label()] if label > 2
        }


@dataclass(frozen=True)
class _Source:
    """One file and the pieces that it is imaged in."""

    path: str
    info: FileInfo
    branches: BranchMap
    pieces: tuple[Piece, ...]


class Limits(NamedTuple):
    """How much to convert: files, and pieces of all of them together; None for all."""

    files: int | None = None
    chunks: int | None = None


#: Everything.
NO_LIMITS = Limits()


def convert(
    paths: Sequence[str],
    output: str | Path,
    sample: Sample,
    config: ImagingConfig,
    *,
    skip_bad_files: bool = False,
    executor: Executor = HERE,
    limits: Limits = NO_LIMITS,
    cache: Path | None = None,
    report: RunReport | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> ImageMetadata:
    """Write the images of all events that pass the selection.

    Pieces that are done lie in the folder ``OUTPUT.parts`` until the image file is complete, and are taken up by a
    second call where files and settings are the same; they stay where bad files were left out, so that the call
    that follows a repair has nothing else to do.

    Parameters
    ----------
    paths
        Delphes files, local or remote.
    output
        Image file; appears only when complete.
    sample
        What the events are.
    config
        Settings.
    skip_bad_files
        Leave out a file that cannot be used, as a whole, and report it in the metadata;
        otherwise the first such file ends the conversion.
    executor
        Who does the work; the output does not depend on it. Dask workers need input and output under the same paths.
    limits
        How much to convert.
    cache
        Folder that remembers what files hold; None to look in any case.
    report
        Told what the conversion costs.
    advance
        Called with 1 after each file.

    Raises
    ------
    InputFileError
        A file cannot be used (see the classes in ``darktrigger.errors``).
    DarktriggerError
        No file can be used, or the output cannot be written.
    """
    label = sample.resolved_label()
    report = report or RunReport("image")
    output = Path(output)
    folder = output.with_name(f"{output.name}.parts")
    skipped: list[SkippedFile] = []
    with report.phase("look at files"):
        found = list(look_at_all(((path, config.tree) for path in paths[: limits.files]), cache, config.read_timeout))
    sources = list(_sources(paths, found, config, folder, limits.chunks))
    bad = [source for source in sources if isinstance(source, InputFileError)]
    if bad and not skip_bad_files:
        raise bad[0]
    done: list[_Done] = []
    with _kept(folder), write_image_file(output) as writer, report.phase("image"):
        for path, result in _results(sources, executor, report):
            if isinstance(result, InputFileError):
                if not skip_bad_files:
                    raise result
                logger.warning("skipped %s", result)
                skipped.append(SkippedFile(path=path, cause=result.cause))
            else:
                for part in result.parts:
                    for table in part.tables(label, sample.mass):
                        writer.write_table(table)
                done.append(result)
            advance(1)
        if not done:
            raise DarktriggerError(
                "no usable input file:\n" + "\n".join(f"  {bad.path}: {bad.cause}" for bad in skipped)
            )
        metadata = _metadata(sample, config, done, skipped)
        writer.write_metadata(metadata)
    _tell(report, done, skipped)
    if not skipped:
        shutil.rmtree(folder, ignore_errors=True)
    if metadata.events_selected == 0:
        logger.warning("%s: no event has HT > %g GeV; the image file is empty", output, config.selection.ht_min)
    return metadata


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """Leave no folder behind that holds no part."""
    try:
        yield
    finally:
        with suppress(OSError):
            folder.rmdir()


@dataclass(frozen=True)
class _Done:
    """A file all of whose pieces are images."""

    source: _Source
    parts: tuple[Part, ...]

    @property
    def cutflow(self) -> Cutflow:
        return sum((part.cutflow for part in self.parts), start=NO_EVENTS)


def _sources(
    paths: Sequence[str],
    found: Iterable[FileInfo | InputFileError],
    config: ImagingConfig,
    folder: Path,
    limit: int | None,
) -> Iterator[_Source | InputFileError]:
    """Files cut into pieces, the first ``limit`` of which are to be imaged."""
    n_pieces = 0
    for path, info in zip(paths, found, strict=False):
        if isinstance(info, InputFileError):
            yield info
            continue
        try:
            branches = find_branches(info.branches, config.branches, path)
        except InputFileError as error:
            yield error
            continue
        pieces = _pieces(path, info, branches, config, folder)[: None if limit is None else limit - n_pieces]
        n_pieces += len(pieces)
        if not pieces:
            return
        yield _Source(path, info, branches, pieces)


def _pieces(path: str, info: FileInfo, branches: BranchMap, config: ImagingConfig, folder: Path) -> tuple[Piece, ...]:
    step = info.step(branches.names(), config.step_size)
    spans = [
        range(first, min(first + _STEPS * step, info.entries), step) for first in range(0, info.entries, _STEPS * step)
    ]
    return tuple(
        Piece(path, config.tree, info.content, span, branches, config.selection, folder, config.read_timeout)
        for span in spans
    )


def _results(
    sources: Sequence[_Source | InputFileError], executor: Executor, report: RunReport
) -> Iterator[tuple[str, _Done | InputFileError]]:
    """Each file with its parts, or why it cannot be used."""
    pieces = (piece for source in sources if isinstance(source, _Source) for piece in source.pieces)
    parts = report.count(executor.map(Meter(_part_or_error), pieces))
    for source in sources:
        if isinstance(source, InputFileError):
            yield source.path, source
            continue
        results = list(islice(parts, len(source.pieces)))
        errors = [result for result in results if isinstance(result, InputFileError)]
        if not errors and not is_remote(source.path) and fingerprint(source.path) != source.info.content:
            errors = [UnreadableFileError(source.path, "changed while it was read")]
        made = tuple(result for result in results if isinstance(result, Part))
        yield source.path, errors[0] if errors else _Done(source, made)


def _part_or_error(piece: Piece) -> Part | InputFileError:
    # Here, since this is where worker processes come by.
    keep_freed_memory()
    try:
        return make_part(piece)
    except InputFileError as error:
        return error


def _tell(report: RunReport, done: Sequence[_Done], skipped: Sequence[SkippedFile]) -> None:
    parts = [part for one in done for part in one.parts]
    report.events += sum(part.cutflow.read for part in parts)
    report.bytes_read += sum(part.bytes_read for part in parts)
    report.taken_up += sum(part.taken_up for part in parts)
    report.columns = tuple(dict.fromkeys(name for one in done for name in one.source.branches.names()))
    report.bad_files |= {bad.path: bad.cause for bad in skipped}


def _metadata(
    sample: Sample, config: ImagingConfig, done: Sequence[_Done], skipped: Sequence[SkippedFile]
) -> ImageMetadata:
    total = sum((one.cutflow for one in done), start=NO_EVENTS)
    return ImageMetadata(
        process=sample.process,
        label_names=sample.label_names(),
        source_files=tuple(
            SourceFile(
                path=one.source.path,
                fingerprint=None if is_remote(one.source.path) else one.source.info.content,
                tree_entries=one.source.info.entries,
                events_selected=one.cutflow.selected,
                branches=one.source.branches,
            )
            for one in done
        ),
        skipped_files=tuple(skipped),
        tree_entries=sum(one.source.info.entries for one in done),
        events_read=total.read,
        events_selected=total.selected,
        sum_of_weights_read=total.sum_of_weights_read,
        sum_of_weights_selected=total.sum_of_weights_selected,
        selection=config.selection,
        branches=tuple(dict.fromkeys(one.source.branches for one in done)),
        versions=versions("uproot", "awkward", "numpy", "pyarrow"),
    )
