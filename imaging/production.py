"""Many input files into one output file of rows, made in parts by whoever does the work."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple, TypedDict, TypeVar

from darktrigger.config import StrictModel
from darktrigger.errors import DarktriggerError, InputFileError, UnreadableFileError
from darktrigger.executors import HERE, Executor
from darktrigger.files import fingerprint
from darktrigger.inputs import SkippedFile, is_remote, listed
from darktrigger.run_report import Meter, RunReport
from imaging.events import NO_EVENTS, Cutflow
from imaging.parquet_join import join_parquet
from imaging.parts import Maker, Part, Piece, Write, make_part

logger = logging.getLogger(__name__)

MetadataT = TypeVar("MetadataT", bound=StrictModel)

#: Steps of reading that a task makes: enough for the opening of the file not to matter, few enough for all workers to
#: have some to the end.
_STEPS = 4


class Limits(NamedTuple):
    """How much to convert: files, and pieces of all of them together; None for all."""

    files: int | None = None
    chunks: int | None = None


#: Everything.
NO_LIMITS = Limits()


class How(TypedDict, total=False):
    """How a production goes about its work; see :func:`produce`."""

    skip_bad_files: bool
    executor: Executor
    limits: Limits
    cache: Path | None
    report: RunReport
    advance: Callable[[int], None]


@dataclass(frozen=True)
class InputFile:
    """A file that was looked at.

    Parameters
    ----------
    path
        Where it lies.
    content
        What tells it from any other: its fingerprint, where it is local.
    entries
        Events or jets in it.
    step
        Entries that may be in memory at a time.
    maker
        Makes its rows.
    constants
        Columns that have one value in all its rows.
    timeout
        Of a remote read, s.
    """

    path: str
    content: str
    entries: int
    step: int
    maker: Maker
    constants: Mapping[str, float]
    timeout: float

    @property
    def fingerprint(self) -> str | None:
        """Of a local file; None of a remote one."""
        return None if is_remote(self.path) else self.content

    def pieces(self, folder: Path, write: Write) -> list[Piece]:
        """What tasks make of it, in order; see :class:`imaging.parts.Piece`."""
        stride = _STEPS * self.step
        spans = [range(a, min(a + stride, self.entries), self.step) for a in range(0, self.entries, stride)]
        return [
            Piece(self.path, self.content, span, self.maker, self.constants, write, folder, self.timeout)
            for span in spans
        ]


@dataclass(frozen=True)
class Done:
    """A file all of whose pieces are rows."""

    file: InputFile
    parts: tuple[Part, ...]

    @property
    def cutflow(self) -> Cutflow:
        """What the selection did to its entries."""
        return sum((part.cutflow for part in self.parts), start=NO_EVENTS)


@dataclass(frozen=True)
class Production:
    """What has become of the input files."""

    done: list[Done]
    skipped: list[SkippedFile]

    @property
    def cutflow(self) -> Cutflow:
        """Of all files together."""
        return sum((one.cutflow for one in self.done), start=NO_EVENTS)

    @property
    def entries(self) -> int:
        """Of all files together."""
        return sum(one.file.entries for one in self.done)


def produce(
    paths: Sequence[str],
    output: str | Path,
    *,
    look: Callable[[Sequence[str], Path | None], Iterable[InputFile | InputFileError]],
    write: Write,
    describe: Callable[[Production], MetadataT],
    skip_bad_files: bool = False,
    executor: Executor = HERE,
    limits: Limits = NO_LIMITS,
    cache: Path | None = None,
    report: RunReport | None = None,
    advance: Callable[[int], None] = lambda _: None,
) -> MetadataT:
    """Write the rows of all files into one.

    Pieces that are done lie in the folder ``OUTPUT.parts`` until the output is complete, and are taken up by a
    second call where files and settings are the same; they stay where bad files were left out, so that the call
    that follows a repair has nothing else to do.

    Parameters
    ----------
    paths
        Input files.
    output
        Appears only when complete.
    look
        Looks at files, given the cache.
    write
        Opens a file of such rows; a function of a module, so that it can travel.
    describe
        What the output says of itself.
    skip_bad_files
        Leave out a file that cannot be used, as a whole, and report it; otherwise the first such file ends the work.
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

    Returns
    -------
    StrictModel
        What ``describe`` said.

    Raises
    ------
    InputFileError
        A file cannot be used (see the classes in ``darktrigger.errors``).
    DarktriggerError
        No file can be used, or the output cannot be written.
    """
    output = Path(output)
    report = report or RunReport(output.name)
    folder = output.with_name(f"{output.name}.parts")
    with report.phase("look at files"):
        files = list(look(paths[: limits.files], cache))
    bad = [file for file in files if isinstance(file, InputFileError)]
    if bad and not skip_bad_files:
        raise bad[0]
    made = Production([], [])
    with _kept(folder), join_parquet(output) as joiner, report.phase("image"):
        cuts = list(_cut(files, limits.chunks, lambda file: file.pieces(folder, write)))
        for found in _made(cuts, executor, report, whole_files=skip_bad_files):
            if isinstance(found, Part):
                joiner.append(found.path)
                continue
            if isinstance(found, Done):
                made.done.append(found)
            elif skip_bad_files:
                logger.warning("skipped %s", found)
                made.skipped.append(SkippedFile(path=str(found.path), cause=found.cause))
            else:
                raise found
            advance(1)
        if not made.done:
            raise DarktriggerError(f"no usable input file:\n{listed(made.skipped)}")
        metadata = describe(made)
        joiner.write_metadata(metadata)
    _tell(report, made)
    if not made.skipped:
        shutil.rmtree(folder, ignore_errors=True)
    return metadata


@contextmanager
def _kept(folder: Path) -> Iterator[None]:
    """Leave no folder behind that holds no part."""
    try:
        yield
    finally:
        with suppress(OSError):
            folder.rmdir()


class _Cut(NamedTuple):
    file: InputFile
    pieces: list[Piece]


def _cut(
    files: Iterable[InputFile | InputFileError], limit: int | None, pieces_of: Callable[[InputFile], list[Piece]]
) -> Iterator[_Cut | InputFileError]:
    """Files cut into pieces, the first ``limit`` of which are to be made."""
    n_pieces = 0
    for file in files:
        if isinstance(file, InputFileError):
            yield file
            continue
        pieces = pieces_of(file)[: None if limit is None else limit - n_pieces]
        n_pieces += len(pieces)
        if not pieces:
            return
        yield _Cut(file, pieces)


def _made(
    files: Sequence[_Cut | InputFileError], executor: Executor, report: RunReport, *, whole_files: bool
) -> Iterator[Part | Done | InputFileError]:
    """Parts to be written, in order; after those of a file, the file, or why it cannot be used.

    With ``whole_files`` parts come once all of their file are made, none of a bad one; otherwise as they are made,
    which suits those whom a bad file stops.
    """
    pieces = (piece for file in files if isinstance(file, _Cut) for piece in file.pieces)
    parts = report.count(executor.map(Meter(_part_or_error), pieces))
    for file in files:
        if isinstance(file, InputFileError):
            yield file
            continue
        found: list[Part | InputFileError] = []
        for part in islice(parts, len(file.pieces)):
            found.append(part)
            if isinstance(part, Part) and not whole_files:
                yield part
        result = _result(file.file, found)
        if isinstance(result, Done) and whole_files:
            yield from result.parts
        yield result


def _result(file: InputFile, results: Sequence[Part | InputFileError]) -> Done | InputFileError:
    for result in results:
        if isinstance(result, InputFileError):
            return result
    if file.fingerprint and fingerprint(file.path) != file.fingerprint:
        return UnreadableFileError(file.path, "changed while it was read")
    return Done(file, tuple(result for result in results if isinstance(result, Part)))


def _part_or_error(piece: Piece) -> Part | InputFileError:
    try:
        return make_part(piece)
    except InputFileError as error:
        return error


def _tell(report: RunReport, made: Production) -> None:
    parts = [part for one in made.done for part in one.parts]
    report.events += sum(part.cutflow.read for part in parts)
    report.bytes_read += sum(part.bytes_read for part in parts)
    report.taken_up += sum(part.taken_up for part in parts)
    report.columns = tuple(dict.fromkeys(name for one in made.done for name in one.file.maker.names()))
    report.bad_files |= {bad.path: bad.cause for bad in made.skipped}
