"""Detector cards: everything that distinguishes one experiment from another, as typed data."""

from __future__ import annotations

from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from darktrigger.config import StrictModel, load_config
from darktrigger.errors import ConfigError

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]


class Vertex(StrictModel):
    """Luminous region: independent Gaussians, truncated; mm and s."""

    z_sigma: NonNegative
    z_max: Positive
    t_sigma: NonNegative
    t_max: Positive


class Solenoid(StrictModel):
    """Field (T) along z, and the cylinder (m) at whose surface the calorimeters start."""

    b_z: float
    radius: Positive
    half_length: Positive


class PtStep(StrictModel):
    """Efficiency above ``pt_min`` (GeV): ``value * exp(exponent + slope * pt)``."""

    pt_min: NonNegative
    value: Fraction
    exponent: float = 0.0
    slope: float = 0.0


class EfficiencyRegion(StrictModel):
    """Steps in p_T, ascending, that hold up to this abs(eta); below the first one, nothing is seen."""

    eta_max: Positive
    steps: Annotated[tuple[PtStep, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(a.pt_min >= b.pt_min for a, b in pairwise(self.steps)):
            raise ValueError("steps must ascend in pt_min")
        return self


class MomentumResolution(StrictModel):
    """Relative p_T resolution ``sqrt(constant^2 + (linear * pt)^2)`` up to this abs(eta)."""

    eta_max: Positive
    constant: NonNegative
    linear: NonNegative


class TrackModel(StrictModel):
    """How one kind of charged particle is tracked; regions ascend in abs(eta)."""

    efficiency: tuple[EfficiencyRegion, ...]
    resolution: tuple[MomentumResolution, ...]


class Tracking(StrictModel):
    """Tracking of each kind, and the distance in z (mm) from which pile-up tracks are told apart."""

    hadron: TrackModel
    electron: TrackModel
    muon: TrackModel
    pileup_z_resolution: NonNegative


class Rings(StrictModel):
    """Towers: rings between consecutive ``eta_edges``, each cut into ``n_phi`` equal ones over [-pi, pi].

    ``n_eta`` equal rings between two edges may be asked for instead of listing all.
    """

    eta_edges: Annotated[tuple[float, ...], Field(min_length=2)]
    n_phi: Annotated[int, Field(gt=0)]
    n_eta: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if any(a >= b for a, b in pairwise(self.eta_edges)):
            raise ValueError("eta_edges must ascend")
        if self.n_eta is not None and len(self.eta_edges) != 2:
            raise ValueError("n_eta takes exactly two eta_edges")
        return self

    def edges(self) -> NDArray[np.float64]:
        """All edges in eta."""
        if self.n_eta is None:
            return np.array(self.eta_edges)
        return np.linspace(self.eta_edges[0], self.eta_edges[1], self.n_eta + 1)


class EnergyResolution(StrictModel):
    """sigma(E) up to this abs(eta), GeV.

    ``(scale + bend * (abs(eta) - eta_0)^2) * sqrt((constant E)^2 + stochastic^2 E + noise^2)``
    """

    eta_max: Positive
    constant: NonNegative = 0.0
    stochastic: NonNegative = 0.0
    noise: NonNegative = 0.0
    scale: NonNegative = 1.0
    bend: NonNegative = 0.0
    eta_0: NonNegative = 0.0


class Calorimeter(StrictModel):
    """One calorimeter: towers, thresholds, resolution, and who leaves which share of its energy.

    ``fractions`` maps abs(PDG number) to the share; 0 stands for all that are not named.
    """

    towers: Annotated[tuple[Rings, ...], Field(min_length=1)]
    energy_min: NonNegative
    significance_min: NonNegative
    resolution: Annotated[tuple[EnergyResolution, ...], Field(min_length=1)]
    fractions: dict[int, Fraction]

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if 0 not in self.fractions:
            raise ValueError("fractions need 0, the share of all particles that are not named")
        if any(a.eta_edges[-1] != b.eta_edges[0] for a, b in pairwise(self.towers)):
            raise ValueError("towers must follow each other in eta without a gap")
        return self


class RhoRegion(StrictModel):
    """Rapidity range with tiles of about these sizes, over which the median density is taken."""

    rapidity_min: float
    rapidity_max: float
    d_rapidity: Positive
    d_phi: Positive


class Jets(StrictModel):
    """Anti-k_T jets with area-based pile-up subtraction; p_T in GeV."""

    radius: Positive
    pt_min: NonNegative
    ghost_area: Positive = 0.01
    rho: tuple[RhoRegion, ...]


class Isolated(StrictModel):
    """Identification efficiency, and the largest p_T sum around a candidate relative to its own."""

    efficiency: tuple[EfficiencyRegion, ...]
    isolation_max: NonNegative
    isolation_radius: Positive = 0.5
    isolation_pt_min: NonNegative = 0.5


class Objects(StrictModel):
    """Photons and leptons."""

    photon: Isolated
    electron: Isolated
    muon: Isolated


class InvisibleRange(StrictModel):
    """abs(PDG number) from ``first`` to ``last``, both included."""

    first: int
    last: int


class DetectorCard(StrictModel):
    """A detector.

    ``invisible`` particles leave nothing anywhere. Missing E_T sums neutral particle flow and
    either all tracks or those that survive pile-up subtraction (``met_tracks``).
    """

    name: str
    vertex: Vertex
    solenoid: Solenoid
    tracking: Tracking
    ecal: Calorimeter
    hcal: Calorimeter
    invisible: tuple[InvisibleRange, ...]
    jets: Jets
    objects: Objects
    met_tracks: Literal["all", "without pile-up"]


def load_card(name_or_path: str | Path) -> DetectorCard:
    """Read a card: one of ours by name (``cms``, ``atlas``), or a YAML file.

    Raises
    ------
    ConfigError
        No such card, or one that does not validate.
    """
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"}:
        return load_config(DetectorCard, path)
    ours = resources.files("generation") / "cards"
    names = sorted(Path(entry.name).stem for entry in ours.iterdir() if entry.name.endswith(".yaml"))
    if str(name_or_path) not in names:
        raise ConfigError(f"no detector card '{name_or_path}'; ours: {', '.join(names)}; or give a .yaml file")
    with resources.as_file(ours / f"{name_or_path}.yaml") as file:
        return load_config(DetectorCard, file)
