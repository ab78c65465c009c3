"""Filters on generated events: refuse what no analysis would keep, before it costs detector time."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import awkward as ak
import fastjet
import numpy as np
import pythia8mc
from numpy.typing import NDArray
from pydantic import Field, model_validator

from darktrigger.config import StrictModel
from darktrigger.quiet import captured_stdout
from generation.events import GenEvents
from generation.hooks import HeavyQuarkHook, PartonHtHook, PartonJetHook
from generation.matching import holds_parent

#: Neutrinos, and dark states that leave no trace.
INVISIBLE = (12, 14, 16, 51, 53)


class HtFilter(StrictModel):
    """Scalar p_T sum of generator-level jets.

    The detector's own cut on HT must lie well above: pile-up and resolution lift events over it.
    """

    kind: Literal["ht"] = "ht"
    ht_min: float = Field(300.0, gt=0, description="Least HT of generator-level jets, GeV.")
    radius: float = Field(0.5, gt=0, description="Radius of the anti-k_T jets.")
    pt_min: float = Field(15.0, gt=0, description="Least p_T of a jet, GeV.")
    eta_max: float = Field(5.0, gt=0, description="Largest |eta| of a particle or jet.")
    parton_fraction: float = Field(
        0.7, ge=0, le=1, description="Events whose parton-level HT is below this times ht_min are stopped there."
    )

    def hooks(self) -> list[pythia8mc.UserHooks]:
        """Early veto, before hadronisation."""
        return [PartonHtHook(self.parton_fraction * self.ht_min, self.radius, self.pt_min, self.eta_max)]

    def accept(self, events: GenEvents, record: ak.Array | None = None) -> NDArray[np.bool_]:  # noqa: ARG002
        """Mask (n,) of the events to keep."""
        jets = visible_jets(events, self.radius, self.pt_min, self.eta_max)
        return np.asarray(ak.sum(jets.pt, axis=1) > self.ht_min)


class JetFilter(StrictModel):
    """The leading generator-level jet lies in a p_T window (NAE paper, equations 12 and 13)."""

    kind: Literal["jet"] = "jet"
    pt_min: float = Field(550.0, gt=0, description="Least p_T of the jet, GeV.")
    pt_max: float = Field(650.0, gt=0, description="Largest p_T of the jet, GeV.")
    eta_max: float = Field(2.0, gt=0, description="Largest |eta| of the jet.")
    radius: float = Field(0.8, gt=0, description="Radius of the anti-k_T jets.")
    margin: float = Field(0.1, ge=0, lt=1, description="The window is widened by this fraction, for the resolution.")
    parton_margin: float | None = Field(
        0.3,
        ge=0,
        lt=1,
        description="Events whose leading parton-level jet misses the window by more than this fraction are stopped "
        "there; null where invisible particles make much of a jet.",
    )
    parent: int | None = Field(
        None,
        gt=0,
        description="Number of a particle of the hard process: the jet has to hold one of them, and all that it decays "
        "to there, within its radius. Null for jets of any origin.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> JetFilter:
        if self.pt_min >= self.pt_max:
            raise ValueError(f"pt_min {self.pt_min:g} GeV is not below pt_max {self.pt_max:g} GeV")
        return self

    def hooks(self) -> list[pythia8mc.UserHooks]:
        """Early veto, before hadronisation."""
        if self.parton_margin is None:
            return []
        low, high = (1 - self.parton_margin) * self.pt_min, (1 + self.parton_margin) * self.pt_max
        return [PartonJetHook(low, high, self.radius, self._eta_reach)]

    @property
    def _eta_reach(self) -> float:
        """Particles up to here are clustered: a jet farther out may be the leading one."""
        return self.eta_max + 3

    def accept(self, events: GenEvents, record: ak.Array | None = None) -> NDArray[np.bool_]:
        """Mask (n,) of the events to keep."""
        jets = visible_jets(events, self.radius, (1 - self.margin) * self.pt_min, self._eta_reach)
        leading = ak.firsts(jets[ak.argsort(jets.pt, axis=1, ascending=False)])
        inside = (leading.pt < (1 + self.margin) * self.pt_max) & (abs(leading.eta) < self.eta_max)
        kept = np.asarray(ak.to_numpy(ak.fill_none(inside, False)), dtype=np.bool_)
        if self.parent is None or not kept.any():
            return kept
        if record is None:
            raise ValueError(f"jets of particle {self.parent} cannot be told without the generator's records")
        kept[kept] = holds_parent(record[kept], self.parent, leading[kept], self.radius)
        return kept


class LeptonFilter(StrictModel):
    """At least one electron or muon (double-autoencoder paper, section III; it does not give the |eta| ranges)."""

    kind: Literal["lepton"] = "lepton"
    pt_min: float = Field(23.0, gt=0, description="Least p_T of the lepton, GeV.")
    electron_eta_max: float = Field(3.0, gt=0, description="Largest |eta| of an electron.")
    muon_eta_max: float = Field(2.1, gt=0, description="Largest |eta| of a muon.")
    heavy_quarks_only: bool = Field(
        default=False,
        description="QCD only: events without a b or c quark for the lepton are stopped before hadronisation.",
    )

    def hooks(self) -> list[pythia8mc.UserHooks]:
        """Early veto of QCD events, before hadronisation."""
        # Fragmentation and decay leave a lepton at most four fifths of its quark's p_T, in all but rare cases.
        return [HeavyQuarkHook(1.25 * self.pt_min)] if self.heavy_quarks_only else []

    def accept(self, events: GenEvents, record: ak.Array | None = None) -> NDArray[np.bool_]:  # noqa: ARG002
        """Mask (n,) of the events to keep."""
        pid, pt = np.abs(events.pid), np.hypot(events.px, events.py)
        hard = pt > self.pt_min
        eta = np.arcsinh(np.divide(events.pz, pt, out=np.full_like(pt, np.inf), where=hard))
        inside = np.select(
            [pid == 11, pid == 13], [np.abs(eta) < self.electron_eta_max, np.abs(eta) < self.muon_eta_max]
        )
        sums = np.concatenate(([0], np.cumsum(hard & inside.astype(bool))))
        return sums[events.offsets[1:]] > sums[events.offsets[:-1]]


EventFilter = Annotated[HtFilter | JetFilter | LeptonFilter, Field(discriminator="kind")]


def visible_jets(events: GenEvents, radius: float, pt_min: float, eta_max: float) -> ak.Array:
    """Anti-k_T jets of visible particles with |eta| < ``eta_max``: fields ``pt``, ``eta``, ``phi`` (events * var)."""
    pt2 = events.px.astype(np.float64) ** 2 + events.py.astype(np.float64) ** 2
    central = np.square(events.pz.astype(np.float64)) < np.sinh(eta_max) ** 2 * pt2
    keep = central & ~np.isin(np.abs(events.pid), INVISIBLE)
    counts = np.add.reduceat(np.append(keep, False), events.offsets[:-1]) * (np.diff(events.offsets) > 0)
    particles = ak.unflatten(
        ak.zip({name: getattr(events, key)[keep].astype(np.float64) for name, key in _MOMENTUM}), counts
    )
    with captured_stdout():  # FastJet's banner
        sequence = fastjet.ClusterSequence(particles, fastjet.JetDefinition(fastjet.antikt_algorithm, radius))
        jets: Any = sequence.inclusive_jets(min_pt=pt_min)
    pt = np.hypot(jets.px, jets.py)
    return ak.zip({"pt": pt, "eta": np.arcsinh(jets.pz / pt), "phi": np.arctan2(jets.py, jets.px)})


_MOMENTUM = (("px", "px"), ("py", "py"), ("pz", "pz"), ("E", "e"))
