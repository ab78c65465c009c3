"""``darktrigger evaluate``: scores on labelled images, tables and curves as in the CoDAE paper."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from hist import Hist
from hist.storage import Weight
from numpy.typing import NDArray

from analysis.axes import ScoreAxis, count_axis, score_axis
from analysis.binned import Binned
from analysis.config import AxisConfig, StyleConfig
from analysis.evaluation_tables import Benchmark, Figures, auroc_table, fpr_table
from analysis.plots.distributions import Distribution, draw_distributions
from analysis.plots.names import score_label
from analysis.plots.roc import RocSeries, draw_roc
from analysis.plots.style import save, styled
from analysis.roc import auroc, fpr_at_tpr, roc_curve
from analysis.scores import BASELINES, TOTAL_E_T, directions, event_scores, total_e_t
from analysis.trigger import Direction, Trigger
from darktrigger.errors import AnalysisError
from darktrigger.files import fingerprint, write_json, write_text
from darktrigger.progress import progress
from darktrigger.provenance import versions
from imaging.image_file import iterate_image_file, read_metadata
from imaging.image_set import ImageSet
from imaging.split import EntrySplit

#: Events of an image file that are in memory at a time.
_STEP = 4096

#: A sample is told by its label and mass; background is one sample whatever its mass.
Key = tuple[int, float]

_BACKGROUND: Key = (0, 0.0)


def evaluate(
    trigger: Trigger,
    paths: Sequence[str],
    out_dir: str | Path,
    target_tpr: float = 0.4,
    style: StyleConfig | None = None,
    *,
    background_entries: EntrySplit | None = None,
    batch_size: int = 16,
) -> list[Path]:
    """Compare every score, the model's and the physics baselines, on labelled images.

    Each signal and mass is set against all background (label 0), every event with its
    weight. Files are streamed twice: a short first look fixes the axes.

    Parameters
    ----------
    trigger
        Trigger model.
    paths
        Image files.
    out_dir
        Folder for ``auroc``, ``fpr`` (CSV, Markdown), ``evaluation.json`` and ``plots``.
    target_tpr
        Signal efficiency at which the false positive rate is quoted.
    style
        Looks and labels of the plots.
    background_entries
        Background events to use, by entry number: those that did not train the model.
    batch_size
        Events of which dense images exist at a time.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    AnalysisError
        No background or no signal among the events.
    InputFileError
        A bad image file.
    """
    style = style or StyleConfig()
    names = _label_names(paths)
    signs = directions(trigger) | dict.fromkeys(TOTAL_E_T, Direction.HIGHER)
    samples = _fill(trigger, paths, _axes(trigger, paths, batch_size), background_entries or EntrySplit(), batch_size)
    if _BACKGROUND not in samples or len(samples) < 2:
        labels = ", ".join(str(label) for label in sorted({label for label, _ in samples})) or "none"
        raise AnalysisError(f"evaluation needs background (label 0) and a signal; found labels: {labels}")
    benchmarks = {key: Benchmark(names[key[0]], key[1]) for key in sorted(samples) if key != _BACKGROUND}
    background = samples[_BACKGROUND]
    figures = [
        Figures(
            score,
            benchmark,
            auroc(samples[key][score], background[score]),
            fpr_at_tpr(samples[key][score], background[score], target_tpr),
        )
        for score in signs
        for key, benchmark in benchmarks.items()
    ]
    written = _write_tables(figures, trigger, paths, target_tpr, Path(out_dir))
    with styled(style):
        written += _draw(samples, benchmarks, figures, signs, target_tpr, style, Path(out_dir, "plots"))
    return written


def _label_names(paths: Sequence[str]) -> dict[int, str]:
    names: dict[int, str] = {}
    for path in paths:
        names |= read_metadata(path).label_names
    return names


def _scores(trigger: Trigger, events: ImageSet, batch_size: int) -> dict[str, NDArray[np.float32]]:
    return event_scores(trigger, events, batch_size) | total_e_t(events)


def _axes(trigger: Trigger, paths: Sequence[str], batch_size: int) -> dict[str, ScoreAxis]:
    """Axes from the first events of every file."""
    config = AxisConfig()
    samples = []
    for path in paths:
        first = next(iterate_image_file(path, config.prescan_events), None)
        if first is not None:
            samples.append(_scores(trigger, first, batch_size))
    axes = {
        name: score_axis(name, [sample[name] for sample in samples], config)
        for name in (*trigger.directions, *TOTAL_E_T)
    }
    return axes | {name: count_axis(name, config) for name in BASELINES}


def _fill(
    trigger: Trigger, paths: Sequence[str], axes: dict[str, ScoreAxis], entries: EntrySplit, batch_size: int
) -> dict[Key, dict[str, Binned]]:
    """Distributions of every score, by label and mass."""
    filled: dict[Key, dict[str, Hist[Any]]] = {}
    with progress("evaluating", len(paths)) as advance:
        for path in paths:
            for chunk in iterate_image_file(path, _STEP):
                events = chunk[(chunk.label != 0) | entries.mask(chunk.entry)]
                scores = _scores(trigger, events, batch_size)
                for key, rows in _by_sample(events):
                    histograms = filled.setdefault(
                        key, {name: Hist(axis.fine, storage=Weight()) for name, axis in axes.items()}
                    )
                    for name, histogram in histograms.items():
                        histogram.fill(scores[name][rows], weight=events.weight[rows])
            advance(1)
    return {key: {name: Binned.of(item) for name, item in histograms.items()} for key, histograms in filled.items()}


def _by_sample(events: ImageSet) -> Iterator[tuple[Key, NDArray[np.bool_]]]:
    mass = np.where(events.label == 0, np.float32(0), events.mass)
    for label, value in sorted(set(zip(events.label.tolist(), mass.tolist(), strict=True))):
        yield (label, value), (events.label == label) & (mass == value)


def _write_tables(
    figures: Sequence[Figures], trigger: Trigger, paths: Sequence[str], target_tpr: float, folder: Path
) -> list[Path]:
    tables = {"auroc": auroc_table(figures), "fpr": fpr_table(figures, target_tpr)}
    written = []
    for name, table in tables.items():
        written += [folder / f"{name}.csv", folder / f"{name}.md"]
        write_text(folder / f"{name}.csv", table.csv())
        write_text(folder / f"{name}.md", table.markdown())
    write_json(
        folder / "evaluation.json",
        {
            "trigger": {"path": trigger.path, "fingerprint": fingerprint(trigger.path)},
            "images": {str(path): fingerprint(path) for path in paths},
            "target_tpr": target_tpr,
            "figures": [asdict(item) for item in figures],
            "versions": versions("onnxruntime", "hist", "numpy"),
        },
    )
    return [*written, folder / "evaluation.json"]


def _draw(
    samples: dict[Key, dict[str, Binned]],
    benchmarks: dict[Key, Benchmark],
    figures: Sequence[Figures],
    signs: dict[str, Direction],
    target_tpr: float,
    style: StyleConfig,
    folder: Path,
) -> list[Path]:
    written: list[Path] = []
    background = samples[_BACKGROUND]
    for key, benchmark in benchmarks.items():
        series = []
        for item in figures:
            curve = roc_curve(samples[key][item.score], background[item.score])
            if item.benchmark == benchmark and item.auroc and curve:
                label = score_label(item.score, signs[item.score])
                series.append(RocSeries(label, item.score in (*BASELINES, *TOTAL_E_T), curve, item.auroc))
        if series:
            name = f"roc_{benchmark.name.lower().replace(' ', '_')}"
            written += save(draw_roc(series, f"{benchmark.name} GeV", target_tpr, style), folder, name)
    for score, direction in signs.items():
        distributions = [Distribution("Background", is_background=True, sample=background[score])]
        distributions += [Distribution(f"{b.name} GeV", False, samples[key][score]) for key, b in benchmarks.items()]
        written += save(
            draw_distributions(distributions, score_label(score, direction), style), folder, f"score_{score}"
        )
    return written
