from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from ml.nae.config import LatentChainConfig, PixelChainConfig
from ml.nae.langevin import Box, Sphere, State, chain, log_acceptance, measured, noise_at, run_chain


class Plane:
    """No edges, no curvature."""

    def project(self, point: Tensor) -> Tensor:
        return point

    def tangent(self, point: Tensor, vector: Tensor) -> Tensor:
        return vector


def quadratic(point: Tensor) -> Tensor:
    return point.square().sum(1) / 2


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def config(**settings: Any) -> LatentChainConfig:
    return LatentChainConfig(**({"clip": 1e9} | settings))


def test_chain_samples_the_boltzmann_distribution_at_its_temperature() -> None:
    # lambda = 0.4 and sigma = 0.6 imply T = 0.45: each coordinate of a quadratic energy has that variance. Without
    # Metropolis, steps of this size would give sigma^2 / (1 - (1 - lambda)^2) = 0.5625.
    settings = config(steps=60, step_size=0.4, noise=0.6)
    run = run_chain(quadratic, torch.zeros(20_000, 1), settings, Plane(), generator())
    assert run.point.var() == pytest.approx(0.45, abs=0.015)
    assert 0.8 < run.acceptance.mean() < 1
    biased = run_chain(
        quadratic, torch.zeros(20_000, 1), settings.model_copy(update={"acceptance": "always"}), Plane(), generator()
    )
    assert biased.point.var() == pytest.approx(0.5625, abs=0.02)
    assert (biased.acceptance == 1).all()


def test_temperature_of_the_acceptance_is_a_setting() -> None:
    cold = config(steps=60, step_size=0.02, noise=0.6, temperature=0.1)
    run = run_chain(quadratic, torch.zeros(20_000, 1), cold, Plane(), generator())
    assert run.point.var() < 0.3


def test_acceptance_is_detailed_balance() -> None:
    settings = config(step_size=0.3, noise=0.5)
    one, other = torch.randn(5, 2, generator=generator(1)), torch.randn(5, 2, generator=generator(2))
    old, new = (measured(quadratic, point, settings, Plane()) for point in (one, other))

    def log_joint(start: State, end: State) -> Tensor:
        spread = torch.distributions.Normal(start.point - 0.3 * start.slope, 0.5)
        log_proposal: Tensor = spread.log_prob(end.point).sum(1)  # type: ignore[no-untyped-call]  # torch's
        return -start.energy / (0.5**2 / 0.6) + log_proposal

    torch.testing.assert_close(log_acceptance(old, new, settings, 0.5), log_joint(new, old) - log_joint(old, new))


def test_points_stay_in_their_space() -> None:
    start = F.normalize(torch.randn(8, 3, generator=generator()), dim=1)
    slope = torch.tensor([1.0, 2.0, 3.0])
    states = list(chain(lambda z: z @ slope, start, config(steps=5, step_size=0.1, noise=0.3), Sphere(), generator()))
    assert len(states) == 6
    for state in states:
        torch.testing.assert_close(state.point.norm(dim=1), torch.ones(8))
        torch.testing.assert_close((state.point * state.slope).sum(1), torch.zeros(8), atol=1e-6, rtol=0)
    image = torch.rand(4, 1, 3, 3, generator=generator()) * 0.01
    settings = PixelChainConfig(steps=4, step_size=1.0, noise=0.1, clip=1e9)
    end = run_chain(lambda x: x.square().mean((1, 2, 3)), image, settings, Box(), generator())
    assert (end.point >= 0).all()
    assert (end.point <= 1).all()


def test_gradients_are_clipped_point_by_point() -> None:
    state = measured(quadratic, torch.tensor([[3.0, 4.0], [0.3, 0.4]]), config(clip=1.0), Plane())
    torch.testing.assert_close(state.slope, torch.tensor([[0.6, 0.8], [0.3, 0.4]]))


def test_noise_is_annealed() -> None:
    assert noise_at(3, PixelChainConfig()) == pytest.approx(1e-4 / 4)
    assert noise_at(3, LatentChainConfig()) == 1e-2


def test_paper_settings() -> None:
    latent, pixels = LatentChainConfig(), PixelChainConfig()
    assert (latent.steps, latent.step_size, latent.noise) == (30, 100, 1e-2)
    assert (pixels.steps, pixels.step_size, pixels.noise) == (30, 50, 1e-4)
