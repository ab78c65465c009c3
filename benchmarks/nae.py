"""Milliseconds of one training step of a normalized autoencoder, split by chain, beside a plain version.

The plain version is written with torch's own layers: ``torch.nn.utils.parametrizations.spectral_norm`` normalises in
every forward pass, PReLU computes the gradient of its slope in every chain step, and the batch goes through whole.
Both have the same settings and one thread; processor time counts, since others may use the machine too, and the
fastest of a few steps.

    python -m benchmarks.nae [--batch 32] [--latent-steps 10] [--pixel-steps 10] [--repeats 3]
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from darktrigger.memory import keep_freed_memory
from ml.energy_scores import energy
from ml.models.nae import NAE, NAEConfig
from ml.module import ADAM_EPS
from ml.nae.config import LatentChainConfig, NAETraining, PixelChainConfig
from ml.nae.langevin import Box, Sphere, run_chain
from ml.nae.module import NormalizedTraining
from ml.nae.objectives import LikelihoodObjective
from ml.nae.sampler import Replay, draw, latent_run, pixel_run
from ml.nae.samples import Samples
from ml.spectral import advance, holding


class PlainNAE(nn.Module):
    """Table 2 in torch's own layers."""

    def __init__(self) -> None:
        super().__init__()

        def conv(before: int, after: int) -> nn.Module:
            return spectral_norm(nn.Conv2d(before, after, 3, padding=1))

        def deconv(before: int, after: int) -> nn.Module:
            return spectral_norm(nn.ConvTranspose2d(before, after, 3, padding=1))

        def dense(before: int, after: int) -> nn.Module:
            return spectral_norm(nn.Linear(before, after))

        self.encoder = nn.Sequential(
            conv(1, 8), nn.PReLU(), conv(8, 8), nn.PReLU(), nn.MaxPool2d(2), nn.PReLU(), conv(8, 8), nn.PReLU(),
            conv(8, 8), nn.PReLU(), conv(8, 1), nn.PReLU(), nn.Flatten(), dense(400, 100), nn.PReLU(), dense(100, 3),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            dense(3, 100), nn.PReLU(), dense(100, 400), nn.PReLU(), nn.Unflatten(1, (1, 20, 20)), deconv(1, 8),
            nn.PReLU(), deconv(8, 8), nn.PReLU(), nn.Upsample(scale_factor=2, mode="bilinear"), nn.PReLU(),
            deconv(8, 8), nn.PReLU(), deconv(8, 1), nn.Sigmoid(),
        )  # fmt: skip

    def decode(self, latent_NK: Tensor) -> Tensor:
        """Shape (n, 1, 40, 40)."""
        image_NCHW: Tensor = self.decoder(latent_NK)
        return image_NCHW

    def energy(self, prepared_NCHW: Tensor) -> Tensor:
        """Shape (n,)."""
        reco_NCHW = self.decode(F.normalize(self.encoder(prepared_NCHW), dim=1))
        return (prepared_NCHW - reco_NCHW).square().mean((1, 2, 3))

    def latent_energy(self, latent_NK: Tensor) -> Tensor:
        """Shape (n,)."""
        return self.energy(self.decoder(latent_NK))


def milliseconds(work: Callable[[], object], repeats: int) -> float:
    """Processor time of the fastest repetition."""
    work()
    best = math.inf
    for _ in range(repeats):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return 1e3 * best


def ours(image_NCHW: Tensor, config: NAETraining, repeats: int) -> list[float]:
    """Latent chain, pixel chain and update."""
    model = NAE(NAEConfig())
    training = NormalizedTraining(model, energy, config, energy_before=1.0)
    optimizer = training.configure_optimizers()
    n, generator = len(image_NCHW), torch.Generator().manual_seed(0)
    start_NK = F.normalize(torch.randn(n, 3, generator=generator), dim=1)
    samples = Samples(image_NCHW, start_NK, torch.ones(n), torch.ones(n))

    def update() -> None:
        optimizer.zero_grad()
        advance(model)
        training.differentiate(image_NCHW, samples)
        optimizer.step()

    with holding(model):
        latent = milliseconds(lambda: latent_run(model, start_NK, config, generator), repeats)
        pixels = milliseconds(lambda: pixel_run(model, image_NCHW, config, generator), repeats)
        whole = milliseconds(lambda: draw(model, n, Replay(config.replay, 3), config, generator, map), repeats)
    return [latent, pixels, milliseconds(update, repeats), whole]


def plain(image_NCHW: Tensor, config: NAETraining, repeats: int) -> list[float]:
    """The same, plainly."""
    model = PlainNAE()
    optimizer = torch.optim.Adam(model.parameters(), eps=ADAM_EPS)
    generator = torch.Generator().manual_seed(0)
    start_NK = F.normalize(torch.randn(len(image_NCHW), 3, generator=generator), dim=1)
    samples = Samples(image_NCHW, start_NK, torch.ones(()), torch.ones(()))

    def update() -> None:
        optimizer.zero_grad()
        LikelihoodObjective().compare(model, image_NCHW, samples).loss.mean().backward()
        optimizer.step()

    return [
        milliseconds(
            lambda: run_chain(model.latent_energy, start_NK, config.latent_chain, Sphere(), generator), repeats
        ),
        milliseconds(lambda: run_chain(model.energy, image_NCHW, config.pixel_chain, Box(), generator), repeats),
        milliseconds(update, repeats),
    ]


def main() -> int:
    """Time both and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=32, help="jets in a step (32)")
    parser.add_argument("--latent-steps", type=int, default=10, help="steps of the latent chain (10)")
    parser.add_argument("--pixel-steps", type=int, default=10, help="steps of the pixel chain (10)")
    parser.add_argument("--repeats", type=int, default=3, help="timed steps (3)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    config = NAETraining(
        pretrained=Path("none"),
        latent_chain=LatentChainConfig(steps=arguments.latent_steps),
        pixel_chain=PixelChainConfig(steps=arguments.pixel_steps),
    )
    image_NCHW = torch.rand(arguments.batch, 1, 40, 40, generator=torch.Generator().manual_seed(1)) / 1000
    rows = {"plain": plain(image_NCHW, config, arguments.repeats), "ours": ours(image_NCHW, config, arguments.repeats)}
    print(f"NAE step, batch {arguments.batch}, float32, one thread, torch {torch.__version__}; processor ms")
    print(f"{'':>8} {'latent chain':>13} {'pixel chain':>12} {'update':>8} {'step':>8}")
    for name, (latent, pixels, update, *_) in rows.items():
        print(f"{name:>8} {latent:13.0f} {pixels:12.0f} {update:8.0f} {latent + pixels + update:8.0f}")
    ratio = [one / other for one, other in zip(rows["plain"], rows["ours"], strict=False)]
    print(f"{'ratio':>8} {ratio[0]:13.2f} {ratio[1]:12.2f} {ratio[2]:8.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
