"""Settings of ``darktrigger estimate``, ``menu`` and ``decorrelate``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from analysis.config import Fraction, StyleConfig
from analysis.estimation.experiments import Truth
from darktrigger.config import StrictModel
from imaging.composition import Composition
from imaging.split import EntrySplit

Positive = Annotated[float, Field(gt=0)]


class ClosureConfig(StrictModel):
    """Closure over random pairs of thresholds (double-autoencoder paper, figure 2).

    Parameters
    ----------
    pairs
        Pairs at each SM efficiency.
    shares
        Least and largest share of the rejection, in logarithms, that is the first score's; the diagonal has one half.
        The paper's pairs lie between about 0.47 and 0.6 (github.com/ViniciusMikuni/DoubleAE).
    tolerance
        Closure that is good enough whatever its statistical uncertainty.
    uncertainty
        Relative uncertainty of the ABCD relation in the fit; where None, what statistics
        leave unexplained in the scan at the nearest efficiency.
    """

    pairs: Annotated[int, Field(ge=1)] = 100
    shares: tuple[Fraction, Fraction] = (0.25, 0.75)
    tolerance: Positive = 0.025
    uncertainty: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.shares[0] > self.shares[1]:
            raise ValueError(f"shares: {self.shares[0]:g} is above {self.shares[1]:g}")
        return self


class ExperimentsConfig(StrictModel):
    """Pseudo-experiments: ``count`` of them at the working point, for each signal."""

    count: Annotated[int, Field(ge=2)] = 2000


class MenuConfig(StrictModel):
    """The trigger as it would run.

    Parameters
    ----------
    rate
        Of SM events in the signal region, Hz, which must not be exceeded; needs a
        cross-section. The working point's efficiency is used where None.
    error_ratio
        Statistical error of the prediction over that of the signal region, both relative: the
        prescales keep it below this.
    ht_threshold
        Of a plain H_T trigger to compare with, GeV; where None, the one of equal rate.
    seed
        Of the choice of prescaled events.
    """

    rate: Positive | None = None
    error_ratio: Annotated[float, Field(gt=0, le=1)] = 0.9
    ht_threshold: Positive | None = None
    seed: Annotated[int, Field(ge=0)] = 1


class EventsConfig(StrictModel):
    """Which background events are read and how much each counts.

    Parameters
    ----------
    background_entries
        Background events to use, by entry number: those that did not train the model.
    weights
        ``generator``: events count by the generator's weight; ``unit``: once each.
    background
        Samples that the background is made of, where its files are not to count by their events alone: with more
        events of a rare process and smaller weights, the tail of the background is better known.
    batch_size
        Events of which dense images exist at a time.
    """

    background_entries: EntrySplit = EntrySplit()
    weights: Literal["generator", "unit"] = "generator"
    background: Composition = ()
    batch_size: Annotated[int, Field(ge=1)] = 16


class DecorrelateConfig(EventsConfig):
    """Settings of ``darktrigger decorrelate``; its background is neither what trained the model nor what judges it.

    Parameters
    ----------
    cell_events
        Events of background in a cell of both rarities, on average: more events make finer cells.
    prior_events
        Events of independent background that are added to each cell, against fluctuations.
    """

    cell_events: Positive = 100.0
    prior_events: Positive = 2.0


class EstimateConfig(EventsConfig):
    """Settings of an estimate.

    Parameters
    ----------
    seed
        Of random thresholds and pseudo-experiments.
    events
        Events in the sample that significances, limits and pseudo-experiments are for (the
        paper: 800,000), after the preselection; where None, as many as the simulated
        background is worth.
    signal_fraction
        Share of signal in it.
    truth
        Background of that sample: ``simulation``, as simulated, whose fluctuations enter as
        they are; ``closing``, with B C / D in region A, for more events than were simulated.
    efficiencies
        SM efficiencies of the signal region.
    working_point
        SM efficiency for fits, pseudo-experiments and the menu, both cuts at the same background efficiency.
    thresholds
        Cuts on the oriented scores to use there instead, each free.
    toys
        Pseudo-experiments of each hypothesis behind the fitted significance and the limits, which take minutes a
        signal with 1000; asymptotic formulas where 0.
    cross_section
        Of all background together, pb; needed for rates, but where ``background`` has cross-sections.
    luminosity
        Instantaneous, per cm2 and s.
    distance_events
        Events for the distance correlation, evenly spread over the background; its time is quadratic in them.
    """

    seed: Annotated[int, Field(ge=0)] = 42
    events: Positive | None = None
    signal_fraction: Fraction = 0.001
    truth: Truth = "simulation"
    efficiencies: tuple[Fraction, ...] = (0.005, 0.01, 0.02, 0.05, 0.1)
    working_point: Fraction = 0.01
    thresholds: tuple[float, float] | None = None
    closure: ClosureConfig = ClosureConfig()
    experiments: ExperimentsConfig = ExperimentsConfig()
    menu: MenuConfig = MenuConfig()
    toys: Annotated[int, Field(ge=0)] = 0
    cross_section: Positive | None = None
    luminosity: Positive = 2e34
    distance_events: Annotated[int, Field(ge=2)] = 20_000
    style: StyleConfig = StyleConfig()

    @model_validator(mode="after")
    def _rates_need_a_cross_section(self) -> Self:
        if self.cross_section is not None and self.background_cross_section is not None:
            raise ValueError("cross_section and those of background both set the rates: give one")
        if self.menu.rate is not None and self.total_cross_section is None:
            raise ValueError("menu.rate needs a cross_section")
        if self.menu.rate is not None and self.thresholds is not None:
            raise ValueError("menu.rate and thresholds both set the working point: give one")
        return self

    @property
    def background_cross_section(self) -> float | None:
        """Of all samples together, pb; None where they have none."""
        known = [sample.cross_section for sample in self.background if sample.cross_section is not None]
        return sum(known) if known else None

    @property
    def total_cross_section(self) -> float | None:
        """Of all background, pb, from where it is given."""
        return self.background_cross_section if self.cross_section is None else self.cross_section
