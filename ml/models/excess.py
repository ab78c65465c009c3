"""Excess over what background holds: a density of a few counts, read one-sidedly."""

from __future__ import annotations

from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from darktrigger.config import StrictModel
from ml.counts import crowding, hardest_track, log_total_e_t, missing_e_t, soft_tracks
from ml.training_config import Count, TrainingConfig

#: Scores that the model gives, see :mod:`ml.excess_scores`.
SCORES = ("excess", "excess_tracks", "soft_tracks", "missing_e_t")

#: Features, in order: what is counted, and what else the event has that it is compared at.
FEATURES = ("soft_tracks", "soft_tracks_given_e_t", "crowding_given_e_t", "missing_e_t_given_e_t_and_hardest_track")

#: Where training starts: about 30 soft tracks and as much crowding, 50 GeV of missing E_T.
_TYPICAL_MEAN, _TYPICAL_LOG_WIDTH = (3.5, 3.5, 3.5, 4.0), (-0.7, -1.0, -1.0, -0.5)

#: Logarithms of total E_T and of the hardest tracker pixel in a typical event, GeV.
_TYPICAL_CONDITION = (7.3, 3.8)

Positive = Annotated[float, Field(gt=0)]
Weight = Annotated[float, Field(ge=0)]


class ExcessWeights(StrictModel):
    """What each feature's excess counts in the score ``excess``; chosen once, see :class:`Excess`."""

    soft_tracks: Weight = 1.0
    soft_tracks_given_e_t: Weight = 1.0
    crowding_given_e_t: Weight = 1.0
    missing_e_t_given_e_t_and_hardest_track: Weight = 1.5


class ExcessConfig(StrictModel):
    """Features and size of the density.

    Parameters
    ----------
    soft_e_t
        Tracker pixels above this count as soft tracks, GeV.
    block
        Height and width of the blocks in which lit pixels are counted, coarse pixels.
    hidden
        Width of the hidden layers that give each feature's mean and width.
    weights
        Of the features in the score.
    """

    soft_e_t: Positive = 2.0
    block: Annotated[
        tuple[Annotated[int, Field(ge=1, le=72)], Annotated[int, Field(ge=1, le=58)]], Field(description="phi, eta")
    ] = (9, 8)
    hidden: Annotated[int, Field(ge=1)] = 16
    weights: ExcessWeights = ExcessWeights()


class ExcessTraining(TrainingConfig):
    """How to train the density: a few passes with a high learning rate, since there are few parameters.

    In float32, since bfloat16 does not tell counts above 256 apart.
    """

    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    epochs: Count = 8
    learning_rate: Positive = 5e-3
    weight_decay: Weight = 0.0
    micro_batch: Count | None = 64


class ExcessOutput(NamedTuple):
    """Features of n events and the density that background gives them.

    Parameters
    ----------
    feature
        In the order of :data:`FEATURES`, shape (n, 4).
    mean, log_width
        Of the Gaussian in which each feature is thought to lie, shape (n, 4) each.
    weight
        Of the features in the score, shape (4,).
    """

    feature: Tensor
    mean: Tensor
    log_width: Tensor
    weight: Tensor

    @property
    def pull(self) -> Tensor:
        """Deviation of each feature in units of its width, shape (n, 4)."""
        return (self.feature - self.mean) * torch.exp(-self.log_width)


def loss(image_NCHW: Tensor, output: ExcessOutput) -> Tensor:  # noqa: ARG001 (the signature of losses)
    """Negative logarithm of the density, constants apart, shape (n,)."""
    return (0.5 * output.pull.square() + output.log_width).sum(1)


class Excess(nn.Module):
    """Counts in an event, and how far they exceed what background of its energy has.

    Dark showers put more into an event than QCD of the same energy does: more soft tracks, more of them close
    together, more missing E_T. The model learns the distribution of these features on background: a Gaussian
    for the number of soft tracks, and one that depends on the total E_T for each feature, for missing E_T also on
    the hardest track, whose resolution fakes it. Its score adds up the deviations to the high side. That events
    with less of something are not called anomalous makes most of its power: the density itself as a score would
    rank them as high as those with more.

    The choice of features and weights looked at a few hundred to two thousand simulated SUEP and SVJ events a
    mass; the density itself, all that is trained, sees background only. ``excess`` uses missing E_T, formed
    from the image; ``excess_tracks`` does not, and sees the calorimeters only through the total E_T.

    Reference: ours. The number of tracks as a discriminator: CoDAE paper, section 5.2; counts above thresholds
    on E_T go beyond it.

    Parameters
    ----------
    config
        Features and sizes.

    Examples
    --------
    >>> import torch
    >>> from ml.models.excess import Excess, ExcessConfig
    >>> output = Excess(ExcessConfig())(torch.ones(4, 3, 72, 58))
    >>> tuple(output.pull.shape)
    (4, 4)
    """

    def __init__(self, config: ExcessConfig) -> None:
        super().__init__()
        self.config = config
        self.marginal = nn.Parameter(torch.zeros(2))
        self.tracks = conditional(1, 2, config.hidden)
        self.missing = conditional(2, 1, config.hidden)
        self.register_buffer("weight", torch.tensor(list(config.weights.model_dump().values())), persistent=False)
        self.reset_parameters()

    weight: Tensor

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """He-uniform weights; the density starts near typical background, with unit width."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_uniform_(module.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.marginal.copy_(torch.tensor([_TYPICAL_MEAN[0], _TYPICAL_LOG_WIDTH[0]]))
            for network, first, end in ((self.tracks, 1, 3), (self.missing, 3, 4)):
                last: nn.Linear = network[-1]  # type: ignore[assignment]
                last.bias.copy_(torch.tensor(_TYPICAL_MEAN[first:end] + _TYPICAL_LOG_WIDTH[first:end]))

    def forward(self, image_NCHW: Tensor) -> ExcessOutput:
        """Features and their density of coarse E_T images (n, 3, 72, 58), GeV."""
        settings = self.config
        condition_NK = torch.stack([log_total_e_t(image_NCHW), hardest_track(image_NCHW)], dim=1)
        # Both spread by about half a unit.
        condition_NK = 2 * (condition_NK - torch.tensor(_TYPICAL_CONDITION, device=condition_NK.device))
        soft_N = soft_tracks(image_NCHW, settings.soft_e_t)
        feature_NK = torch.stack([soft_N, soft_N, crowding(image_NCHW, settings.block), missing_e_t(image_NCHW)], dim=1)
        tracks_NK, missing_NK = self.tracks(condition_NK[:, :1]), self.missing(condition_NK)
        marginal_NK = self.marginal.expand(image_NCHW.shape[0], 2)
        return ExcessOutput(
            feature_NK,
            torch.cat([marginal_NK[:, :1], tracks_NK[:, :2], missing_NK[:, :1]], dim=1),
            torch.cat([marginal_NK[:, 1:], tracks_NK[:, 2:], missing_NK[:, 1:]], dim=1),
            self.weight,
        )


def conditional(conditions: int, features: int, hidden: int) -> nn.Sequential:
    """Means and then logarithms of the widths of some features, as functions of the conditions."""
    return nn.Sequential(
        nn.Linear(conditions, hidden),
        nn.SiLU(),
        nn.Linear(hidden, hidden),
        nn.SiLU(),
        nn.Linear(hidden, 2 * features),
    )
