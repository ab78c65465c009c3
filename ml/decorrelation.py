"""What makes scores independent in training: penalties and constraints, one configuration class each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import combinations
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from darktrigger.config import StrictModel
from ml.disco import pairwise

Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]


class ClosureConfig(StrictModel):
    """Soft counts of the ABCD method on a batch, see :func:`non_closure`.

    Parameters
    ----------
    efficiencies
        Background efficiencies of the thresholds, the same for each score.
    softness
        Width of the soft thresholds, in standard deviations of the score.
    """

    efficiencies: Annotated[tuple[Share, ...], Field(min_length=1)] = (0.5, 0.3, 0.1, 0.05)
    softness: Positive = 0.1


def non_closure(score_NK: Tensor, config: ClosureConfig, weight_N: Tensor | None = None) -> Tensor:
    """Mean squared deviation of observed over predicted events from 1, over all pairs of scores and thresholds.

    With shares a, b, c, d of a batch in the four regions, which sum to 1, the prediction (b c) / d of the share a
    closes exactly where a equals the product of the two efficiencies (a + b)(a + c), whatever the efficiencies:
    that ratio is used, whose denominator is never small. Thresholds are quantiles of the batch, and counts are
    made differentiable by sigmoids. Without weights, shape (n,), all events count alike.
    """
    score_NK = score_NK.double()
    fixed_NK = score_NK.detach()
    share_N = torch.ones_like(fixed_NK[:, 0]) if weight_N is None else weight_N.double()
    share_N = share_N / share_N.sum()
    threshold_TK = _quantiles(fixed_NK, weight_N, [1 - share for share in config.efficiencies])
    width_K = config.softness * fixed_NK.std(0).clamp(min=1e-12)
    passed_NTK = torch.sigmoid((score_NK[:, None] - threshold_TK) / width_K)
    efficiency_TK = torch.einsum("n,ntk->tk", share_N, passed_NTK)
    deviations = [
        torch.einsum("n,nt->t", share_N, passed_NTK[..., i] * passed_NTK[..., j])
        / (efficiency_TK[:, i] * efficiency_TK[:, j])
        - 1
        for i, j in combinations(range(score_NK.shape[1]), 2)
    ]
    if not deviations:
        return score_NK.sum() * 0
    return torch.cat(deviations).square().mean()


def _quantiles(score_NK: Tensor, weight_N: Tensor | None, levels: Sequence[float]) -> Tensor:
    """Quantiles of each column, shape (levels, K)."""
    level_T = torch.tensor(levels, dtype=score_NK.dtype, device=score_NK.device)
    if weight_N is None:
        return torch.quantile(score_NK, level_T, dim=0)
    sorted_NK, order_NK = score_NK.sort(0)
    below_KN = weight_N.to(score_NK.dtype)[order_NK].cumsum(0).T.contiguous()
    wanted_KT = level_T * below_KN[:, -1:]
    return sorted_NK.gather(0, torch.searchsorted(below_KN, wanted_KT).clamp(max=len(score_NK) - 1).T)


class Objective(StrictModel, ABC):
    """How much the dependence of the scores counts."""

    @abstractmethod
    def terms(self, score_NK: Tensor, weight_N: Tensor | None = None) -> Tensor:
        """What is to be small, shape (number of terms,); the first is the sum over pairs of squared DisCo.

        Weights of the events, shape (n,); without them all count alike.
        """

    @abstractmethod
    def value(self, terms: Tensor, multiplier: Tensor) -> Tensor:
        """What is added to the loss; ``multiplier`` has the shape of the terms."""

    @property
    @abstractmethod
    def n_terms(self) -> int:
        """Number of terms."""

    def updated(self, multiplier: Tensor, terms: Tensor) -> Tensor:  # noqa: ARG002 (the signature of all)
        """Multipliers after a step; most objectives have none that move."""
        return multiplier

    def merit(self, terms: Tensor) -> Tensor:
        """What is added to the validation loss to find the best epoch."""
        return self.value(terms, torch.zeros_like(terms))


class DiscoPenalty(Objective):
    """Equation 2 of the double-autoencoder paper: ``weight`` times the sum over pairs of squared DisCo."""

    kind: Literal["disco"] = "disco"
    weight: Annotated[float, Field(ge=0, description="Lambda of equation 2; 0 decorrelates nothing.")] = 100.0

    @property
    def n_terms(self) -> int:
        """One."""
        return 1

    def terms(self, score_NK: Tensor, weight_N: Tensor | None = None) -> Tensor:
        """Sum of squared distance correlations."""
        return pairwise(score_NK, weight_N)[None]

    def value(self, terms: Tensor, multiplier: Tensor) -> Tensor:  # noqa: ARG002
        """Lambda times the term."""
        return self.weight * terms.sum()


class WithClosure(Objective):
    """Base of the objectives that look at the closure of the ABCD method beside DisCo."""

    closure: ClosureConfig = ClosureConfig()

    @property
    def n_terms(self) -> int:
        """DisCo and closure."""
        return 2

    def terms(self, score_NK: Tensor, weight_N: Tensor | None = None) -> Tensor:
        """Sum of squared distance correlations, and non-closure."""
        return torch.stack([pairwise(score_NK, weight_N), non_closure(score_NK, self.closure, weight_N)])


class ClosurePenalty(WithClosure):
    """DisCo and a term that makes the ABCD method close, as the successor paper adds (arXiv:2506.08826).

    The form of the term, :func:`non_closure`, is ours: we have not seen that paper.
    """

    kind: Literal["closure"] = "closure"
    weight: Annotated[float, Field(ge=0, description="Lambda of equation 2.")] = 100.0
    closure_weight: Annotated[float, Field(ge=0, description="Factor of the closure term.")] = 10.0

    def value(self, terms: Tensor, multiplier: Tensor) -> Tensor:  # noqa: ARG002
        """Both with their factors."""
        return self.weight * terms[0] + self.closure_weight * terms[1]


class Constrained(WithClosure):
    """DisCo and non-closure kept below bounds, by the modified differential method of multipliers.

    The network goes down, and the multipliers go up, the augmented Lagrangian of the constraints: a multiplier
    grows as long as its constraint is broken, and falls to zero where it is kept, so that no factor has to be
    tuned. J. Platt and A. Barr, Constrained differential optimization, NIPS (1987); for decorrelated triggers
    arXiv:2506.08826, which we have not seen.

    Parameters
    ----------
    disco_max, closure_max
        Bounds of the sum of squared distance correlations and of :func:`non_closure`.
    rate
        By how much a multiplier moves in a step, times the excess over the bound.
    damping
        Factor of the quadratic term, which keeps both from swinging.
    closure
        Soft counts.
    """

    kind: Literal["constrained"] = "constrained"
    disco_max: Positive = 0.005
    closure_max: Positive = 0.001
    rate: Positive = 10.0
    damping: Positive = 100.0

    def _excess(self, terms: Tensor) -> Tensor:
        return terms - terms.new_tensor([self.disco_max, self.closure_max])

    def value(self, terms: Tensor, multiplier: Tensor) -> Tensor:
        """Augmented Lagrangian of the inequalities."""
        pressure = (multiplier + self.damping * self._excess(terms)).clamp(min=0)
        return ((pressure.square() - multiplier.square()) / (2 * self.damping)).sum()

    def updated(self, multiplier: Tensor, terms: Tensor) -> Tensor:
        """One step up; never negative."""
        return (multiplier + self.rate * self._excess(terms)).clamp(min=0)

    def merit(self, terms: Tensor) -> Tensor:
        """A hundred times the excess: epochs that keep the constraints come first."""
        return 100 * self._excess(terms).clamp(min=0).sum()


AnyObjective = Annotated[DiscoPenalty | ClosurePenalty | Constrained, Field(discriminator="kind")]
