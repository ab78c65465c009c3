"""Distance correlation of two scores: differentiable, weighted, with memory in proportion to the events."""

from __future__ import annotations

import torch
from torch import Tensor

from ml.discordance import DiscordantProduct

#: Least squared distance variance; below it a score counts as constant, which is independent of everything.
_MIN_VARIANCE = 1e-30


def distance_correlation(x_N: Tensor, y_N: Tensor, weight_N: Tensor | None = None) -> Tensor:
    """Squared distance correlation of two variables, ``dcor.distance_correlation_sqr``.

    In equation 2 of the double-autoencoder paper it is "DisCo^2"; 0 for independent variables, 1 for linearly
    related ones, and 0 where one of them is constant. Computed in float64, in O(n log^2 n) time and O(n) memory:
    the double sums over pairs become sums over sorted points, with the sign of the product of two differences told
    by discordance (:mod:`ml.discordance`). The bias of the estimate, of order 1/n, is not removed.

    Parameters
    ----------
    x_N, y_N
        Values, shape (n,).
    weight_N
        Weights of the events, shape (n,), not negative; equal unless given. Whole-numbered weights act as copies.

    References: G. J. Székely et al., Ann. Statist. 35 (2007) 2769; G. Kasieczka and D. Shih, Phys. Rev. Lett. 125
    (2020) 122001, with the weights.
    """
    x_N, y_N = _standardised(x_N), _standardised(y_N)
    weight_N = torch.ones_like(x_N) if weight_N is None else weight_N.double()
    weight_N = weight_N / weight_N.sum()
    x_mean_N, y_mean_N = mean_distances(x_N, weight_N), mean_distances(y_N, weight_N)
    covariance = _product_of_distances(x_N, y_N, weight_N) + _centring(x_mean_N, y_mean_N, weight_N)
    x_variance = _squared_distances(x_N, weight_N) + _centring(x_mean_N, x_mean_N, weight_N)
    y_variance = _squared_distances(y_N, weight_N) + _centring(y_mean_N, y_mean_N, weight_N)
    product = x_variance * y_variance
    if not product > _MIN_VARIANCE:
        return 0.0 * covariance
    return covariance / product.sqrt()


def _standardised(x_N: Tensor) -> Tensor:
    """In float64, near 0 and of order 1, which changes no correlation but keeps the rounding small."""
    x_N = x_N.double()
    fixed = x_N.detach()
    spread = fixed.std() if len(fixed) > 1 else fixed.new_ones(())
    return (x_N - fixed.mean()) / torch.where(spread > 0, spread, 1.0)


def mean_distances(x_N: Tensor, weight_N: Tensor) -> Tensor:
    """Weighted mean distance of each point from all, shape (n,); the weights sum to 1."""
    sorted_N, order = torch.sort(x_N)
    weight_sorted = weight_N[order]
    below = torch.cumsum(weight_sorted, 0)
    moment_below = torch.cumsum(weight_sorted * sorted_N, 0)
    distance = sorted_N * (2 * below - below[-1]) - 2 * moment_below + moment_below[-1]
    # Back to the order of the points.
    return distance[torch.argsort(order)]


def _product_of_distances(x_N: Tensor, y_N: Tensor, weight_N: Tensor) -> Tensor:
    """Weighted mean of |x_i - x_j| |y_i - y_j| over all pairs."""
    signed = weight_N.sum() * (weight_N * x_N * y_N).sum() - (weight_N * x_N).sum() * (weight_N * y_N).sum()
    discordant: Tensor = DiscordantProduct.apply(x_N, y_N, weight_N)  # type: ignore[no-untyped-call]
    return 2 * signed - 4 * discordant


def _squared_distances(x_N: Tensor, weight_N: Tensor) -> Tensor:
    return 2 * (weight_N.sum() * (weight_N * x_N.square()).sum() - (weight_N * x_N).sum().square())


def _centring(x_mean_N: Tensor, y_mean_N: Tensor, weight_N: Tensor) -> Tensor:
    """What double centring adds to the mean product of distances."""
    return (weight_N * x_mean_N).sum() * (weight_N * y_mean_N).sum() - 2 * (weight_N * x_mean_N * y_mean_N).sum()


def pairwise(score_NK: Tensor, weight_N: Tensor | None = None) -> Tensor:
    """Sum of :func:`distance_correlation` over all pairs of K scores, shape (n, K); 0 for a single one."""
    n_scores = score_NK.shape[1]
    # A graph even where there is no pair.
    total = 0.0 * score_NK.double().sum()
    for first in range(n_scores):
        for second in range(first + 1, n_scores):
            total = total + distance_correlation(score_NK[:, first], score_NK[:, second], weight_N)
    return total
