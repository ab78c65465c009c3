"""Every figure of an evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hist import Hist
from hist.storage import Weight
from matplotlib.figure import Figure

from analysis.axes import count_axis, score_axis
from analysis.binned import Binned
from analysis.config import AxisConfig, StyleConfig
from analysis.evaluation.figures import binned_by_value, known
from analysis.evaluation.models import Model
from analysis.evaluation.ranked import thinned
from analysis.evaluation.rows import Benchmark, Column, Row, slug
from analysis.evaluation.samples import BACKGROUND, Key, Sample
from analysis.evaluation.tables import Cell, Table
from analysis.plots.distributions import Distribution, draw_distributions
from analysis.plots.landscape import Placed, draw_landscape
from analysis.plots.latents import LatentSample, draw_latents
from analysis.plots.masses import MassPoint, MassSeries, draw_masses
from analysis.plots.means import Mean, draw_means
from analysis.plots.names import score_label
from analysis.plots.reconstructions import Pictured, draw_reconstructions
from analysis.plots.roc import RocSeries, draw_roc
from analysis.plots.style import save, styled
from analysis.plots.sums import SumSample, draw_sums
from analysis.roc import auroc, roc_curve
from analysis.scores import ALL_BASELINES
from darktrigger.sphere import are_on_sphere, centring, on_map, on_sphere, turned
from imaging.jets.dense import JET

#: What a picture of all masses shows: so many scores of models, the best first, and these baselines.
_SHOWN, _SHOWN_BASELINES = 6, ("n_tracks", "lit_pixels", "crowding", "hcal_cells")

_BACKGROUND_NAME = "Background"


@dataclass(frozen=True)
class Evaluated:
    """All that is drawn."""

    models: tuple[Model, ...]
    rows: tuple[Row, ...]
    samples: Mapping[Key, Sample]
    benchmarks: Mapping[Key, Benchmark]
    auroc: Table
    fpr: Table
    target_tpr: float

    def legend(self, key: Key) -> str:
        """Name of a sample."""
        return _BACKGROUND_NAME if key == BACKGROUND else self.benchmarks[key].legend


def draw_evaluation(found: Evaluated, style: StyleConfig, folder: Path) -> list[Path]:
    """Draw and save every figure, PDF and PNG. Of several seeds, the first is drawn."""
    with styled(style):
        return [path for name, figure in _figures(found, style) for path in save(figure, folder, name)]


def _figures(found: Evaluated, style: StyleConfig) -> Iterator[tuple[str, Figure]]:
    for signal, items in _by_signal(found).items():
        if not any(item.mass for item in items):
            continue
        yield f"masses_{slug(signal)}", _masses(found, signal, items, style)
    for model in found.models:
        yield from _rocs(found, model, style)
        yield from _of_model(found, model, style)
        yield from _of_latent_sphere(found, model, style)
        yield from _of_worst(found, model, style)
    for row in found.rows:
        distributions = [
            Distribution(found.legend(key), key == BACKGROUND, sample)
            for key, sample in _distributions(found, row).items()
        ]
        label = score_label(row.score, row.direction)
        if any(item.sample.n_effective for item in distributions):
            yield f"score_{row.key}", draw_distributions(distributions, f"{label}{_of(row)}", style)


def _of(row: Row) -> str:
    return f", {row.model}" if row.model else ""


def _by_signal(found: Evaluated) -> dict[str, list[Benchmark]]:
    grouped: dict[str, list[Benchmark]] = {}
    for benchmark in found.benchmarks.values():
        grouped.setdefault(benchmark.signal, []).append(benchmark)
    return grouped


def _rocs(found: Evaluated, model: Model, style: StyleConfig) -> Iterator[tuple[str, Figure]]:
    """All scores of one model and the baselines, one figure a benchmark."""
    rows = [row for row in found.rows if row.model in {model.name, ""}]
    binned = {row: binned_by_value(row.columns[0], found.samples) for row in rows}
    for key, benchmark in found.benchmarks.items():
        series = []
        for row in rows:
            pair = binned[row][key], binned[row][BACKGROUND]
            curve, area = roc_curve(*pair), auroc(*pair)
            if curve is not None and area is not None:
                label = score_label(row.score, row.direction)
                series.append(RocSeries(label, not row.model, thinned(curve), area))
        if series:
            title = f"{model.name}, {benchmark.legend}"
            yield f"roc_{slug(model.name)}_{slug(benchmark.name)}", draw_roc(series, title, found.target_tpr, style)


def _of_model(found: Evaluated, model: Model, style: StyleConfig) -> Iterator[tuple[str, Figure]]:
    trigger = model.triggers[0]
    path, key_name = trigger.path, slug(model.name)
    signs = {name: direction.sign for name, direction in trigger.directions.items()}
    if {"z1", "z2"} <= signs.keys():
        latents = [
            LatentSample(
                found.legend(key),
                key == BACKGROUND,
                signs["z1"] * sample.scores[Column(path, "z1")],
                signs["z2"] * sample.scores[Column(path, "z2")],
                sample.weight,
            )
            for key, sample in found.samples.items()
        ]
        yield f"latents_{key_name}", draw_latents(latents, model.name, style)
    if not trigger.has_reconstruction:
        return
    kind = trigger.metadata.input.kind
    for key, sample in found.samples.items():
        if pictured := [Pictured(*example) for example in sample.examples.get(path, ())]:
            title = f"{model.name}, {found.legend(key)}"
            name = slug(found.legend(key).removesuffix(" GeV"))
            yield f"reconstructions_{key_name}_{name}", draw_reconstructions(pictured, kind, title, style)
    sums = [
        SumSample(found.legend(key), key == BACKGROUND, item.true_sum, item.reco_sum, sample.weight)
        for key, sample in found.samples.items()
        if (item := sample.quality.get(path)) is not None and sample.weight.sum() > 0
    ]
    if sums:
        quantity = "sum of pixels" if kind in {"coarse mask", JET} else r"$E_\mathrm{T}$ [GeV]"
        yield f"sums_{key_name}", draw_sums(sums, quantity, model.name, style)


def _of_latent_sphere(found: Evaluated, model: Model, style: StyleConfig) -> Iterator[tuple[str, Figure]]:
    """Where the first events of every class lie on it."""
    trigger = model.triggers[0]
    path, landscape = trigger.path, trigger.metadata.landscape
    points = {key: sample.points[path].latent for key, sample in found.samples.items() if path in sample.points}
    if landscape and BACKGROUND in points and all(map(are_on_sphere, points.values())):
        turn = centring(points[BACKGROUND])
        chains = [on_map(on_sphere(*np.transpose(chain)) @ turn.T) for chain in landscape.chains]
        placed = [Placed(found.legend(key), on_map(latent @ turn.T)) for key, latent in points.items()]
        drawn = draw_landscape(turned(landscape.map, turn), chains, placed, model.name, style)
        yield f"landscape_{slug(model.name)}", drawn


def _of_worst(found: Evaluated, model: Model, style: StyleConfig) -> Iterator[tuple[str, Figure]]:
    """Mean images of the events of every class that the model rebuilds worst."""
    path = model.triggers[0].path
    means = [
        Mean(
            found.legend(key),
            worst.image.mean(axis=(0, 1)),
            worst.reconstruction.mean(axis=(0, 1)),
            np.square(worst.image - worst.reconstruction).mean(axis=(0, 1)),
        )
        for key, sample in found.samples.items()
        if (worst := sample.worst.get(path)) is not None
    ]
    if means:
        title = f"{model.name}, events with the largest error"
        yield f"worst_{slug(model.name)}", draw_means(means, title, style)


def _distributions(found: Evaluated, row: Row) -> dict[Key, Binned]:
    """Histograms of a score on a common axis."""
    config = AxisConfig()
    events = {key: known(row.columns[0], sample) for key, sample in found.samples.items()}
    if not row.model and ALL_BASELINES[row.score].is_count:
        axis = count_axis(row.score, config).fine
    else:
        axis = score_axis(row.score, [values for values, _ in events.values()], config).fine
    return {
        key: Binned.of(Hist(axis, storage=Weight()).fill(values, weight=weight))
        for key, (values, weight) in events.items()
    }


def _masses(found: Evaluated, signal: str, items: Sequence[Benchmark], style: StyleConfig) -> Figure:
    """The best scores of the models, and some baselines."""
    items = sorted(items, key=lambda item: item.mass)
    columns = [found.auroc.columns.index(item.name) for item in items]
    mean = found.auroc.columns.index(f"mAUC {signal}")

    def quality(row: Row) -> float:
        estimate = found.auroc.rows[row][mean].estimate
        return estimate.value if estimate else -np.inf

    best = sorted((row for row in found.rows if row.model), key=quality, reverse=True)[:_SHOWN]
    series = []
    for row in [*best, *(row for row in found.rows if not row.model and row.score in _SHOWN_BASELINES)]:
        cells = [[table.rows[row][column] for column in columns] for table in (found.auroc, found.fpr)]
        if all(cell.estimate is None for cell in cells[0]):
            continue
        label = f"{score_label(row.score, row.direction)}{_of(row) if len(found.models) > 1 else ''}"
        points = [tuple(_point(cell) for cell in line) for line in cells]
        series.append(MassSeries(label, not row.model, points[0], points[1]))
    return draw_masses(series, [item.mass for item in items], signal, found.target_tpr, style)


def _point(cell: Cell) -> MassPoint:
    numbers = [np.nan if number is None else number for number in cell.numbers]
    return MassPoint(numbers[0], numbers[1], numbers[2], numbers[4])
