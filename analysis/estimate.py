"""``darktrigger estimate``: what a trigger of two scores finds, with the background estimated from its own data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import get_args

import numpy as np

from analysis.collision_energy import energies_of, told
from analysis.estimation.closure import ClosureScan, closure_points, summarise_closure
from analysis.estimation.config import EstimateConfig
from analysis.estimation.distance import DistanceCorrelation, distance_correlation
from analysis.estimation.events import Dataset, Events, ScoreChoice, read_events
from analysis.estimation.experiments import Experiments, Truth, run_experiments
from analysis.estimation.found import DIAGONAL, SINGLE, Fitted, Found
from analysis.estimation.gallery import draw_estimate
from analysis.estimation.inference import Toys
from analysis.estimation.model import fit_sample
from analysis.estimation.ranks import Diagonal
from analysis.estimation.rates import RatePoint, efficiency_for_rate, menu_of, rate_point
from analysis.estimation.regions import Thresholds, estimate_at, fractions, sums_in_regions
from analysis.estimation.report import write_report
from analysis.estimation.sculpting import sculpting
from analysis.estimation.sic import SicCurve, sic_curve
from analysis.estimation.significance import SignificancePoint, expected_sample, non_closure_at, significances
from analysis.estimation.stability import stability
from analysis.menu import Menu
from analysis.rates import PICOBARN
from analysis.training_events import warn_of_training_events
from darktrigger.errors import AnalysisError
from darktrigger.progress import progress


@dataclass(frozen=True)
class Choices:
    """What to estimate with.

    Parameters
    ----------
    pair
        The trigger and its two scores.
    trainings
        The same scores of further trainings.
    single
        An undecorrelated model with one score, to compare with.
    """

    pair: ScoreChoice
    trainings: tuple[ScoreChoice, ...] = ()
    single: ScoreChoice | None = None

    @property
    def all(self) -> list[ScoreChoice]:
        """The pair first, the single one, if any, last."""
        return [self.pair, *self.trainings, *([self.single] if self.single else [])]


def estimate(
    choices: Choices, paths: Sequence[str], out_dir: str | Path, config: EstimateConfig | None = None
) -> list[Path]:
    """Closure, fits, pseudo-experiments, significances, rates and menu of a pair of scores.

    Parameters
    ----------
    choices
        Models and scores.
    paths
        Files of labelled events; label 0 is background.
    out_dir
        Folder for ``summary.json``, tables (CSV, Markdown), ``histograms``, ``menu.yaml``,
        ``config.yaml`` and ``plots``.
    config
        Settings.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    AnalysisError
        No background or no signal among the events, or a fit that does not converge.
    InputFileError
        A bad file, or one that a model cannot be fed with.
    """
    config, folder = config or EstimateConfig(), Path(out_dir)
    energies = chain.from_iterable(map(energies_of, paths))
    config = config.model_copy(update={"style": told(config.style, energies)})
    dataset = read_events(choices.all, paths, config)
    warn_of_training_events([choice.trigger for choice in choices.all], paths, [config.background_entries])
    found = compute(choices, dataset, config)
    config.to_yaml(folder / "config.yaml")
    written = [folder / "config.yaml", *write_report(found, paths, config, folder)]
    return [*written, *draw_estimate(found, config, folder / "plots")]


def make_menu(choice: ScoreChoice, paths: Sequence[str], config: EstimateConfig) -> Menu:
    """The menu alone: thresholds and prescales of the working point, or of the rate."""
    dataset = read_events([choice], paths, config)
    warn_of_training_events([choice.trigger], paths, [config.background_entries])
    return _menu(choice, dataset, Diagonal(*dataset.background.pair), config)[1]


def compute(choices: Choices, dataset: Dataset, config: EstimateConfig) -> Found:
    """Every figure, from events with scores."""
    rng = np.random.default_rng(config.seed)
    background = dataset.background
    events = config.events or background.n_effective
    diagonal = Diagonal(*background.pair)
    pairs = {name: signal.pair for name, signal in dataset.signals.items()}
    points = closure_points(
        background.pair,
        pairs,
        config.efficiencies,
        config.closure.pairs,
        config.closure.shares,
        config.signal_fraction,
        rng,
    )
    scans = summarise_closure(points, config.closure.tolerance)
    non_closure = {x: non_closure_at(scans, x, config.closure.uncertainty) for x in config.efficiencies}
    tables = _significances(choices, dataset, events, non_closure, config)
    working_thresholds = config.thresholds or diagonal.thresholds(config.working_point)
    fits, experiments = _fits(dataset, working_thresholds, events, scans, config, rng)
    rates, menu = _menu(choices.pair, dataset, diagonal, config)
    return Found(
        choices.pair,
        choices.trainings,
        choices.single,
        dataset,
        diagonal,
        events,
        _distance(background, config.distance_events),
        points,
        scans,
        non_closure,
        {x: estimate_at(*background.pair, diagonal.thresholds(x)) for x in config.efficiencies},
        tables[0],
        stability(tables) if len(tables) > 1 else {},
        _sic_curves(choices, dataset, diagonal),
        fits,
        experiments,
        rates,
        menu,
        sculpting(background, working_thresholds),
    )


def _distance(background: Events, limit: int) -> DistanceCorrelation:
    # Files of one process follow one another: the first events alone would be those of one.
    n_used = min(limit, len(background))
    chosen = np.arange(n_used) * len(background) // n_used
    scores, weight = background.scores[0][chosen], background.weight[chosen]
    return distance_correlation(scores[:, 0], scores[:, 1], weight)


def _significances(
    choices: Choices, dataset: Dataset, events: float, non_closure: dict[float, float], config: EstimateConfig
) -> list[dict[str, list[SignificancePoint]]]:
    """Of the pair, then of each further training, which takes the place of the pair."""
    tables = []
    for index in range(1 + len(choices.trainings)):
        mine = _with_first(dataset, index)
        tables.append(
            significances(
                mine,
                Diagonal(*mine.background.pair),
                config.efficiencies,
                events=events,
                fraction=config.signal_fraction,
                truth=config.truth,
                non_closure=non_closure,
                single=len(choices.all) - 1 if choices.single and index == 0 else None,
            )
        )
    return tables


def _with_first(dataset: Dataset, index: int) -> Dataset:
    """The dataset with another choice of scores in the first place; the others keep theirs."""
    if index == 0:
        return dataset

    def swapped(events: Events) -> Events:
        return replace(events, scores=(events.scores[index], *events.scores[1:]))

    signals = {name: swapped(signal) for name, signal in dataset.signals.items()}
    return replace(dataset, background=swapped(dataset.background), signals=signals)


def _fits(
    dataset: Dataset,
    thresholds: Thresholds,
    events: float,
    scans: Sequence[ClosureScan],
    config: EstimateConfig,
    rng: np.random.Generator,
) -> tuple[dict[str, Fitted], dict[str, tuple[Experiments, ...]]]:
    """Fit and pseudo-experiments of every signal that reaches region A, at the working point."""
    share = fractions(sums_in_regions(*dataset.background.pair, thresholds)).a or config.working_point
    spread = non_closure_at(scans, share, config.closure.uncertainty)
    fits: dict[str, Fitted] = {}
    experiments: dict[str, tuple[Experiments, ...]] = {}
    with progress("fitting", len(dataset.signals)) as advance:
        for name in dataset.signals:
            sample = expected_sample(dataset, name, thresholds, events, config.signal_fraction, config.truth)
            if sample.signal.a > 0 and sample.background.d > 0:
                toys = Toys(config.toys, config.seed) if config.toys else None
                result = fit_sample(sample.total, sample.signal, non_closure=spread, toys=toys)
                fits[name] = Fitted(sample, spread, result)
                experiments[name] = tuple(
                    run_experiments(
                        sample.background,
                        sample.signal,
                        config.experiments.count,
                        rng,
                        truth=truth,
                        non_closure=spread,
                    )
                    for truth in get_args(Truth)
                )
            advance(1)
    return fits, experiments


def _menu(
    choice: ScoreChoice, dataset: Dataset, diagonal: Diagonal, config: EstimateConfig
) -> tuple[list[RatePoint], Menu]:
    """Rates at every SM efficiency, and the menu of the working point or of the rate asked for."""
    selected = None
    if config.total_cross_section is not None:
        if dataset.preselected is None:
            raise AnalysisError("rates need image files that tell the sum of weights before the preselection")
        selected = config.total_cross_section * PICOBARN * config.luminosity * dataset.preselected
    wanted = [(x, diagonal.thresholds(x)) for x in config.efficiencies]
    target = config.working_point
    if config.menu.rate is not None and selected is not None:
        target = efficiency_for_rate(config.menu.rate, selected)
    wanted.append((target, config.thresholds or diagonal.thresholds(target)))
    points = [
        rate_point(x, thresholds, dataset.background, dataset.signals, config.menu, selected)
        for x, thresholds in wanted
    ]
    luminosity = None if selected is None else config.luminosity
    names = choice.scores[0], choice.scores[1]
    return points[:-1], menu_of(points[-1], names, choice.trigger.fingerprint, config.menu, luminosity)


def _sic_curves(choices: Choices, dataset: Dataset, diagonal: Diagonal) -> dict[str, dict[str, SicCurve]]:
    """By signal, then by what is cut on."""
    background = dataset.background
    found: dict[str, dict[str, SicCurve]] = {}
    for name, signal in dataset.signals.items():
        values = {
            choices.pair.scores[0]: (signal.scores[0][:, 0], background.scores[0][:, 0]),
            choices.pair.scores[1]: (signal.scores[0][:, 1], background.scores[0][:, 1]),
            DIAGONAL: (diagonal.score(signal.scores[0]), diagonal.score(background.scores[0])),
        }
        if choices.single:
            values[SINGLE] = signal.scores[-1][:, 0], background.scores[-1][:, 0]
        curves = {
            label: sic_curve((mine, signal.weight), (theirs, background.weight))
            for label, (mine, theirs) in values.items()
        }
        found[name] = {label: curve for label, curve in curves.items() if curve is not None}
    return found
