"""Command ``image-objects``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


@app.command("image-objects")
def image_objects(
    files: Annotated[list[str], typer.Argument(help="Delphes ROOT files: local paths, globs or root:// addresses.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Object file to write (Parquet).")],
    process: Annotated[str, typer.Option(help="Process name, such as sm-leptons or a-to-4l.")] = "background",
    label: Annotated[
        int | None, typer.Option(min=0, max=255, help="0 background, 3 and up: signals (default: by process).")
    ] = None,
    mass: Annotated[float, typer.Option(min=0, help="Mass of the new particle in GeV; 0 for background.")] = 0.0,
    lepton_pt_min: Annotated[
        float | None, typer.Option(min=0, help="Keep events with a lepton above this, in GeV (default: 23).")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with object settings.")] = None,
    skip_bad_files: Annotated[
        bool, typer.Option("--skip-bad-files", help="Leave bad files out, and report them.")
    ] = False,
) -> None:
    """Turn Delphes ROOT files into one file of leptons, jets and missing E_T."""
    from darktrigger.config import load_config
    from darktrigger.inputs import expand_paths
    from darktrigger.progress import progress
    from imaging.convert import Sample
    from imaging.objects.convert import ObjectImagingConfig, convert_objects

    settings = load_config(ObjectImagingConfig, config)
    if lepton_pt_min is not None:
        objects = settings.objects.model_copy(update={"lepton_pt_min": lepton_pt_min})
        settings = settings.model_copy(update={"objects": objects})
    paths = expand_paths(files)
    with progress("objects", len(paths)) as advance:
        done = convert_objects(
            paths,
            output,
            Sample(process=process, label=label, mass=mass),
            settings,
            skip_bad_files=skip_bad_files,
            advance=advance,
        )
    lepton = f"a lepton above {done.selection.lepton_pt_min:g} GeV"
    typer.echo(f"{output}: {done.events_selected} of {done.events_read} events with {lepton}")
    for branches in done.branches:
        typer.echo(f"branches: {', '.join(branches.names())}")
    for bad in done.skipped_files:
        typer.echo(f"skipped {bad.path}: {bad.cause}", err=True)
