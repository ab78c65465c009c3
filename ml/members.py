"""Models with several scores: what their configurations and outputs have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor

from darktrigger.config import StrictModel


class SeveralScores(StrictModel, ABC):
    """Base of the configurations whose model has a score for each of its members."""

    @abstractmethod
    def score_names(self) -> tuple[str, ...]:
        """Name of each member's score, with the member's number from 1 on."""

    @abstractmethod
    def input_kind(self) -> str:
        """A key of :data:`imaging.dense.INPUT_SHAPES`."""


class MembersOutput(NamedTuple):
    """What K models say of n events.

    Parameters
    ----------
    score
        Anomaly score of each, higher is more anomalous, shape (n, K).
    own_loss
        Sum of their own losses, shape (n,).
    """

    score: Tensor
    own_loss: Tensor


def own_loss(image_NCHW: Tensor, output: MembersOutput) -> Tensor:  # noqa: ARG001 (the signature of losses)
    """Sum of the members' losses, shape (n,)."""
    return output.own_loss
