"""What an estimate writes: summary, tables, histograms, menu."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from hist import Hist
from hist.axis import Regular
from hist.storage import Int64, Weight

from analysis.estimation.config import EstimateConfig
from analysis.estimation.events import Events, ScoreChoice
from analysis.estimation.found import Found
from analysis.estimation.tables import (
    Table,
    closure_table,
    experiments_table,
    fit_table,
    rates_table,
    sic_summary,
    sic_table,
    significance_table,
    stability_table,
)
from analysis.histograms import COUNTS, Histograms, plane_name
from analysis.store import write_histograms_json, write_histograms_root
from darktrigger.files import fingerprint, write_json, write_text
from darktrigger.provenance import versions

#: Bins of each score in the saved planes.
_BINS = 100


def write_report(found: Found, paths: Sequence[str], config: EstimateConfig, folder: Path) -> list[Path]:
    """Write everything but the plots; the paths, the summary first."""
    summary = folder / "summary.json"
    write_json(summary, finite(_summary(found, paths, config)))
    written = [summary]
    for name, table in _tables(found).items():
        for suffix, text in ((".csv", table.csv()), (".md", table.markdown())):
            write_text(folder / f"{name}{suffix}", text)
            written.append(folder / f"{name}{suffix}")
    histograms = _histograms(found)
    write_histograms_json(folder / "histograms.json", histograms)
    write_histograms_root(folder / "histograms.root", histograms)
    found.menu.to_yaml(folder / "menu.yaml")
    return [*written, folder / "histograms.json", folder / "histograms.root", folder / "menu.yaml"]


def _tables(found: Found) -> dict[str, Table]:
    tables = {
        "closure": closure_table(found),
        "significance": significance_table(found),
        "fit": fit_table(found),
        "experiments": experiments_table(found),
        "sic": sic_table(found),
        "rates": rates_table(found),
    }
    return tables | ({"stability": stability_table(found)} if found.stability else {})


def _summary(found: Found, paths: Sequence[str], config: EstimateConfig) -> dict[str, Any]:
    dataset = found.dataset
    return {
        "pair": _describe(found.pair),
        "trainings": [_describe(choice) for choice in found.trainings],
        "single": None if found.single is None else _describe(found.single),
        "files": {path: fingerprint(path) for path in paths},
        "samples": {
            name: _counts(events) for name, events in {"background": dataset.background, **dataset.signals}.items()
        },
        "sample_events": found.events,
        "distance_correlation": asdict(found.distance),
        "closure": [asdict(scan) for scan in found.scans],
        "growth_by_learning": found.growth_by_learning,
        "diagonal": {f"{x:g}": asdict(estimate) for x, estimate in found.diagonal.items()},
        "non_closure": {f"{x:g}": value for x, value in found.non_closure.items()},
        "significance": {name: [asdict(p) for p in points] for name, points in found.significances.items()},
        "stability": {name: asdict(item) for name, item in found.stability.items()},
        "sic": sic_summary(found),
        "fit": {name: asdict(fit) for name, fit in found.fits.items()},
        "experiments": {name: [asdict(run) for run in runs] for name, runs in found.experiments.items()},
        "rates": [asdict(point) for point in found.rates],
        "menu": found.menu.model_dump(mode="json"),
        "sculpting": [asdict(item) for item in found.sculpting],
        "config": config.model_dump(mode="json"),
        "versions": versions("hist", "numpy", "onnxruntime", found.pair.trigger.runtime.engine, "pyhf", "scipy"),
    }


def _describe(choice: ScoreChoice) -> dict[str, Any]:
    trigger = choice.trigger
    return {
        "path": trigger.path,
        "fingerprint": trigger.fingerprint,
        "runtime": trigger.runtime,
        "scores": list(choice.scores),
    }


def _counts(events: Events) -> dict[str, float]:
    return {
        "events": len(events),
        "sum_of_weights": float(events.weight.sum()),
        "effective_events": events.n_effective,
    }


def finite(data: Any) -> Any:
    """Plain data for JSON: arrays as lists, NaN and infinity as null."""
    if isinstance(data, dict):
        return {str(key): finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple | np.ndarray):
        return [finite(value) for value in data]
    if isinstance(data, float | np.floating):
        return float(data) if np.isfinite(data) else None
    return data.item() if isinstance(data, np.generic) else data


def _histograms(found: Found) -> dict[str, Histograms]:
    """The plane of the two scores of every sample, over the range of them all."""
    samples = {"background": found.dataset.background, **found.dataset.signals}
    together = np.concatenate([events.scores[0] for events in samples.values()])
    axes = []
    for name, values in zip(found.pair.scores, together.T, strict=True):
        low, high = float(values.min()), float(values.max())
        margin = 0.001 * (high - low) or 0.5
        axes.append(Regular(_BINS, low - margin, high + margin, name=name, label=name))
    plane = plane_name(*found.pair.scores)
    return {
        name.replace(" ", "_").lower(): {
            plane: Hist(*axes, storage=Weight(), name=plane).fill(*events.scores[0].T, weight=events.weight),
            plane + COUNTS: Hist(*axes, storage=Int64(), name=plane + COUNTS).fill(*events.scores[0].T),
        }
        for name, events in samples.items()
    }
