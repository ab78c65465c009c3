"""Commands of the analysis stage: ``analyze``, ``plot``, ``evaluate``, ``estimate`` and ``menu``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import analysis.estimation.cli
from analysis.options import (
    EntriesOption,
    EventWeights,
    ModelArgument,
    OutDirOption,
    RuntimeOption,
    StyleOption,
    report,
)
from analysis.runtime import Runtime
from darktrigger.executor_options import ExecutorOption, SchedulerOption, SiteOption, WorkersOption, given_options
from imaging.cli_options import FilesFromOption, input_paths

app = typer.Typer()


@app.command()
def analyze(
    fileset: Annotated[Path, typer.Argument(help="YAML or JSON: dataset names with Delphes files and metadata.")],
    trigger: Annotated[Path, typer.Option(help="Trigger model: an ONNX file, or the name of a pretrained one.")],
    output: OutDirOption,
    config: Annotated[Path | None, typer.Option(help="YAML file with analysis settings.")] = None,
    menu: Annotated[
        Path | None,
        typer.Option(help="Support-trigger menu (YAML): only what it records is analysed (default: all events)."),
    ] = None,
    runtime: RuntimeOption = Runtime.ONNXRUNTIME,
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    site: SiteOption = None,
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
        bool,
        typer.Option(
            "--skip-bad-files", help="Leave bad files out, report them, and list them in failed.yaml, a fileset."
        ),
    ] = False,
    read_timeout: Annotated[
        float | None,
        typer.Option(min=0.1, help="Seconds for one read of a remote file, tried three times (default: 60)."),
    ] = None,
    style: StyleOption = None,
) -> None:
    """Trigger efficiencies, ROC curves, rates and ABCD estimates of a trigger on Delphes files.

    An interrupted call goes on where it was. report.json in the output folder says what the call cost.
    """
    from analysis.analyze import analyze as run_analysis
    from analysis.config import AnalysisConfig, Limits
    from analysis.fileset import read_fileset
    from analysis.menu import read_menu
    from analysis.trigger import Trigger
    from darktrigger.cache import fileset_cache
    from darktrigger.config import load_config, validate
    from darktrigger.pretrained import trigger_path

    settings = load_config(AnalysisConfig, config)
    chunks = {} if chunk_size is None else {"chunk_size": chunk_size}
    changes: dict[str, object] = {
        "executor": settings.executor.model_dump() | given_options(executor, workers, scheduler, site) | chunks,
        "read_timeout": settings.read_timeout if read_timeout is None else read_timeout,
        "style": settings.style.model_dump() | ({"experiment": style.value} if style else {}),
    }
    if menu is not None:
        changes["menu"] = read_menu(menu).model_dump()
    settings = validate(AnalysisConfig, settings.model_dump() | changes, "command line")
    done = run_analysis(
        read_fileset(fileset, settings.tree),
        Trigger(trigger_path(trigger), runtime),
        settings,
        output,
        limits=Limits(limit_files, limit_chunks),
        skip_bad_files=skip_bad_files,
        cache=fileset_cache(),
    )
    for bad in done.summary.bad_files:
        typer.echo(f"skipped {bad.path}: {bad.cause}", err=True)
    report([*done.plots, done.summary_path])


@app.command()
def plot(
    folder: Annotated[Path, typer.Argument(help="Folder that analyze wrote.")],
    style: StyleOption = None,
) -> None:
    """Draw the plots of an analysis again from its saved histograms."""
    from analysis.analyze import redraw

    done = redraw(folder, style.value if style else None)
    report([*done.plots, done.summary_path])


@app.command()
def evaluate(
    model: ModelArgument,
    output: OutDirOption,
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGES",
            help="Labelled image files (Parquet, or npz as the CoDAE paper's), or jet image files; label 0 is "
            "background unless told otherwise. Globs allowed.",
        ),
    ] = None,
    files_from: FilesFromOption = None,
    trigger: Annotated[
        list[str] | None,
        typer.Option(
            help="A further trigger model; may be repeated, globs allowed. Models that differ by seed alone are "
            "averaged (default: none)."
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            help="Model of which the others are compressed versions: adds a table of the change in AUROC, latency "
            "(batch 1, one thread, ms) and size (default: none)."
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(help="YAML file with evaluation settings.")] = None,
    target_tpr: Annotated[
        float | None, typer.Option(help="Signal efficiency at which the false positive rate is quoted (default: 0.4).")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of random subsets and resamples (default: 42).")] = None,
    background_entries: EntriesOption = None,
    signal_entries: Annotated[
        str | None,
        typer.Option(
            metavar="MODULO:KEEP",
            help="Signal events to use, likewise: those that did not train a supervised model (default: all).",
        ),
    ] = None,
    weights: Annotated[
        EventWeights | None,
        typer.Option(help="How events count: by the generator's weight, or once each as in the papers (unit)."),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Class that is background, as the files name it, such as top for a model trained on tops "
            "(default: that of label 0).",
        ),
    ] = None,
    skip_bad_files: Annotated[
        bool, typer.Option("--skip-bad-files", help="Leave bad image files out, and list them in failed.txt.")
    ] = False,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Events of which dense images exist at a time (default: 16).")
    ] = None,
    runtime: RuntimeOption = Runtime.ONNXRUNTIME,
    executor: ExecutorOption = None,
    workers: WorkersOption = None,
    scheduler: SchedulerOption = None,
    site: SiteOption = None,
    style: StyleOption = None,
) -> None:
    """Tables 1 to 4 of the CoDAE paper and its figures for trigger models, beside what the papers found.

    An interrupted call goes on where it was. report.json in the output folder says what the call cost.
    """
    from analysis.evaluate import evaluate as run_evaluation
    from analysis.evaluation.config import EvaluationConfig
    from analysis.trigger import Trigger
    from darktrigger.config import load_config, validate
    from darktrigger.executors import ExecutorConfig
    from darktrigger.inputs import expand_paths
    from darktrigger.pretrained import trigger_path
    from imaging.split import EntrySplit

    settings = load_config(EvaluationConfig, config)
    options: dict[str, object] = {
        "target_tpr": target_tpr,
        "seed": seed,
        "background_entries": background_entries and EntrySplit.parse(background_entries).model_dump(),
        "signal_entries": signal_entries and EntrySplit.parse(signal_entries).model_dump(),
        "background": background,
        "weights": weights and weights.value,
        "batch_size": batch_size,
    }
    changes = {name: value for name, value in options.items() if value is not None}
    if style:
        changes["style"] = settings.style.model_dump() | {"experiment": style.value}
    written = run_evaluation(
        [Trigger(trigger_path(path), runtime) for path in expand_paths([model, *(trigger or [])])],
        input_paths(images, files_from),
        output,
        validate(EvaluationConfig, settings.model_dump() | changes, "command line"),
        reference=None if reference is None else Trigger(trigger_path(reference), runtime),
        skip_bad_files=skip_bad_files,
        executor=validate(ExecutorConfig, given_options(executor, workers, scheduler, site), "command line"),
    )
    report(written)


app.add_typer(analysis.estimation.cli.app)
