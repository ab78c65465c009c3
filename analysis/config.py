"""Settings of the analysis stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import Field, field_validator, model_validator

import darktrigger.executors
from analysis.menu import Menu, read_menu
from darktrigger.config import StrictModel
from imaging.branches import BranchOverride
from imaging.config import Selection
from imaging.jets.config import JetConfig
from imaging.objects.branches import ObjectConfig

Fraction = Annotated[float, Field(gt=0, lt=1)]

#: Names in :data:`analysis.scores.ALL_BASELINES`.
BaselineName = Literal[
    "n_tracks",
    "lit_pixels",
    "crowding",
    "hcal_cells",
    "total_e_t_trk",
    "total_e_t_ecal",
    "total_e_t_hcal",
    "n_constituents",
    "jet_mass",
    "p_t_d",
]


class ExecutorConfig(darktrigger.executors.ExecutorConfig):
    """Who does the work, and how much of it at a time.

    Parameters
    ----------
    chunk_size
        Events that a worker holds at a time.
    batch_size
        Events of which dense images exist at a time.
    """

    chunk_size: Annotated[int, Field(ge=1)] = 10_000
    batch_size: Annotated[int, Field(ge=1)] = 16


class AxisConfig(StrictModel):
    """Binning; the range of each score comes from a pre-scan of the first selected events.

    ``score_bins`` bounds the error of every figure that is read off a score's histogram;
    ``plane_bins`` is for the two-dimensional ones.
    """

    score_bins: Annotated[int, Field(ge=10)] = 2000
    plane_bins: Annotated[int, Field(ge=10)] = 400
    prescan_events: Annotated[int, Field(ge=2)] = 100
    ht_max: Annotated[float, Field(gt=0)] = 5000.0
    ht_bins: Annotated[int, Field(ge=1)] = 50
    n_tracks_max: Annotated[int, Field(ge=1)] = 600
    n_tracks_bins: Annotated[int, Field(ge=1)] = 60


class AbcdConfig(StrictModel):
    """ABCD planes.

    Parameters
    ----------
    pairs
        Scores to span planes with.
    efficiencies
        Background efficiency of each of the two cuts; both cuts have the same one
        (double-autoencoder paper, section III).
    thresholds
        Further working points: explicit cuts on (first, second) score of every pair.
    """

    pairs: tuple[tuple[str, str], ...] = ()
    efficiencies: tuple[Fraction, ...] = (0.5, 0.3, 0.2, 0.1, 0.05)
    thresholds: tuple[tuple[float, float], ...] = ()

    @model_validator(mode="after")
    def _pairs_differ(self) -> Self:
        for first, second in self.pairs:
            if first == second:
                raise ValueError(f"a plane needs two different scores (found '{first}' twice)")
        return self


class StyleConfig(StrictModel):
    """Looks and labels of the plots.

    Parameters
    ----------
    experiment
        Style sheet and name on the plots; ``plain`` names none.
    text
        Beside the name, such as ``Simulation``.
    energy
        Centre-of-mass energy, TeV; by default the one that the events were generated at, where all files tell the
        same one, else not shown.
    luminosity
        Integrated luminosity, per fb; not shown where None.
    """

    experiment: Literal["CMS", "ATLAS", "plain"] = "plain"
    text: str = "Simulation"
    energy: Annotated[float, Field(gt=0)] | None = None
    luminosity: Annotated[float, Field(gt=0)] | None = None


class AnalysisConfig(StrictModel):
    """Settings of ``darktrigger analyze``.

    Parameters
    ----------
    selection, branches
        As for images.
    objects
        Selection and branches of a trigger of input kind "objects", in the place of those.
    jets
        The same for one of input kind "jet", which looks at the hardest jet of an event.
    scores
        Scores of the model to analyse; all where empty.
    baselines
        Scores that need no model. Calorimeters that neither they nor the model look at are
        not read.
    target_tpr
        Signal efficiency at which the false positive rate is quoted (CoDAE paper,
        section 5.1).
    background_efficiencies
        Working points of the trigger.
    rate_budgets
        Further working points: background rate in Hz; need cross-sections.
    luminosity
        Instantaneous luminosity, per cm2 and s.
    menu
        Support-trigger menu, or the path of one (``darktrigger menu``): histograms then hold recorded events
        alone, each weighted with the prescale of its region.
    read_timeout
        For one read of a remote file, s; it is tried three times.
    """

    selection: Selection = Selection()
    branches: BranchOverride = BranchOverride()
    objects: ObjectConfig = ObjectConfig()
    jets: JetConfig = JetConfig()
    tree: str = "Delphes"
    scores: tuple[str, ...] = ()
    baselines: tuple[BaselineName, ...] = ("n_tracks", "lit_pixels")
    target_tpr: Fraction = 0.4
    background_efficiencies: tuple[Fraction, ...] = (0.1, 0.01)
    rate_budgets: tuple[Annotated[float, Field(gt=0)], ...] = ()
    luminosity: Annotated[float, Field(gt=0)] = 2e34
    menu: Menu | None = None
    abcd: AbcdConfig = AbcdConfig()
    axes: AxisConfig = AxisConfig()
    executor: ExecutorConfig = ExecutorConfig()
    read_timeout: Annotated[float, Field(gt=0)] = 60.0
    style: StyleConfig = StyleConfig()

    @field_validator("menu", mode="before")
    @classmethod
    def _read_menu(cls, value: object) -> object:
        return read_menu(value) if isinstance(value, str | Path) else value


class Limits(NamedTuple):
    """How much of a fileset to process, per dataset; None for all."""

    files: int | None = None
    chunks: int | None = None


#: The whole fileset.
NO_LIMITS = Limits()
