"""Command ``image-jets``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from darktrigger.executor_options import ExecutorOption, SchedulerOption, SiteOption, WorkersOption, given_options
from imaging.cli_options import (
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


class Window(StrEnum):
    """Windows of the paper: top tagging and dark jets."""

    TOP = "top"
    DARK = "dark"


@app.command("image-jets")
def image_jets(
    output: OutputOption,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            help="Delphes ROOT files (local paths, globs or root:// addresses), or HDF5 files of constituents "
            "(.h5, .hdf5: the top-tagging data set's layout, or an array (jets, constituents, 4) of E, px, py, pz)."
        ),
    ] = None,
    files_from: FilesFromOption = None,
    process: Annotated[
        str | None,
        typer.Option(
            help="Process name: qcd, top, aachen, heidelberg, ...", show_default="as the file tells, else qcd"
        ),
    ] = None,
    label: Annotated[
        int | None,
        typer.Option(
            min=0, max=255, help="0 QCD, 3 top, 4 Aachen, 5 Heidelberg, 6 and up: others.", show_default="by process"
        ),
    ] = None,
    mass: Annotated[
        float | None, typer.Option(min=0, help="Mass of the mediator in GeV; 0 for none.", show_default="as generated")
    ] = None,
    pt_min: Annotated[float | None, typer.Option(min=0, help="Least p_T of a jet, GeV.", show_default="550")] = None,
    pt_max: Annotated[float | None, typer.Option(min=0, help="Largest p_T of a jet, GeV.", show_default="650")] = None,
    eta_max: Annotated[float | None, typer.Option(min=0, help="Largest |eta| of a jet.", show_default="2")] = None,
    window: Annotated[
        Window | None,
        typer.Option(help="Window in p_T: 550 to 650 GeV, or 150 to 300 GeV for dark jets.", show_default="top"),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with settings: selection, branches, ...")] = None,
    skip_bad_files: SkipOption = False,
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    site: SiteOption = None,
    limit_files: LimitFilesOption = None,
    limit_chunks: LimitChunksOption = None,
    read_timeout: ReadTimeoutOption = None,
) -> None:
    """Find anti-k_T jets and turn them into one file of jet images (40 x 40 pixels).

    An interrupted call goes on where it was. OUTPUT.report.json says what the call cost.
    """
    from darktrigger.config import load_config, validate
    from imaging.generated_signal import sample_options
    from imaging.jets.config import DARK_JETS, TOP_TAGGING, JetConfig, JetSelection
    from imaging.jets.convert import JetSample, convert_jets

    paths = input_paths(files, files_from)
    settings = load_config(JetConfig, config)
    selection = {None: settings.selection, Window.TOP: TOP_TAGGING, Window.DARK: DARK_JETS}[window]
    given = {"pt_min": pt_min, "pt_max": pt_max, "eta_max": eta_max}
    changed = selection.model_dump() | {name: value for name, value in given.items() if value is not None}
    settings = settings.model_copy(update={"selection": validate(JetSelection, changed, "options")})
    process, mass = sample_options(paths, process, label, mass)
    sample = JetSample(process=process, label=label, mass=mass)
    done = run_production(
        "image-jets",
        convert_jets,
        paths,
        output,
        sample,
        settings,
        executor=given_options(executor, workers, scheduler, site),
        limits=(limit_files, limit_chunks),
        read_timeout=read_timeout,
        skip_bad_files=skip_bad_files,
    )
    chosen = done.selection
    typer.echo(
        f"{output}: {done.jets_selected} jets of {chosen.pt_min:g} to {chosen.pt_max:g} GeV "
        f"from {done.events_read} {'jets' if done.algorithm == 'as in the source file' else 'events'}"
    )
    for constituents in dict.fromkeys(source.constituents for source in done.source_files):
        typer.echo(f"constituents: {', '.join(constituents)}")
