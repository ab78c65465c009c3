"""Figures of a comparison: both files over each other, their ratio below."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from darktrigger.files import atomic_path
from generation.validation import Sample, Spectrum, spectrum


def draw_comparisons(ours: Sample, reference: Sample, labels: tuple[str, str], folder: Path) -> list[Path]:
    """Draw every quantity and spectrum that both samples have, a PDF each; returns the paths."""
    paths = []
    for quantity in sorted(set(ours.per_event) & set(reference.per_event)):
        figure = _draw(_distribution(ours.per_event[quantity], reference.per_event[quantity]), quantity, labels)
        paths.append(_save(figure, folder, quantity))
    for key in sorted(set(ours.spectra) & set(reference.spectra)):
        name = f"{key[0]}: {key[1]} [GeV]" if key[1] == "E_T" else f"{key[0]}: {key[1]}"
        figure = _draw(spectrum(ours, reference, key), name, labels, logarithmic=key[1] == "E_T")
        paths.append(_save(figure, folder, " ".join(key)))
    return paths


def _distribution(ours: NDArray[np.float64], reference: NDArray[np.float64]) -> Spectrum:
    """Shares of events in 20 bins that hold nearly all of both."""
    low, high = np.quantile(np.concatenate((ours, reference)), [0.0, 0.99])
    edges = np.linspace(low, max(high, low + 1e-6), 21)
    counts = [np.histogram(np.clip(values, low, edges[-1]), edges)[0] for values in (ours, reference)]
    shares = [count / len(values) for count, values in zip(counts, (ours, reference), strict=True)]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(counts[1] > 0, shares[0] / shares[1], np.nan)
        error = ratio * np.sqrt(1 / counts[0] + 1 / counts[1])
    return Spectrum(edges, shares[0], shares[1], ratio, error)


def _draw(histogram: Spectrum, name: str, labels: tuple[str, str], *, logarithmic: bool = False) -> Figure:
    figure = Figure(figsize=(5, 5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    upper.stairs(histogram.ours, histogram.edges, color="C0", label=labels[0])
    upper.stairs(histogram.reference, histogram.edges, color="black", linestyle="--", label=labels[1])
    upper.set_ylabel("deposits per event" if logarithmic or name.endswith("eta") else "share of events")
    upper.legend(frameon=False)
    centres = (
        np.sqrt(histogram.edges[1:] * histogram.edges[:-1])
        if logarithmic
        else 0.5 * (histogram.edges[1:] + histogram.edges[:-1])
    )
    drawn = np.isfinite(histogram.ratio) & np.isfinite(histogram.error)
    lower.errorbar(centres[drawn], histogram.ratio[drawn], histogram.error[drawn], fmt="o", markersize=3, color="C0")
    lower.axhline(1.0, color="black", linewidth=0.8)
    lower.axhspan(0.95, 1.05, color="0.9", zorder=0)
    lower.set_ylim(0.5, 1.5)
    lower.set_ylabel("ratio")
    lower.set_xlabel(name)
    if logarithmic:
        upper.set_yscale("log")
        upper.set_xscale("log")
    return figure


def _save(figure: Figure, folder: Path, name: str) -> Path:
    path = folder / f"{name.replace(':', '').replace(' ', '_').replace('/', '_')}.pdf"
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
    return path
