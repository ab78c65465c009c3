"""Command ``image-objects``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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


@app.command("image-objects")
def image_objects(
    output: OutputOption,
    files: FilesArgument = None,
    files_from: FilesFromOption = None,
    process: Annotated[
        str | None,
        typer.Option(
            help="Process name, such as sm-leptons or a-to-4l.", show_default="the signal generated, or background"
        ),
    ] = None,
    label: Annotated[
        int | None, typer.Option(min=0, max=255, help="0 background, 3 and up: signals (default: by process).")
    ] = None,
    mass: Annotated[
        float | None,
        typer.Option(min=0, help="Mass of the new particle in GeV; 0 for background.", show_default="as generated"),
    ] = None,
    lepton_pt_min: Annotated[
        float | None, typer.Option(min=0, help="Keep events with a lepton above this, in GeV (default: 23).")
    ] = None,
    lepton_isolation_max: Annotated[
        float | None,
        typer.Option(min=0, help="... with at most this p_T sum around it, over its own (default: any)."),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with object settings.")] = None,
    skip_bad_files: SkipOption = False,
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    site: SiteOption = None,
    limit_files: LimitFilesOption = None,
    limit_chunks: LimitChunksOption = None,
    read_timeout: ReadTimeoutOption = None,
) -> None:
    """Turn Delphes ROOT files into one file of leptons, jets and missing E_T.

    An interrupted call goes on where it was. OUTPUT.report.json says what the call cost.
    """
    from darktrigger.config import load_config
    from imaging.generated_signal import sample_options
    from imaging.objects.convert import ObjectImagingConfig, convert_objects
    from imaging.sample import Sample

    paths = input_paths(files, files_from)
    settings = load_config(ObjectImagingConfig, config)
    given = {"lepton_pt_min": lepton_pt_min, "lepton_isolation_max": lepton_isolation_max}
    objects = settings.objects.model_copy(update={key: value for key, value in given.items() if value is not None})
    settings = settings.model_copy(update={"objects": objects})
    process, mass = sample_options(paths, process, label, mass)
    sample = Sample(process=process or "background", label=label, mass=mass)
    done = run_production(
        "image-objects",
        convert_objects,
        paths,
        output,
        sample,
        settings,
        executor=given_options(executor, workers, scheduler, site),
        limits=(limit_files, limit_chunks),
        read_timeout=read_timeout,
        skip_bad_files=skip_bad_files,
    )
    lepton = f"a lepton above {done.selection.lepton_pt_min:g} GeV{done.selection.isolation_label}"
    typer.echo(f"{output}: {done.events_selected} of {done.events_read} events with {lepton}")
    for branches in done.branches:
        typer.echo(f"branches: {', '.join(branches.names())}")
