"""``darktrigger evaluate``: scores on labelled images, tables and figures as in the CoDAE and ConvAE papers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from analysis.collision_energy import energies_of, told
from analysis.evaluation.assessment import Assessed, evaluated
from analysis.evaluation.collect import collect
from analysis.evaluation.compression import compress, compression_csv, compression_data, compression_markdown
from analysis.evaluation.config import EvaluationConfig
from analysis.evaluation.gallery import draw_evaluation
from analysis.evaluation.models import Model, group_models
from analysis.evaluation.rows import Benchmark, rows_of
from analysis.evaluation.samples import BACKGROUND, LABEL_0_AS_SIGNAL, Key, Sample
from analysis.labels import check_labels, missing
from analysis.scores import baselines_of
from analysis.training_events import warn_of_training_events
from analysis.trigger import Trigger
from darktrigger.errors import AnalysisError, InputFileError
from darktrigger.executors import ExecutorConfig, open_executor
from darktrigger.files import fingerprint, write_json, write_text
from darktrigger.inputs import SkippedFile, listed, write_failed
from darktrigger.provenance import versions
from darktrigger.run_report import RunReport
from imaging.image_set import ImageSet
from imaging.image_source import ImageSource, open_images
from imaging.jets.jet_file import is_jet_file
from imaging.jets.jet_set import JetSet
from imaging.jets.jet_source import JetFile, open_jets
from imaging.objects.object_set import ObjectSet

PARTS_NAME, REPORT_NAME, FAILED_NAME = "parts", "report.json", "failed.txt"

#: Events that are fed to models while these are timed.
_TIMED_EVENTS = 32


def evaluate(
    triggers: Sequence[Trigger],
    paths: Sequence[str],
    out_dir: str | Path,
    config: EvaluationConfig | None = None,
    *,
    reference: Trigger | None = None,
    skip_bad_files: bool = False,
    executor: ExecutorConfig | None = None,
) -> list[Path]:
    """Compare every score, the models' and the physics baselines, on labelled images.

    Each signal and mass is set against all background (label 0, unless configured), every event with its
    weight. Figures are exact: they come from the scores of all events, four bytes each,
    which stay in memory, while images exist for a few thousand events at a time. Scored pieces
    lie in the folder ``parts`` of the output until it is complete, and are taken up by a second call.

    Parameters
    ----------
    triggers
        Trigger models; those that differ by seed alone are averaged.
    paths
        Image files, ours (Parquet) or the CoDAE paper's (npz), or jet image files.
    out_dir
        Folder for ``auroc``, ``fpr``, ``rejection``, ``dominance``, ``reconstruction``, for models that give
        their latents ``mmd``, and with a reference ``compression`` (CSV, Markdown each), ``evaluation.json`` and
        ``plots``.
    config
        Settings.
    reference
        Model that the others are compressed versions of: adds the change in AUROC, latency and
        size against it.
    skip_bad_files
        Leave out image files that cannot be used, each as a whole, and name them in the report.
    executor
        Who scores the events, this process unless given; nothing depends on it.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    AnalysisError
        No background or no signal among the events; models that cannot be told apart.
    InputFileError
        A bad image file, or one that a model cannot be fed with.
    """
    config, folder = config or EvaluationConfig(), Path(out_dir)
    triggers = _with_reference(triggers, reference)
    models = group_models(triggers)
    who = executor or ExecutorConfig()
    parts, report = folder / PARTS_NAME, RunReport("evaluate", who.model_dump())
    sources = _open(paths, triggers, report, skip_bad_files=skip_bad_files)
    used = [source.path for source in sources]
    warn_of_training_events(triggers, used, [config.background_entries, config.signal_entries])
    rows = rows_of(models, baselines_of(sources[0].holds))
    background = _background(config.background, sources)
    check_labels("evaluation", used, background)
    with report.phase("score"), open_executor(who) as workforce:
        samples = collect(
            triggers,
            sources,
            config,
            background,
            skip_bad_files=skip_bad_files,
            executor=workforce,
            parts=parts,
            report=report,
        )
    for trigger in triggers:
        trigger.check_unchanged()
    sources = [source for source in sources if source.path not in report.bad_files]
    energies = chain.from_iterable(energies_of(source.path) for source in sources)
    config = config.model_copy(update={"style": told(config.style, energies)})
    if config.weights == "unit":
        samples = {key: replace(sample, weight=np.ones(len(sample.weight))) for key, sample in samples.items()}
    benchmarks = _benchmarks(samples, sources)
    found, tables = evaluated(models, rows, samples, benchmarks, config)
    if reference is not None:
        files = compress(triggers[0], triggers, samples, benchmarks, _first_events(sources[0]), config.latency_calls)
        tables.append(
            Assessed("compression", compression_markdown(files), compression_csv(files), compression_data(files))
        )
    written = [path for table in tables for path in _write(folder / table.name, table.csv, table.markdown)]
    data: dict[str, Any] = {
        "unit": "per cent, except for reconstruction, dominance and latency",
        "config": config.model_dump(mode="json"),
        "models": [_describe(model) for model in models],
        "runtime": triggers[0].runtime,
        "images": {source.path: fingerprint(source.path) for source in sources},
        "samples": [_count(key, samples[key], benchmarks) for key in samples],
        **{table.name: table.data for table in tables},
        "versions": versions("onnxruntime", triggers[0].runtime.engine, "hist", "numpy", "scipy"),
    }
    write_json(folder / "evaluation.json", data)
    with report.phase("draw"):
        plots = draw_evaluation(found, config.style, folder / "plots")
    report.bytes_read = sum(Path(source.path).stat().st_size for source in sources)
    report.columns = tuple(sorted({column for source in sources for column in source.columns}))
    report.write(folder / REPORT_NAME)
    write_failed(folder / FAILED_NAME, report.bad_files)
    shutil.rmtree(parts, ignore_errors=True)
    return [*written, folder / "evaluation.json", folder / REPORT_NAME, *plots]


def _with_reference(triggers: Sequence[Trigger], reference: Trigger | None) -> list[Trigger]:
    """All models, the reference first and once."""
    if reference is None:
        return list(triggers)
    return [reference, *(trigger for trigger in triggers if trigger.fingerprint != reference.fingerprint)]


def _open(
    paths: Sequence[str], triggers: Sequence[Trigger], report: RunReport, *, skip_bad_files: bool
) -> list[ImageSource | JetFile]:
    """Files that every model can be fed with; others, where they may be left out, go to the report."""
    sources: list[ImageSource | JetFile] = []
    for path in paths:
        try:
            source = open_jets(path) if is_jet_file(path) else open_images(path)
            for spec in (trigger.metadata.input for trigger in triggers):
                source.require(spec.kind, sums_channels=spec.sums_channels)
        except InputFileError as error:
            if not skip_bad_files:
                raise
            report.bad_files[path] = error.cause
            continue
        sources.append(source)
    if not sources:
        bad = [SkippedFile(path=path, cause=cause) for path, cause in report.bad_files.items()]
        raise AnalysisError(f"no usable input file:\n{listed(bad)}")
    return sources


def _background(name: str | None, sources: Sequence[ImageSource | JetFile]) -> int:
    """Label of the class that is background."""
    if name is None:
        return 0
    labels = {known.lower(): label for source in sources for label, known in source.label_names.items()}
    if name.lower() not in labels:
        raise AnalysisError(f"background: no class is named '{name}'; the files name {', '.join(sorted(labels))}")
    return labels[name.lower()]


def _benchmarks(samples: dict[Key, Sample], sources: Sequence[ImageSource | JetFile]) -> dict[Key, Benchmark]:
    names = {label: name for source in sources for label, name in source.label_names.items()}
    names[LABEL_0_AS_SIGNAL.label] = names.get(0, "background")
    benchmarks = {
        key: Benchmark(names.get(key.label, f"label {key.label}"), key.mass) for key in samples if key != BACKGROUND
    }
    if BACKGROUND not in samples or not benchmarks:
        raise missing("evaluation", {key.label for key in samples})
    return benchmarks


def _first_events(source: ImageSource | JetFile) -> ImageSet | JetSet | ObjectSet:
    return next(events for events in source.iterate(_TIMED_EVENTS) if len(events))


def _describe(model: Model) -> dict[str, Any]:
    files = {trigger.path: trigger.fingerprint for trigger in model.triggers}
    return {"name": model.name, "family": model.family, "seeds": list(model.seeds), "files": files}


def _count(key: Key, sample: Sample, benchmarks: dict[Key, Benchmark]) -> dict[str, Any]:
    name = benchmarks[key].name if key in benchmarks else "background"
    return {"name": name, "events": len(sample.weight), "sum_of_weights": float(sample.weight.sum())}


def _write(stem: Path, csv: str, markdown: str) -> list[Path]:
    paths = [stem.with_suffix(".csv"), stem.with_suffix(".md")]
    for path, text in zip(paths, (csv, markdown), strict=True):
        write_text(path, text)
    return paths
