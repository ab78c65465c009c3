"""Two or more image models at once, their scores decorrelated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from darktrigger.config import StrictModel, validate
from darktrigger.errors import ConfigError
from ml.callbacks import BEST
from ml.decorrelation import AnyObjective, DiscoPenalty
from ml.member_families import MEMBERS
from ml.members import MembersOutput, SeveralScores
from ml.scores import SCORES
from ml.training_config import Count, DecorrelatedTraining


def _directed(member: str) -> tuple[str, ...]:
    """Scores of a family whose anomalous end does not depend on the training."""
    return tuple(name for name in MEMBERS[member].scores if SCORES[name].direction)


class MemberConfig(StrictModel):
    """One model of a pair.

    Parameters
    ----------
    member
        Its family.
    score
        Its score that is decorrelated from the others'.
    model
        Its configuration, as in the section ``model`` of its own training.
    """

    member: Literal["codae", "cae", "heimel", "excess"]
    score: str
    model: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.score not in _directed(self.member):
            expected = ", ".join(_directed(self.member))
            raise ValueError(f"score: a {self.member} has no '{self.score}'; expected one of {expected}")
        try:
            self.resolved()
        except ConfigError as error:
            raise ValueError(str(error)) from None
        return self

    def resolved(self) -> StrictModel:
        """The validated configuration of the member."""
        return validate(MEMBERS[self.member].config, self.model, f"member {self.member}")


class PairConfig(SeveralScores):
    """Which models, and which score of each.

    By default two of our densities: the number of tracks given the total E_T, and missing E_T.
    """

    members: Annotated[tuple[MemberConfig, ...], Field(min_length=1)] = (
        MemberConfig(member="excess", score="excess_tracks"),
        MemberConfig(member="excess", score="missing_e_t"),
    )

    def score_names(self) -> tuple[str, ...]:
        """Each member's score with its number."""
        return tuple(f"{member.score}{number}" for number, member in enumerate(self.members, start=1))

    def input_kind(self) -> str:
        """E_T where any member looks at it; masks are made of it for the others."""
        kinds = {MEMBERS[member.member].input_kind for member in self.members}
        return kinds.pop() if len(kinds) == 1 else "coarse E_T"


class PairTraining(DecorrelatedTraining):
    """Large batches, which DisCo needs; the gradient goes through a few events at a time.

    Parameters
    ----------
    kept
        For each member the run folder in which it was trained before, if it is to stay as it is, else null, so that
        only the others learn: a second score to go with a trigger that one has. A relative path starts in the current
        folder.
    """

    kept: tuple[Path | None, ...] = ()
    epochs: Count = 20
    batch_size: Count = 4096
    micro_batch: Count | None = 64
    learning_rate: Annotated[float, Field(gt=0)] = 1e-2
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    augmentation: bool = True
    objective: AnyObjective = DiscoPenalty(weight=10.0)

    @property
    def files(self) -> tuple[Path, ...]:
        """The weights that are kept too."""
        return (*super().files, *(folder / BEST for folder in self.kept if folder))


class Pair(nn.Module):
    """Image models side by side, each with one score, trained to be independent on background.

    Reference: the double-autoencoder paper (Phys. Rev. D 105 (2022) 055006) names other architectures as its
    extension, end of section III; which of ours serve is our choice.

    Parameters
    ----------
    config
        The members.

    Examples
    --------
    >>> import torch
    >>> from ml.models.pair import Pair, PairConfig
    >>> output = Pair(PairConfig())(torch.ones(4, 3, 72, 58))
    >>> tuple(output.score.shape)
    (4, 2)
    """

    def __init__(self, config: PairConfig) -> None:
        super().__init__()
        self.config = config
        self.members = nn.ModuleList(MEMBERS[member.member].model(member.resolved()) for member in config.members)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Those of each member, one after the other."""
        for member in self.members:
            reset: Any = member.reset_parameters
            reset(generator)

    def forward(self, image_NCHW: Tensor) -> MembersOutput:
        """Scores and summed losses of images of the kind that :meth:`PairConfig.input_kind` says."""
        scores, losses = [], []
        for member, settings in zip(self.members, self.config.members, strict=True):
            family = MEMBERS[settings.member]
            masks = family.input_kind == "coarse mask" and self.config.input_kind() != "coarse mask"
            member_NCHW = (image_NCHW[:, :1] > 0).to(image_NCHW.dtype) if masks else image_NCHW
            output = member(member_NCHW)
            score = SCORES[settings.score]
            sign = -1.0 if score.direction == "lower" else 1.0
            scores.append(sign * score.function(member_NCHW, output))
            losses.append(family.loss(member_NCHW, output))
        return MembersOutput(torch.stack(scores, dim=1), torch.stack(losses, dim=1).sum(1))
