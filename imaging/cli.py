"""Commands of the imaging stage: ``image``, ``image-jets``, ``image-objects`` and ``display``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import imaging.jets.cli
import imaging.objects.cli
from darktrigger.executor_options import ExecutorOption, SchedulerOption, SiteOption, WorkersOption, given_options
from imaging.cli_options import (
    FilesArgument,
    FilesFromOption,
    LimitChunksOption,
    LimitFilesOption,
    OutputOption,
    ReadTimeoutOption,
    SkipOption,
    input_paths,
    run_production,
)

app = typer.Typer()
app.add_typer(imaging.jets.cli.app)
app.add_typer(imaging.objects.cli.app)


@app.command()
def image(
    output: OutputOption,
    files: FilesArgument = None,
    files_from: FilesFromOption = None,
    process: Annotated[
        str | None,
        typer.Option(
            help="Process name, such as qcd, suep or svj.", show_default="the signal generated, or background"
        ),
    ] = None,
    label: Annotated[
        int | None,
        typer.Option(min=0, max=255, help="0 background, 1 SUEP, 2 SVJ, 3 and up: others (default: by process)."),
    ] = None,
    mass: Annotated[
        float | None, typer.Option(min=0, help="Mediator mass in GeV; 0 for background.", show_default="as generated")
    ] = None,
    ht_min: Annotated[
        float | None, typer.Option(min=0, help="Keep events with HT above this, in GeV (default: 500).")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with imaging settings.")] = None,
    skip_bad_files: SkipOption = False,
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    site: SiteOption = None,
    limit_files: LimitFilesOption = None,
    limit_chunks: LimitChunksOption = None,
    read_timeout: ReadTimeoutOption = None,
) -> None:
    """Turn Delphes ROOT files into one file of sparse tracker, ECAL and HCAL images.

    An interrupted call goes on where it was. OUTPUT.report.json says what the call cost.
    """
    from darktrigger.config import load_config
    from imaging.config import ImagingConfig, Selection
    from imaging.convert import convert
    from imaging.generated_signal import sample_options
    from imaging.sample import Sample

    paths = input_paths(files, files_from)
    settings = load_config(ImagingConfig, config)
    if ht_min is not None:
        settings = settings.model_copy(update={"selection": Selection(ht_min=ht_min)})
    process, mass = sample_options(paths, process, label, mass)
    sample = Sample(process=process or "background", label=label, mass=mass)
    done = run_production(
        "image",
        convert,
        paths,
        output,
        sample,
        settings,
        executor=given_options(executor, workers, scheduler, site),
        limits=(limit_files, limit_chunks),
        read_timeout=read_timeout,
        skip_bad_files=skip_bad_files,
    )
    typer.echo(f"{output}: {done.events_selected} of {done.events_read} events with HT > {done.selection.ht_min:g} GeV")
    typer.echo(f"events: {sample}")
    for branches in done.branches:
        typer.echo(f"branches: {', '.join(branches.names())}")


@app.command()
def display(
    file: Annotated[str, typer.Argument(help="Delphes ROOT file, image file or jet image file.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Picture to write; the suffix says the format.")],
    entry: Annotated[int, typer.Option(min=0, help="Row of the image file, or entry of the ROOT file.")] = 0,
    title: Annotated[str, typer.Option(help="Text above the picture (default: the file's name).")] = "",
    config: Annotated[Path | None, typer.Option(help="YAML file with imaging settings (ROOT files only).")] = None,
) -> None:
    """Draw one event: tracker, ECAL and HCAL, fine and coarse; or the mean and a few jets of a jet image file."""
    from darktrigger.config import load_config
    from imaging.config import ImagingConfig
    from imaging.display import draw_event, load_event
    from imaging.jets.display import draw_jets, load_jets
    from imaging.jets.jet_file import is_jet_file

    if is_jet_file(file):
        draw_jets(*load_jets(file, entry), title or Path(file).name, output)
        typer.echo(output)
        return
    event = load_event(file, entry, load_config(ImagingConfig, config))
    draw_event(event, title or f"{Path(file).name}, entry {entry}", output)
    typer.echo(output)
