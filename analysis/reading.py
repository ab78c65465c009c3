"""From Delphes branches to what the trigger looks at: images, objects, or jets."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import awkward as ak

from analysis.config import AnalysisConfig
from analysis.scores import BASELINES, baselines_of, channels_needed
from analysis.trigger import Trigger
from imaging.branches import BranchOverride, find_branches
from imaging.config import Selection
from imaging.events import Cutflow, build_images
from imaging.image_set import ImageSet, concatenate_sets
from imaging.jets.config import JetConfig
from imaging.jets.leading_jet import (
    JetEvents,
    build_jet_events,
    concatenate_jet_events,
    find_jet_event_branches,
)
from imaging.objects.branches import ObjectConfig, find_object_branches
from imaging.objects.events import build_objects
from imaging.objects.object_set import ObjectSet, concatenate_objects

#: Events as any kind of model wants them.
EventSet = ImageSet | ObjectSet | JetEvents


class Reader(Protocol):
    """Finds the branches that a model needs, and makes events of them."""

    @property
    def selection_label(self) -> str:
        """The preselection in words."""

    def branches(self, available: Collection[str], source: str) -> list[str]:
        """Branches to read of a file; see :func:`imaging.branches.find_branches` for what it raises."""

    def build(
        self, arrays: Mapping[str, ak.Array], available: Collection[str], source: str, first_entry: int = 0
    ) -> tuple[EventSet, Cutflow]:
        """Selected events of a chunk; see :func:`imaging.events.build_images` for what it raises."""

    def joined(self, parts: list[Any]) -> EventSet:
        """Chunks put together."""


@dataclass(frozen=True)
class ImageReader:
    """Images, of the channels that the model and the baselines look at."""

    selection: Selection
    override: BranchOverride
    channels: frozenset[str]

    @property
    def selection_label(self) -> str:
        """Cut on H_T."""
        return f"HT > {self.selection.ht_min:g} GeV"

    def branches(self, available: Collection[str], source: str) -> list[str]:
        """See :class:`Reader`."""
        return find_branches(available, self.override, source).only(self.channels).names()

    def build(
        self, arrays: Mapping[str, ak.Array], available: Collection[str], source: str, first_entry: int = 0
    ) -> tuple[EventSet, Cutflow]:
        """See :class:`Reader`."""
        chosen = find_branches(available, self.override, source).only(self.channels)
        return build_images(arrays, chosen, self.selection, source, first_entry)

    def joined(self, parts: list[Any]) -> EventSet:
        """See :class:`Reader`."""
        return concatenate_sets(parts)


@dataclass(frozen=True)
class ObjectReader:
    """Leptons, jets and missing E_T."""

    config: ObjectConfig

    @property
    def selection_label(self) -> str:
        """Cut on the lepton."""
        return f"lepton > {self.config.lepton_pt_min:g} GeV{self.config.isolation_label}"

    def branches(self, available: Collection[str], source: str) -> list[str]:
        """See :class:`Reader`."""
        return find_object_branches(available, self.config, source).names()

    def build(
        self, arrays: Mapping[str, ak.Array], available: Collection[str], source: str, first_entry: int = 0
    ) -> tuple[EventSet, Cutflow]:
        """See :class:`Reader`."""
        chosen = find_object_branches(available, self.config, source)
        return build_objects(arrays, chosen, self.config, source, first_entry)

    def joined(self, parts: list[Any]) -> EventSet:
        """See :class:`Reader`."""
        return concatenate_objects(parts)


@dataclass(frozen=True)
class JetReader:
    """The hardest jet of each event."""

    config: JetConfig

    @property
    def selection_label(self) -> str:
        """Window of the jet."""
        window = self.config.selection
        return f"jet {window.pt_min:g} to {window.pt_max:g} GeV"

    def branches(self, available: Collection[str], source: str) -> list[str]:
        """See :class:`Reader`."""
        return find_jet_event_branches(available, self.config.branches, source).names()

    def build(
        self, arrays: Mapping[str, ak.Array], available: Collection[str], source: str, first_entry: int = 0
    ) -> tuple[EventSet, Cutflow]:
        """See :class:`Reader`."""
        chosen = find_jet_event_branches(available, self.config.branches, source)
        return build_jet_events(arrays, chosen, self.config.selection, source, first_entry)

    def joined(self, parts: list[Any]) -> EventSet:
        """See :class:`Reader`."""
        return concatenate_jet_events(parts)


def reader_for(trigger: Trigger, config: AnalysisConfig) -> Reader:
    """What makes the events that a trigger looks at."""
    if trigger.takes_objects:
        return ObjectReader(config.objects)
    if trigger.takes_jets:
        return JetReader(config.jets)
    return ImageReader(config.selection, config.branches, channels_needed(trigger, config.baselines))


def fitted(config: AnalysisConfig, trigger: Trigger) -> AnalysisConfig:
    """The same settings with the baselines that what the trigger looks at has: fewer for objects, others for jets."""
    available = baselines_of(JetEvents if trigger.takes_jets else ObjectSet if trigger.takes_objects else ImageSet)
    wanted = dict.fromkeys((*config.baselines, *(name for name in available if name not in BASELINES)))
    return config.model_copy(update={"baselines": tuple(name for name in wanted if name in available)})
