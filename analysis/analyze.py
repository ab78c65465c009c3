"""``darktrigger analyze``: fileset and trigger in; histograms, summary and plots out."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from analysis.collision_energy import told
from analysis.config import NO_LIMITS, AnalysisConfig, Limits, StyleConfig
from analysis.fileset import Dataset, failed_fileset, write_fileset
from analysis.histograms import Histograms
from analysis.plots.gallery import draw_all
from analysis.reading import fitted, reader_for
from analysis.runner import Processed, process_fileset
from analysis.scores import ALL_BASELINES, directions
from analysis.store import read_histograms_json, write_histograms_json, write_histograms_root
from analysis.summarise import (
    Samples,
    abcd_summaries,
    cutflow_steps,
    menu_summary,
    selected_rate,
    signal_figures,
    working_points,
)
from analysis.summary import DatasetSummary, ScoreSummary, Summary, TriggerSummary
from analysis.trigger import Trigger
from darktrigger.config import validate
from darktrigger.errors import AnalysisError
from darktrigger.provenance import versions
from darktrigger.run_report import RunReport
from imaging.generation_record import generated_energy

logger = logging.getLogger(__name__)

CONFIG_NAME = "config.yaml"
HISTOGRAMS_NAME = "histograms"
PARTS_NAME, REPORT_NAME, FAILED_NAME = "parts", "report.json", "failed.yaml"


@dataclass(frozen=True)
class AnalysisOutput:
    """What was written."""

    summary: Summary
    summary_path: Path
    plots: tuple[Path, ...]


def analyze(
    datasets: tuple[Dataset, ...],
    trigger: Trigger,
    config: AnalysisConfig,
    out_dir: str | Path,
    *,
    limits: Limits = NO_LIMITS,
    skip_bad_files: bool = False,
    cache: Path | None = None,
) -> AnalysisOutput:
    """Run the whole analysis.

    Finished chunks lie in the folder ``parts`` of the output until it is complete, and are taken up by a second call
    with the same settings; they stay where bad files were left out, so that the call that follows a repair has
    nothing else to do.

    Parameters
    ----------
    datasets
        At least one background and one signal.
    trigger
        Trigger model.
    config
        Settings; saved with the output.
    out_dir
        Folder for ``histograms.root``, ``histograms.json``, ``summary.json``,
        ``config.yaml``, ``report.json`` (what the run cost) and ``plots``.
    limits
        How much of the fileset to process.
    skip_bad_files
        Leave bad files out, report them in the summary, and list them in ``failed.yaml``, a fileset.
    cache
        Folder that remembers what files hold; None to look in any case.

    Raises
    ------
    InputFileError
        A bad file, unless bad files are skipped.
    AnalysisError
        No background, no signal, no selected background event, a figure that cannot be had, or a menu of
        another model.
    """
    for kind, present in (("background (label 0)", True), ("signal (label 1 or higher)", False)):
        if not any(dataset.metadata.is_background is present for dataset in datasets):
            raise AnalysisError(f"the fileset has no {kind} dataset")
    if config.menu is not None and config.menu.trigger != trigger.fingerprint:
        raise AnalysisError(f"the menu was made for another model than {trigger.path}")
    config = fitted(config, trigger)
    energies = (generated_energy(path) for dataset in datasets for path in dataset.files)
    config = config.model_copy(update={"style": told(config.style, energies)})
    out_dir = Path(out_dir)
    parts, report = out_dir / PARTS_NAME, RunReport("analyze", config.executor.model_dump())
    processed = process_fileset(
        datasets, trigger, config, limits=limits, skip_bad_files=skip_bad_files, parts=parts, cache=cache, report=report
    )
    for bad in processed.bad_files:
        logger.warning("skipped %s: %s", bad.path, bad.cause)
    write_fileset(out_dir / FAILED_NAME, failed_fileset(datasets, {bad.path for bad in processed.bad_files}))
    summary = summarise(datasets, trigger, config, processed)
    histograms = {name: result.histograms for name, result in processed.datasets.items()}
    config.to_yaml(out_dir / CONFIG_NAME)
    write_histograms_json(out_dir / f"{HISTOGRAMS_NAME}.json", histograms)
    write_histograms_root(out_dir / f"{HISTOGRAMS_NAME}.root", histograms)
    summary.write(out_dir)
    with report.phase("draw"):
        output = _drawn(summary, histograms, config, out_dir)
    report.write(out_dir / REPORT_NAME)
    if not processed.bad_files:
        shutil.rmtree(parts, ignore_errors=True)
    return output


def redraw(out_dir: str | Path, experiment: str | None = None) -> AnalysisOutput:
    """Draw the plots again from what :func:`analyze` wrote, in another style if one is given.

    Raises
    ------
    DarktriggerError
        The folder does not hold the output of an analysis.
    """
    config = AnalysisConfig.from_yaml(Path(out_dir, CONFIG_NAME))
    if experiment is not None:
        style = validate(StyleConfig, config.style.model_dump() | {"experiment": experiment}, "style")
        config = config.model_copy(update={"style": style})
    histograms = read_histograms_json(Path(out_dir, f"{HISTOGRAMS_NAME}.json"))
    return _drawn(Summary.read(out_dir), histograms, config, Path(out_dir))


def _drawn(
    summary: Summary, histograms: dict[str, Histograms], config: AnalysisConfig, out_dir: Path
) -> AnalysisOutput:
    samples = Samples(
        {name: dataset.metadata for name, dataset in summary.datasets.items()},
        histograms,
        {name: dataset.sum_of_weights for name, dataset in summary.datasets.items()},
        config.luminosity,
    )
    plots = draw_all(samples, summary, config, out_dir / "plots")
    return AnalysisOutput(summary, out_dir / "summary.json", plots)


def summarise(datasets: tuple[Dataset, ...], trigger: Trigger, config: AnalysisConfig, processed: Processed) -> Summary:
    """Compute every figure of the summary.

    Raises
    ------
    AnalysisError
        No background event passes the preselection, or a figure cannot be had.
    """
    cutflows = {name: result.cutflow for name, result in processed.datasets.items()}
    samples = Samples(
        {dataset.name: dataset.metadata for dataset in datasets},
        {name: result.histograms for name, result in processed.datasets.items()},
        {name: cutflow.sum_of_weights_read for name, cutflow in cutflows.items()},
        config.luminosity,
    )
    selected = reader_for(trigger, config).selection_label
    if not any(cutflows[name].selected for name in samples.backgrounds):
        raise AnalysisError(f"no background event has {selected}")
    scores = {
        name: direction
        for name, direction in directions(trigger, config.baselines).items()
        if f"score_{name}" in processed.datasets[datasets[0].name].histograms
    }
    bad_paths = {bad.path for bad in processed.bad_files}
    return Summary(
        trigger=TriggerSummary(
            path=trigger.path,
            family=trigger.metadata.family,
            fingerprint=trigger.fingerprint,
            input_kind=trigger.metadata.input.kind,
            runtime=trigger.runtime,
        ),
        scores={
            name: ScoreSummary(source="baseline" if name in ALL_BASELINES else "model", direction=direction)
            for name, direction in scores.items()
        },
        datasets={
            dataset.name: DatasetSummary(
                metadata=dataset.metadata,
                files=tuple(path for path in dataset.files if path not in bad_paths),
                events=cutflows[dataset.name].read,
                sum_of_weights=cutflows[dataset.name].sum_of_weights_read,
                cutflow=cutflow_steps(cutflows[dataset.name], selected),
                selected_rate=selected_rate(samples, dataset.name, next(iter(scores))),
            )
            for dataset in datasets
        },
        signals={
            signal: {score: signal_figures(samples, score, signal, config.target_tpr) for score in scores}
            for signal in samples.signals
        },
        working_points=tuple(point for score in scores for point in working_points(samples, score, config)),
        abcd=tuple(point for pair in config.abcd.pairs for point in abcd_summaries(samples, pair, config)),
        menu=None if config.menu is None else menu_summary(samples, config.menu),
        bad_files=processed.bad_files,
        columns=processed.columns,
        versions=versions("coffea", "hist", "onnxruntime", trigger.runtime.engine, "uproot", "awkward", "numpy"),
    )
