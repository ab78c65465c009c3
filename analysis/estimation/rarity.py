"""Two scores as rarities that are independent in background, learnt from background events."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.binned import FloatArray
from darktrigger.errors import AnalysisError

#: Names of the scores that ``decorrelate`` adds.
RARITIES = ("rarity1", "rarity2")

#: Steps between the knots of a rarity, and the events above its last knot.
_STEP, _TAIL_EVENTS = 0.1, 10

#: How often the last cell, the tail, is halved.
_HALVINGS = 3

#: Events whose pieces are in memory at a time.
_BLOCK = 65_536

#: Length of a last piece, which has no end; its square is a float32 too.
UNBOUNDED = 1e18


@dataclass(frozen=True)
class Hinge:
    """A function of one variable that is linear in pieces: constant below its first knot, endless above its last.

    Parameters
    ----------
    knot
        Where its pieces start, ascending, shape (k,).
    width
        Their lengths, shape (k,); the last may be :data:`UNBOUNDED`.
    slope
        In each piece, shape (k,) or, for a function with m values, (k, m).
    base
        Value at the first knot and below, shape () or (m,).
    """

    knot: FloatArray
    width: FloatArray
    slope: FloatArray
    base: FloatArray

    def __call__(self, x: FloatArray) -> FloatArray:
        """Values at ``x``, shape (n,), or (n, m)."""
        blocks = np.array_split(x, len(x) // _BLOCK + 1)
        return np.concatenate([self.base + pieces(block, self.knot, self.width) @ self.slope for block in blocks])


def pieces(x: FloatArray, knot: FloatArray, width: FloatArray) -> FloatArray:
    """How much of each piece lies below ``x``, shape (n, k)."""
    covered: FloatArray = np.clip(x[:, None] - knot, 0.0, width)
    return covered


@dataclass(frozen=True)
class Rarities:
    """Turns two scores into rarities, the second one independent of the first in background.

    The rarity of a score is -ln of the background efficiency of a cut at it: exponentially distributed with mean 1.
    The second score's is, in addition, the integrated hazard of that rarity given the first one's, which is
    exponential with mean 1 whatever the first one is. Both rise with their score, for a given first one. A tagger
    that is decorrelated after its training: J. Dolen et al., JHEP 05 (2016) 156; hazards in cells are the piecewise
    exponential model of survival analysis: M. Friedman, Ann. Statist. 10 (1982) 101.

    Parameters
    ----------
    marginal
        Rarity of either score alone.
    hazard
        Of the second rarity in its pieces, by the first rarity.
    piece
        Where the pieces of the second rarity start and how long they are, shape (2, m).
    """

    marginal: tuple[Hinge, Hinge]
    hazard: Hinge
    piece: FloatArray

    def __call__(self, scores: FloatArray) -> FloatArray:
        """Rarities of oriented scores, both of shape (n, 2)."""
        first, second = (hinge(column) for hinge, column in zip(self.marginal, scores.T, strict=True))
        return np.stack([first, (self.hazard(first) * pieces(second, *self.piece)).sum(1)], axis=1)


def learn_rarities(scores: FloatArray, weight: FloatArray, cell_events: float, prior_events: float) -> Rarities:
    """Learn both rarities from background that trained neither score.

    Parameters
    ----------
    scores, weight
        Oriented, of the background, shape (n, 2) and (n,); not negative weights.
    cell_events
        In a cell of both rarities, on average, where the scores are independent.
    prior_events
        So many events of independent background are added to each cell, against fluctuations.

    Raises
    ------
    AnalysisError
        No event, or a score that is not finite or the same for all.
    """
    if not len(scores) or not weight.sum() > 0:
        raise AnalysisError("no background to learn rarities from")
    if not np.isfinite(scores).all():
        raise AnalysisError(f"scores of {int((~np.isfinite(scores)).any(1).sum())} background events are not finite")
    # Weighted events count as many as they are worth.
    weight = weight * (weight.sum() / np.square(weight).sum())
    marginal = _rarity(scores[:, 0], weight), _rarity(scores[:, 1], weight)
    first, second = (hinge(column) for hinge, column in zip(marginal, scores.T, strict=True))
    start = cell_edges(weight.sum(), cell_events)
    piece = np.stack([start, np.append(np.diff(start), UNBOUNDED)])
    centre, hazard = _hazards(first, second, weight, piece, prior_events)
    slope = np.diff(hazard, axis=0) / np.diff(centre)[:, None]
    # One piece at least, which a single row of cells makes flat.
    if not len(slope):
        return Rarities(marginal, Hinge(centre, np.ones(1), np.zeros_like(hazard), hazard[0]), piece)
    return Rarities(marginal, Hinge(centre[:-1], np.diff(centre), slope, hazard[0]), piece)


def cell_edges(events: float, cell_events: float) -> FloatArray:
    """Where the cells of a rarity start, from 0 on: each has the same share of events, but the last, which is halved.

    Halved again and again, the last cell tells more of the tail, where a trigger cuts.
    """
    shares = max(1, int(np.sqrt(events / cell_events)))
    equal = -np.log1p(-np.arange(shares) / shares)
    return np.append(equal, np.log(shares * 2.0 ** np.arange(1, _HALVINGS + 1)))


def _rarity(values: FloatArray, weight: FloatArray) -> Hinge:
    """-ln of the share at or above a value: knots at values that occur, and an exponential beyond the last."""
    distinct, inverse = np.unique(values, return_inverse=True)
    if len(distinct) < 2:
        raise AnalysisError(f"a score is {distinct[0]:g} for all background events: there is nothing to learn from it")
    above = np.cumsum(np.bincount(inverse, weight)[::-1])[::-1]
    with np.errstate(divide="ignore"):
        rarity = -np.log(above / above[0])
    usable = np.flatnonzero(above >= min(_TAIL_EVENTS, above[0] / 2))
    targets = np.arange(0.0, rarity[usable[-1]] + _STEP / 2, _STEP)
    chosen = np.unique(np.minimum(np.searchsorted(rarity, targets - 1e-9), usable[-1]))
    knot, height = distinct[chosen], rarity[chosen]
    beyond = values >= knot[-1]
    mean_excess = np.average(values[beyond] - knot[-1], weights=weight[beyond])
    # Equal values at the top have no excess to tell how fast the tail falls.
    slope = np.append(np.diff(height) / np.diff(knot), 1 / mean_excess if mean_excess > 0 else 0.0)
    return Hinge(knot, np.append(np.diff(knot), UNBOUNDED), slope, np.zeros(()))


def _hazards(
    first: FloatArray, second: FloatArray, weight: FloatArray, piece: FloatArray, prior_events: float
) -> tuple[FloatArray, FloatArray]:
    """Mean first rarity of each row of cells with events, shape (k,), and the hazards there, shape (k, m)."""
    start = piece[0]
    row: NDArray[np.intp] = np.searchsorted(start, first, side="right") - 1
    cell = np.searchsorted(start, second, side="right") - 1
    n_rows = len(start)
    events = np.bincount(row * n_rows + cell, weight, minlength=n_rows**2).reshape(n_rows, n_rows)
    # One piece after the other, since all of many events would fill the memory.
    covered = (pieces(second, low, length)[:, 0] for low, length in piece.T)
    exposure = np.stack([np.bincount(row, weight * column, minlength=n_rows) for column in covered], axis=1)
    held = np.bincount(row, weight, minlength=n_rows)
    kept = held > 0
    centre = np.bincount(row, weight * first, minlength=n_rows)[kept] / held[kept]
    return centre, (events[kept] + prior_events) / (exposure[kept] + prior_events)
