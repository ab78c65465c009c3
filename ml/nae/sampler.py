"""Samples of the model: on-manifold initialisation with a replay buffer (section 2.2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from ml.micro_batches import micro_batches
from ml.nae.config import NAETraining, ReplayConfig
from ml.nae.energetic import Energetic
from ml.nae.jumps import jump
from ml.nae.langevin import Box, Run, Sphere, run_chain
from ml.nae.objectives import objective_of
from ml.nae.samples import Samples
from ml.threads import Map


class Replay:
    """Last points of earlier latent chains, the oldest overwritten first.

    Parameters
    ----------
    config
        Size and use.
    latents
        Dimension of the points.
    """

    def __init__(self, config: ReplayConfig, latents: int) -> None:
        self.config = config
        self.points = torch.zeros(config.size, latents)
        self.filled, self.next = 0, 0

    def push(self, point_NK: Tensor) -> None:
        """Keep points."""
        for part in torch.split(point_NK, self.config.size):
            slots = torch.arange(self.next, self.next + len(part), device=part.device) % self.config.size
            self.points[slots] = part
            self.next = (self.next + len(part)) % self.config.size
            self.filled = min(self.filled + len(part), self.config.size)

    def starts(self, n: int, generator: torch.Generator) -> Tensor:
        """Points to start from, of the buffer or uniform on the sphere, shape (n, latents).

        The buffer moves to the generator's device.
        """
        device = generator.device
        self.points = self.points.to(device)
        fresh_NK = F.normalize(torch.randn(n, self.points.shape[1], generator=generator, device=device), dim=1)
        kept_N = torch.rand(n, generator=generator, device=device) < self.config.probability
        if not self.filled:
            return fresh_NK
        old_NK = self.points[torch.randint(self.filled, (n,), generator=generator, device=device)]
        return torch.where(kept_N[:, None], old_NK, fresh_NK)

    def state_dict(self) -> dict[str, Tensor | int]:
        """All of it."""
        return {"points": self.points, "filled": self.filled, "next": self.next}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Take it up again."""
        points, filled, position = state["points"], state["filled"], state["next"]
        assert isinstance(points, Tensor)  # noqa: S101 (for the type checker)
        self.points, self.filled, self.next = points, int(filled), int(position)


def latent_run(model: Energetic, start_NK: Tensor, config: NAETraining, generator: torch.Generator) -> Run:
    """The chain on the sphere (equation 11), after jumps where these are asked for."""
    slope = objective_of(config).slope(model)
    start_NK = jump(slope, start_NK, config.latent_chain, generator)
    return run_chain(slope, start_NK, config.latent_chain, Sphere(), generator)


def pixel_run(model: Energetic, start_NCHW: Tensor, config: NAETraining, generator: torch.Generator) -> Run:
    """The chain in pixel space (equation 6)."""
    return run_chain(model.energy, start_NCHW, config.pixel_chain, Box(), generator)


def draw(
    model: Energetic, n: int, replay: Replay, config: NAETraining, generator: torch.Generator, each: Map
) -> Samples:
    """Samples of a model whose weights are held; the ends of the latent chains go to the buffer.

    Chains run ``config.micro_batch`` side by side, so that what the layers hand on stays in the cache; each such
    group has its own noise, whatever thread it runs on.
    """
    starts = micro_batches(replay.starts(n, generator), config.micro_batch or n)
    seeds = torch.randint(2**63 - 1, (len(starts),), generator=generator, device=generator.device).tolist()

    def group(index: int) -> Samples:
        own = torch.Generator(generator.device).manual_seed(seeds[index])
        latent = latent_run(model, starts[index], config, own)
        with torch.no_grad():
            on_manifold_NCHW = model.decode(latent.point)
        pixels = pixel_run(model, on_manifold_NCHW, config, own)
        return Samples(pixels.point, latent.point, latent.acceptance, pixels.acceptance)

    groups = list(each(group, range(len(starts))))
    samples = Samples(*(torch.cat([getattr(part, name) for part in groups]) for name in Samples._fields))
    replay.push(samples.latent)
    return samples
