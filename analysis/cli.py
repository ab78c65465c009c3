"""Commands of the analysis stage: ``analyze``, ``plot`` and ``evaluate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


class ExecutorKind(StrEnum):
    """Who does the work."""

    ITERATIVE = "iterative"
    FUTURES = "futures"
    DASK = "dask"


class Experiment(StrEnum):
    """Style of the plots."""

    PLAIN = "plain"
    CMS = "CMS"
    ATLAS = "ATLAS"


_Style = Annotated[
    Experiment | None, typer.Option(case_sensitive=False, help="Style of the plots (default: from the config, plain).")
]
_OutDir = Annotated[Path, typer.Option("--output", "-o", help="Folder to write to.")]


@app.command()
def analyze(
    fileset: Annotated[Path, typer.Argument(help="YAML or JSON: dataset names with Delphes files and metadata.")],
    trigger: Annotated[Path, typer.Option(help="Trigger model (ONNX).")],
    output: _OutDir,
    config: Annotated[Path | None, typer.Option(help="YAML file with analysis settings.")] = None,
    executor: Annotated[
        ExecutorKind | None, typer.Option(help="Who does the work (default: from the config, iterative).")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes of futures and of a local dask cluster (default: 1).")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a dask scheduler, tcp://HOST:PORT (default: a local cluster).")
    ] = None,
    chunk_size: Annotated[
        int | None, typer.Option(min=1, help="Events that a worker holds at a time (default: 10000).")
    ] = None,
    limit_files: Annotated[
        int | None, typer.Option(min=1, help="Use only so many files of each dataset (default: all).")
    ] = None,
    limit_chunks: Annotated[
        int | None, typer.Option(min=1, help="Use only so many chunks of each dataset (default: all).")
    ] = None,
    skip_bad_files: Annotated[
        bool, typer.Option("--skip-bad-files", help="Leave bad files out, and report them.")
    ] = False,
    style: _Style = None,
) -> None:
    """Trigger efficiencies, ROC curves, rates and ABCD estimates of a trigger on Delphes files."""
    from analysis.analyze import analyze as run_analysis
    from analysis.config import AnalysisConfig, Limits
    from analysis.fileset import read_fileset
    from analysis.trigger import Trigger
    from darktrigger.config import load_config, validate

    settings = load_config(AnalysisConfig, config)
    executor_options = {"kind": executor, "workers": workers, "scheduler": scheduler, "chunk_size": chunk_size}
    changes = {
        "executor": settings.executor.model_dump() | {k: v for k, v in executor_options.items() if v is not None},
        "style": settings.style.model_dump() | ({"experiment": style.value} if style else {}),
    }
    settings = validate(AnalysisConfig, settings.model_dump() | changes, "command line")
    done = run_analysis(
        read_fileset(fileset, settings.tree),
        Trigger(trigger),
        settings,
        output,
        limits=Limits(limit_files, limit_chunks),
        skip_bad_files=skip_bad_files,
    )
    for bad in done.summary.bad_files:
        typer.echo(f"skipped {bad.path}: {bad.cause}", err=True)
    _report([*done.plots, done.summary_path])


@app.command()
def plot(
    folder: Annotated[Path, typer.Argument(help="Folder that analyze wrote.")],
    style: _Style = None,
) -> None:
    """Draw the plots of an analysis again from its saved histograms."""
    from analysis.analyze import redraw

    done = redraw(folder, style.value if style else None)
    _report([*done.plots, done.summary_path])


@app.command()
def evaluate(
    trigger: Annotated[Path, typer.Argument(help="Trigger model (ONNX).")],
    images: Annotated[list[str], typer.Argument(help="Labelled image files; label 0 is background. Globs allowed.")],
    output: _OutDir,
    target_tpr: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Signal efficiency at which the false positive rate is quoted.")
    ] = 0.4,
    background_entries: Annotated[
        str,
        typer.Option(
            metavar="MODULO:KEEP",
            help="Background events to use: those whose entry number modulo MODULO is in KEEP, such as 2:1 or 3:0,2.",
        ),
    ] = "1:0",
    batch_size: Annotated[int, typer.Option(min=1, help="Events of which dense images exist at a time.")] = 16,
    style: _Style = None,
) -> None:
    """Tables and ROC curves of a trigger's scores on labelled images, as in the CoDAE paper (tables 1 and 2)."""
    from analysis.config import StyleConfig
    from analysis.evaluate import evaluate as run_evaluation
    from analysis.trigger import Trigger
    from darktrigger.inputs import expand_paths
    from imaging.split import EntrySplit

    look = StyleConfig(experiment=style.value) if style else StyleConfig()
    written = run_evaluation(
        Trigger(trigger),
        expand_paths(images),
        output,
        target_tpr,
        look,
        background_entries=EntrySplit.parse(background_entries),
        batch_size=batch_size,
    )
    _report(written)


def _report(paths: list[Path]) -> None:
    """Name what was written."""
    for path in paths:
        typer.echo(path)
