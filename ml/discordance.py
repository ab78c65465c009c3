"""Sums over discordant pairs, in O(n log^2 n) time and O(n) memory."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def discordant_moments(x_N: Tensor, y_N: Tensor, moment_NK: Tensor) -> Tensor:
    """Of each point, the sum of the moments of all points that are discordant with it, shape (n, K).

    Points i and j are discordant where (x_i - x_j)(y_i - y_j) < 0; what ties count as does not matter where the
    sums are multiplied with the differences. The points are put in the order of x and then merged by y from the
    bottom up, as in the counting of inversions; cf. A. Chaudhuri and W. Hu, A fast algorithm for computing
    distance correlation, Comput. Stat. Data Anal. 135 (2019) 15.
    """
    n, device = len(x_N), x_N.device
    order = torch.argsort(x_N, stable=True)
    rank_N = torch.empty(n, dtype=torch.int64, device=device)
    rank_N[torch.argsort(y_N[order], stable=True)] = torch.arange(n, device=device)
    moment_sorted = moment_NK[order]
    total = torch.zeros_like(moment_sorted)
    half = 1
    position = torch.arange(n, device=device)
    while half < n:
        block = position // (2 * half)
        is_left = position % (2 * half) < half
        # Within each pair of neighbouring runs, by y.
        merged = torch.argsort(block * n + rank_N)
        left = is_left[merged][:, None]
        values = moment_sorted[merged]
        left_sum = torch.cumsum(values * left, 0)
        right_sum = torch.cumsum(values * ~left, 0)
        # Position in the block does not change its first and last row: blocks keep their places.
        start = block * 2 * half
        end = (start + 2 * half).clamp(max=n) - 1
        right_before = torch.cat([right_sum.new_zeros(1, right_sum.shape[1]), right_sum])
        above_on_the_left = left_sum[end] - left_sum
        below_on_the_right = right_before[:-1] - right_before[start]
        total[merged] += torch.where(left, below_on_the_right, above_on_the_left)
        half *= 2
    result = torch.empty_like(total)
    result[order] = total
    return result


class DiscordantProduct(torch.autograd.Function):
    """Sum over discordant pairs {i, j} of w_i w_j (x_i - x_j)(y_i - y_j), which is never positive."""

    @staticmethod
    def forward(ctx: Any, x_N: Tensor, y_N: Tensor, weight_N: Tensor) -> Tensor:
        """Scalar; keeps nothing larger than (n, 4)."""
        moment_NK = weight_N[:, None] * torch.stack([torch.ones_like(x_N), x_N, y_N, x_N * y_N], dim=1)
        sum_NK = discordant_moments(x_N, y_N, moment_NK)
        w, wx, wy, wxy = sum_NK.unbind(1)
        by_weight_N = w * x_N * y_N - x_N * wy - y_N * wx + wxy
        ctx.save_for_backward(weight_N * (w * y_N - wy), weight_N * (w * x_N - wx), by_weight_N)
        return 0.5 * (weight_N * by_weight_N).sum()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients with respect to x, y and the weights."""
        (grad,) = grads
        by_x_N, by_y_N, by_weight_N = ctx.saved_tensors
        return grad * by_x_N, grad * by_y_N, grad * by_weight_N
