"""Batch norm for batches that go through the network in parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ml.layers import NORM_EPS

#: Share of the running statistics that a step keeps (Keras' default).
MOMENTUM = 0.99


class Moments(NamedTuple):
    """Mean and (biased) variance of each channel over events and pixels, shape (channels,) each."""

    mean: Tensor
    variance: Tensor


@runtime_checkable
class TracksMoments(Protocol):
    """A network with batch norms, whose output has ``moments``, those of the batch norms in a fixed order."""

    def track(self, moments: Sequence[Sequence[Moments]], events: Sequence[int]) -> None:
        """Take the moments of a step's micro-batches, of so many events each, into the running statistics."""


def pool(moments: Sequence[Moments], events: Sequence[int]) -> Moments:
    """Moments of a whole from those of its parts, of so many events each."""
    mean_KC, variance_KC = torch.stack([m.mean for m in moments]), torch.stack([m.variance for m in moments])
    weight_K1 = torch.tensor(events, dtype=mean_KC.dtype, device=mean_KC.device)[:, None] / sum(events)
    # Sums and not matrix products, which autocast would round.
    mean_C = (weight_K1 * mean_KC).sum(0)
    return Moments(mean_C, (weight_K1 * (variance_KC + (mean_KC - mean_C).square())).sum(0))


class SpatialBatchNorm(nn.Module):
    """Each channel to zero mean and unit variance over events and pixels, then an affine map.

    As Keras has it: biased variance, epsilon 1e-3, and running statistics of momentum 0.99 for
    inference. Two things differ. In training the statistics are those of what goes through the
    network at once, the micro-batch ("ghost batch norm", arXiv:1705.08741): a batch of 128 fine
    images does not fit into a cache, and barely into memory. The running statistics still
    follow the whole batch, pooled from its micro-batches, by :meth:`track`, once a step. And the
    first 100 steps average them evenly, where Keras' start from mean 0 and variance 1, which
    after 100 steps still make a third of them; later both are the same.

    Parameters
    ----------
    channels
        Number of channels.
    """

    running_mean: Tensor
    running_variance: Tensor
    steps: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_variance", torch.ones(channels))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Normalise by the running statistics; same shape as the input."""
        return F.batch_norm(
            x_NCHW, self.running_mean, self.running_variance, self.weight, self.bias, False, 0.0, NORM_EPS
        )

    def train_forward(self, x_NCHW: Tensor) -> tuple[Tensor, Moments]:
        """Normalise by the input's own moments, and return those."""
        normal_NCHW, mean_C, inverse_std_C = torch.native_batch_norm(
            x_NCHW, self.weight, self.bias, None, None, True, 0.0, NORM_EPS
        )
        return normal_NCHW, Moments(mean_C.detach(), inverse_std_C.detach().pow(-2) - NORM_EPS)

    @torch.no_grad()
    def track(self, moments: Moments) -> None:
        """Take one batch's moments into the running statistics."""
        keep = min(MOMENTUM, 1 - 1 / (self.steps.item() + 1))
        self.running_mean.lerp_(moments.mean, 1 - keep)
        self.running_variance.lerp_(moments.variance, 1 - keep)
        self.steps += 1
