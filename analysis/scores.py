"""Scores of events, the trigger's and the physicist's, all oriented: higher is more anomalous."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from analysis.trigger import Direction, Trigger
from darktrigger.errors import AnalysisError
from imaging.dense import coarse_mask, coarse_pixels
from imaging.image_set import ImageSet
from imaging.jets.jet_set import JetSet
from imaging.jets.leading_jet import JetEvents
from imaging.objects.object_set import ObjectSet
from imaging.sparse import CHANNELS

FloatArray = NDArray[np.float32]

#: A coarse HCAL cell counts for ``hcal_cells`` above this E_T, GeV.
HCAL_CELL_MIN = 10.0

#: Standard deviation of the blur of ``crowding``, coarse pixels (5 degrees in phi). Between 2 and 5 it makes little
#: difference; chosen with simulated signals at hand.
CROWDING_SIGMA = 3.0

#: Events of which dense masks exist at a time.
_BLOCK = 256


@dataclass(frozen=True)
class Baseline:
    """A score that needs no model.

    Parameters
    ----------
    function
        Maps events (:class:`imaging.image_set.ImageSet`) or jets to values of shape (n,).
    columns
        What it needs of an event: channels, or ``n_tracks``.
    is_count
        Whether its values are small whole numbers.
    """

    function: Callable[[Any], FloatArray]
    columns: frozenset[str]
    is_count: bool


def n_tracks(events: ImageSet) -> FloatArray:
    """Number of tracks (CoDAE paper, section 5.2)."""
    return events.n_tracks.astype(np.float32)


def lit_pixels(events: ImageSet) -> FloatArray:
    """Number of coarse tracker pixels with any track: the sum of the mask image."""
    return np.asarray(np.diff(coarse_pixels(events.images, "trk").indptr), dtype=np.float32)


def crowding(events: ImageSet) -> FloatArray:
    """How many pairs of lit pixels are near each other, or the same: log(1 + sum of squares of the blurred mask image).

    The blur is a Gaussian of :data:`CROWDING_SIGMA`, around the detector in phi and with nothing beyond its ends in
    eta. What autoencoders of blurred images, which rebuild little, have for their error. The logarithm changes no
    order; dark showers have ten times the pairs that QCD has.
    """
    found = np.empty(len(events), dtype=np.float32)
    for start in range(0, len(events), _BLOCK):
        mask_NHW = coarse_mask(events.images[start : start + _BLOCK])[:, 0]
        around_NHW = gaussian_filter1d(mask_NHW, CROWDING_SIGMA, axis=1, mode="wrap")
        blurred_NHW = gaussian_filter1d(around_NHW, CROWDING_SIGMA, axis=2, mode="constant")
        found[start : start + _BLOCK] = np.square(blurred_NHW).sum(axis=(1, 2))
    return np.log1p(found)


def hcal_cells(events: ImageSet) -> FloatArray:
    """Number of coarse HCAL cells above :data:`HCAL_CELL_MIN`."""
    cells = coarse_pixels(events.images, "hcal")
    cells.data = (cells.data > HCAL_CELL_MIN).astype(np.float32)
    return np.asarray(cells.sum(axis=1), dtype=np.float32)


def total_e_t(channel: str, events: ImageSet) -> FloatArray:
    """Summed E_T of a channel, GeV (CoDAE paper, equation 4)."""
    return np.asarray(events.images.channel(channel).sum(axis=1), dtype=np.float32)


#: Scores that need no model; they are offered beside the model's own.
BASELINES: dict[str, Baseline] = {
    "n_tracks": Baseline(n_tracks, frozenset({"n_tracks"}), is_count=True),
    "lit_pixels": Baseline(lit_pixels, frozenset({"trk"}), is_count=True),
    "crowding": Baseline(crowding, frozenset({"trk"}), is_count=False),
    "hcal_cells": Baseline(hcal_cells, frozenset({"hcal"}), is_count=True),
} | {
    f"total_e_t_{channel}": Baseline(partial(total_e_t, channel), frozenset({channel}), is_count=False)
    for channel in CHANNELS
}


def n_constituents(jets: JetSet | JetEvents) -> FloatArray:
    """Number of constituents of a jet."""
    return jets.n_constituents.astype(np.float32)


def jet_mass(jets: JetSet | JetEvents) -> FloatArray:
    """Mass of a jet, GeV."""
    return jets.jet_mass.astype(np.float32)


def p_t_d(jets: JetSet | JetEvents) -> FloatArray:
    """How unevenly p_T is spread over the pixels: root of the sum of its squares over its sum, 1 for a single pixel.

    Known from telling quarks from gluons. What an autoencoder has for its error that rebuilds nothing.
    """
    p_t = jets.images
    squares = np.sqrt(np.asarray(p_t.power(2).sum(axis=1)))
    return np.asarray(squares / np.maximum(np.asarray(p_t.sum(axis=1)), np.finfo(np.float32).tiny), dtype=np.float32)


#: The same for jets.
JET_BASELINES: dict[str, Baseline] = {
    "n_constituents": Baseline(n_constituents, frozenset(), is_count=True),
    "jet_mass": Baseline(jet_mass, frozenset(), is_count=False),
    "p_t_d": Baseline(p_t_d, frozenset(), is_count=False),
}


#: The same for objects: those that look at no image.
OBJECT_BASELINES: dict[str, Baseline] = {
    name: baseline for name, baseline in BASELINES.items() if not baseline.columns & set(CHANNELS)
}


#: All of them.
ALL_BASELINES: dict[str, Baseline] = BASELINES | JET_BASELINES


_BY_KIND: dict[type, dict[str, Baseline]] = {
    ImageSet: BASELINES,
    ObjectSet: OBJECT_BASELINES,
    JetSet: JET_BASELINES,
    JetEvents: OBJECT_BASELINES | JET_BASELINES,
}


def baselines_of(kind: type) -> dict[str, Baseline]:
    """Scores that need no model, of sets of images, of objects, of jets, or of events by their jet."""
    return _BY_KIND[kind]


def directions(trigger: Trigger, baselines: Iterable[str] = BASELINES) -> dict[str, Direction]:
    """Direction of the model's scores, then of the baselines.

    Raises
    ------
    AnalysisError
        The model claims the name of a baseline.
    """
    taken = [name for name in ALL_BASELINES if name in trigger.directions]
    if taken:
        raise AnalysisError(f"{trigger.path}: score name '{taken[0]}' is reserved for the baseline of that name")
    return trigger.directions | dict.fromkeys(baselines, Direction.HIGHER)


def channels_needed(trigger: Trigger, baselines: Collection[str]) -> frozenset[str]:
    """Channels that the model and the baselines look at."""
    return frozenset(trigger.channels).union(*(ALL_BASELINES[name].columns & set(CHANNELS) for name in baselines))


def oriented(scores: Mapping[str, FloatArray], signs: Mapping[str, Direction]) -> dict[str, FloatArray]:
    """Flip the scores of which lower values are anomalous."""
    return {name: values * np.float32(signs[name].sign) for name, values in scores.items()}


def baseline_scores(
    events: ImageSet | JetSet | ObjectSet | JetEvents, names: Iterable[str] | None = None
) -> dict[str, FloatArray]:
    """Baselines of events, all of their kind unless named, shape (n,) each.

    Raises
    ------
    AnalysisError
        Events of this kind have no such baseline.
    """
    known = baselines_of(type(events))
    chosen = list(known if names is None else names)
    if other := [name for name in chosen if name not in known]:
        raise AnalysisError(f"no baseline '{other[0]}' of such events; there are {', '.join(known)}")
    return {name: known[name].function(events) for name in chosen}


def finite(scores: dict[str, FloatArray], path: str) -> dict[str, FloatArray]:
    """The same scores of a model.

    Raises
    ------
    AnalysisError
        NaN or infinity for some event.
    """
    for name, values in scores.items():
        if not np.isfinite(values).all():
            raise AnalysisError(f"{path}: score '{name}' is {values[~np.isfinite(values)][0]} for some event")
    return scores


def event_scores(
    trigger: Trigger, events: ImageSet | ObjectSet | JetEvents, batch_size: int, baselines: Iterable[str] | None = None
) -> dict[str, FloatArray]:
    """Oriented scores of the model and the baselines (all of the events' kind unless named), shape (n,) each.

    Raises
    ------
    AnalysisError
        The model gives NaN or infinity for some event, or events of this kind have no such baseline.
    """
    scores = oriented(trigger.scores(events.images, batch_size), trigger.directions)
    return finite(scores, trigger.path) | baseline_scores(events, baselines)
