"""Scores of :class:`ml.models.excess.Excess`: deviations from background to the high side."""

from __future__ import annotations

from typing import Any

from torch import Tensor

_SOFT, _SOFT_GIVEN, _CROWDING_GIVEN, _MISSING_GIVEN = range(4)


def excess(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001 (the signature of scores)
    """Sum over the features of weight times positive pull; missing E_T is one of them."""
    score_N: Tensor = (output.pull.clamp(min=0) * output.weight).sum(1)
    return score_N


def excess_tracks(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001
    """Soft tracks and crowding, both for the event's total E_T; no missing E_T. Plain sum of the pulls."""
    pull_NK: Tensor = output.pull
    return pull_NK[:, _SOFT_GIVEN] + pull_NK[:, _CROWDING_GIVEN]


def soft_tracks(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001
    """Number of tracker pixels above the threshold, as a pull: a count, and nothing else."""
    pull_NK: Tensor = output.pull
    return pull_NK[:, _SOFT]


def missing_e_t(image_NCHW: Tensor, output: Any) -> Tensor:  # noqa: ARG001
    """Missing E_T for the event's total E_T, as a pull."""
    pull_NK: Tensor = output.pull
    return pull_NK[:, _MISSING_GIVEN]
