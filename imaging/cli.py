"""Commands of the imaging stage: ``image``, ``image-jets`` and ``display``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import imaging.jets.cli

app = typer.Typer()
app.add_typer(imaging.jets.cli.app)


@app.command()
def image(
    files: Annotated[list[str], typer.Argument(help="Delphes ROOT files: local paths, globs or root:// addresses.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Image file to write (Parquet).")],
    process: Annotated[str, typer.Option(help="Process name, such as qcd, suep or svj.")] = "background",
    label: Annotated[
        int | None,
        typer.Option(min=0, max=255, help="0 background, 1 SUEP, 2 SVJ, 3 and up: others (default: by process)."),
    ] = None,
    mass: Annotated[float, typer.Option(min=0, help="Mediator mass in GeV; 0 for background.")] = 0.0,
    ht_min: Annotated[
        float | None, typer.Option(min=0, help="Keep events with HT above this, in GeV (default: 500).")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with imaging settings.")] = None,
    skip_bad_files: Annotated[
        bool, typer.Option("--skip-bad-files", help="Leave bad files out, and report them.")
    ] = False,
) -> None:
    """Turn Delphes ROOT files into one file of sparse tracker, ECAL and HCAL images."""
    from darktrigger.config import load_config
    from darktrigger.inputs import expand_paths
    from darktrigger.memory import keep_freed_memory
    from darktrigger.progress import progress
    from imaging.config import ImagingConfig, Selection
    from imaging.convert import Sample, convert

    keep_freed_memory()
    settings = load_config(ImagingConfig, config)
    if ht_min is not None:
        settings = settings.model_copy(update={"selection": Selection(ht_min=ht_min)})
    paths = expand_paths(files)
    with progress("imaging", len(paths)) as advance:
        done = convert(
            paths,
            output,
            Sample(process=process, label=label, mass=mass),
            settings,
            skip_bad_files=skip_bad_files,
            advance=advance,
        )
    typer.echo(f"{output}: {done.events_selected} of {done.events_read} events with HT > {done.selection.ht_min:g} GeV")
    for branches in done.branches:
        typer.echo(f"branches: {', '.join(branches.names())}")
    for bad in done.skipped_files:
        typer.echo(f"skipped {bad.path}: {bad.cause}", err=True)


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
    from imaging.jets.display import draw_jets, is_jet_file, load_jets

    if is_jet_file(file):
        draw_jets(*load_jets(file, entry), title or Path(file).name, output)
        typer.echo(output)
        return
    event = load_event(file, entry, load_config(ImagingConfig, config))
    draw_event(event, title or f"{Path(file).name}, entry {entry}", output)
    typer.echo(output)
