"""Dropout whose masks belong to the event, whatever batch, micro-batch or thread it goes through."""

from __future__ import annotations

import torch
from torch import Tensor


def draw_seeds(n: int, generator: torch.Generator) -> Tensor:
    """A seed for each of n events, shape (n,), int64: all the noise that travels with a batch."""
    return torch.randint(2**63 - 1, (n,), generator=generator, device=generator.device)


class EventNoise:
    """Random masks for a few events, from one seed each; every call draws anew.

    Parameters
    ----------
    seed_N
        From :func:`draw_seeds`; the masks are drawn on its device.
    """

    def __init__(self, seed_N: Tensor) -> None:
        self.device = seed_N.device
        self.generators = [torch.Generator(self.device).manual_seed(seed) for seed in seed_N.tolist()]

    def keep(self, shape: tuple[int, ...], probability: float) -> Tensor:
        """Ones with some probability, else zeros; shape (n, *shape), float32."""
        draws = [torch.rand(shape, generator=generator, device=self.device) for generator in self.generators]
        return (torch.stack(draws) < probability).float()


def dropout(x: Tensor, rate: float, noise: EventNoise | None) -> Tensor:
    """Set a share of the values of each event to zero and scale up the others; without noise, nothing."""
    if noise is None or rate == 0:
        return x
    return x * noise.keep(tuple(x.shape[1:]), 1 - rate) / (1 - rate)
