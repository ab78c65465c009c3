"""Scores of events, the trigger's and the physicist's, all oriented: higher is more anomalous."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.trigger import Direction, Trigger
from darktrigger.errors import AnalysisError
from imaging.dense import coarse_pixels
from imaging.image_set import ImageSet
from imaging.sparse import CHANNELS

#: Scores that need no model; they are offered beside the model's own.
BASELINES = ("n_tracks", "lit_pixels")

#: Total-energy baselines of the CoDAE paper, equation 4, one a channel.
TOTAL_E_T = tuple(f"total_e_t_{channel}" for channel in CHANNELS)


def directions(trigger: Trigger) -> dict[str, Direction]:
    """Direction of the model's scores, then of the baselines.

    Raises
    ------
    AnalysisError
        The model claims the name of a baseline.
    """
    taken = [name for name in BASELINES if name in trigger.directions]
    if taken:
        raise AnalysisError(f"{trigger.path}: score name '{taken[0]}' is reserved for the baseline of that name")
    return trigger.directions | dict.fromkeys(BASELINES, Direction.HIGHER)


def oriented(scores: dict[str, NDArray[np.float32]], signs: dict[str, Direction]) -> dict[str, NDArray[np.float32]]:
    """Flip the scores of which lower values are anomalous."""
    return {name: values * np.float32(signs[name].sign) for name, values in scores.items()}


def baseline_scores(events: ImageSet) -> dict[str, NDArray[np.float32]]:
    """Number of tracks and of lit coarse tracker pixels, shape (n,) each."""
    lit = np.diff(coarse_pixels(events.images, "trk").indptr)
    return {"n_tracks": events.n_tracks.astype(np.float32), "lit_pixels": lit.astype(np.float32)}


def total_e_t(events: ImageSet) -> dict[str, NDArray[np.float32]]:
    """Summed E_T of each channel (GeV), shape (n,) each (CoDAE paper, equation 4)."""
    return {
        name: events.images.channel(channel).sum(axis=1).astype(np.float32)
        for name, channel in zip(TOTAL_E_T, CHANNELS, strict=True)
    }


def event_scores(trigger: Trigger, events: ImageSet, batch_size: int) -> dict[str, NDArray[np.float32]]:
    """Oriented scores of the model and the baselines, shape (n,) each.

    Raises
    ------
    AnalysisError
        The model gives NaN or infinity for some event.
    """
    scores = oriented(trigger.scores(events.images, batch_size), trigger.directions)
    for name, values in scores.items():
        if not np.isfinite(values).all():
            raise AnalysisError(f"{trigger.path}: score '{name}' is {values[~np.isfinite(values)][0]} for some event")
    return scores | baseline_scores(events)
