"""Quality of the reconstructions of background images (CoDAE paper, table 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np

from analysis.evaluation.figures import Estimate
from analysis.evaluation.models import Model
from analysis.evaluation.paper import PaperFigures
from analysis.evaluation.quality import MeanAndSpread, mean_and_spread
from analysis.evaluation.samples import BACKGROUND, Key, Sample
from analysis.evaluation.tables import Cell, csv_text, markdown_table

_COLUMNS = ("MSE", "MSE deviation", "SSIM", "SSIM deviation")
_ENDS = ("", " spread", " paper", " difference")
_NONE = "the model file has no output 'reconstruction'"

#: Digits of MSE and SSIM.
_DIGITS = (1, 1, 3, 3)


@dataclass(frozen=True)
class ReconstructionRow:
    """Figures of one model, or of an empty image; no cells where the model gives no reconstruction."""

    name: str
    family: str
    cells: tuple[Cell, ...]


def reconstruction_rows(
    models: Sequence[Model], samples: Mapping[Key, Sample], paper: PaperFigures
) -> tuple[ReconstructionRow, ...]:
    """Mean and standard deviation over background events; for several seeds their means and spread."""
    background = samples[BACKGROUND]
    rows = []
    for model in models:
        paths = [trigger.path for trigger in model.triggers]
        if not all(path in background.quality for path in paths):
            rows.append(ReconstructionRow(model.name, model.family, ()))
            continue
        found = [_figures(background, path, "mse", "ssim") for path in paths]
        printed = [paper.find("reconstruction", model.family, "reconstruction", name) for name in _COLUMNS]
        cells = tuple(Cell(_estimate(values), p) for values, p in zip(zip(*found, strict=True), printed, strict=True))
        rows.append(ReconstructionRow(model.name, model.family, cells))
        nothing = _figures(background, paths[0], "mse_of_nothing", "ssim_of_nothing")
        name = f"empty image ({model.triggers[0].metadata.input.kind})"
        empty = ReconstructionRow(name, "", tuple(Cell(_estimate((value,))) for value in nothing))
        if all(row.name != name for row in rows):
            rows.append(empty)
    return tuple(sorted(rows, key=lambda row: not row.family))


def _figures(background: Sample, path: str, *names: str) -> list[float | None]:
    quality = background.quality[path]
    found: list[float | None] = []
    for name in names:
        item: MeanAndSpread | None = mean_and_spread(getattr(quality, name), background.weight)
        found += [item.mean, item.deviation] if item else [None, None]
    return found


def _estimate(values: Sequence[float | None]) -> Estimate | None:
    present = [value for value in values if value is not None and np.isfinite(value)]
    if len(present) < len(values):
        return None
    return Estimate(fmean(present), spread=stdev(present) if len(present) > 1 else None)


def reconstruction_markdown(rows: Sequence[ReconstructionRow]) -> str:
    """As a Markdown table."""
    lines = []
    for row in rows:
        texts = [cell.text(digits) for cell, digits in zip(row.cells, _DIGITS, strict=False)]
        lines.append([row.name, *(texts or [_NONE, *[""] * (len(_COLUMNS) - 1)])])
    note = (
        "Mean and standard deviation over background events. MSE: squared error summed over pixels. An empty image "
        "is what any reconstruction has to beat; of a mask, its MSE is the number of lit pixels."
    )
    return markdown_table("Reconstruction of background", note, ["Model", *_COLUMNS], lines)


def reconstruction_csv(rows: Sequence[ReconstructionRow]) -> str:
    """As CSV."""
    lines = []
    for row in rows:
        numbers = [(n[0], *n[3:]) for n in (cell.numbers for cell in row.cells)] or [(None,) * 4] * len(_COLUMNS)
        lines.append([row.name, row.family, *(x for four in numbers for x in four)])
    return csv_text(["model", "family", *(name + end for name in _COLUMNS for end in _ENDS)], lines)


def reconstruction_data(rows: Sequence[ReconstructionRow]) -> list[dict[str, Any]]:
    """For JSON."""
    return [
        {
            "model": row.name,
            "family": row.family,
            "figures": {name: cell.data() for name, cell in zip(_COLUMNS, row.cells, strict=False)},
            "note": None if row.cells else _NONE,
        }
        for row in rows
    ]
