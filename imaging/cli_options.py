"""What the three commands that read many files have in common: their options, and the call with its report.

Nothing is imported here that takes longer than printing a help text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol, TypeVar

import typer

if TYPE_CHECKING:
    from darktrigger.config import StrictModel
    from darktrigger.inputs import SkippedFile
    from imaging.config import ReadingConfig

OutputOption = Annotated[Path, typer.Option("--output", "-o", help="File to write (Parquet).")]
FilesArgument = Annotated[
    list[str] | None, typer.Argument(help="Delphes ROOT files: local paths, globs or root:// addresses.")
]
FilesFromOption = Annotated[
    Path | None,
    typer.Option(help="Text file that names further input files, one a line, such as that of the failed ones."),
]
SkipOption = Annotated[
    bool, typer.Option("--skip-bad-files", help="Leave bad files out, and list them in OUTPUT.failed.txt.")
]
LimitFilesOption = Annotated[int | None, typer.Option(min=1, help="Use only so many files (default: all).")]
LimitChunksOption = Annotated[
    int | None, typer.Option(min=1, help="Use only so many pieces, of some 250 MB each (default: all).")
]
ReadTimeoutOption = Annotated[
    float | None,
    typer.Option(min=0.1, help="Seconds for one read of a remote file, tried three times (default: 60)."),
]


class Produced(Protocol):
    """What an output file says of itself, as far as all of them do."""

    @property
    def skipped_files(self) -> tuple[SkippedFile, ...]:
        """Files that could not be used."""


ProducedT = TypeVar("ProducedT", bound=Produced)


def input_paths(files: Sequence[str] | None, files_from: Path | None) -> list[str]:
    """Paths of the command line and of a list, globs expanded.

    Raises
    ------
    typer.BadParameter
        There are none.
    """
    from darktrigger.inputs import expand_paths, read_list

    paths = expand_paths([*(files or []), *(read_list(files_from) if files_from else [])])
    if not paths:
        raise typer.BadParameter("name input files, or a list of them with --files-from")
    return paths


def run_production(
    stage: str,
    convert: Callable[..., ProducedT],
    paths: Sequence[str],
    output: Path,
    sample: StrictModel,
    settings: ReadingConfig,
    *,
    executor: dict[str, Any],
    limits: tuple[int | None, int | None],
    read_timeout: float | None,
    skip_bad_files: bool,
) -> ProducedT:
    """Convert with progress, then write report and list of failed files beside the output.

    Parameters
    ----------
    stage
        The command.
    convert
        Takes paths, output, sample and settings, and the keywords of :class:`imaging.production.How`.
    paths, output, sample, settings
        For it.
    executor
        Options given, see :func:`darktrigger.executor_options.given_options`.
    limits
        Files, and pieces.
    read_timeout
        In the place of that of the settings, if given.
    skip_bad_files
        Leave them out.
    """
    from darktrigger.cache import fileset_cache
    from darktrigger.config import validate
    from darktrigger.executors import ExecutorConfig, open_executor
    from darktrigger.inputs import write_failed
    from darktrigger.progress import progress
    from darktrigger.run_report import RunReport
    from imaging.production import Limits

    who = validate(ExecutorConfig, executor, "command line")
    report = RunReport(stage, who.model_dump())
    with open_executor(who) as workforce, progress(stage, len(paths)) as advance:
        done = convert(
            paths,
            output,
            sample,
            settings if read_timeout is None else settings.model_copy(update={"read_timeout": read_timeout}),
            skip_bad_files=skip_bad_files,
            executor=workforce,
            limits=Limits(*limits),
            cache=fileset_cache(),
            report=report,
            advance=advance,
        )
    report.write(f"{output}.report.json")
    write_failed(f"{output}.failed.txt", report.bad_files)
    for bad in done.skipped_files:
        typer.echo(f"skipped {bad.path}: {bad.cause}", err=True)
    return done
