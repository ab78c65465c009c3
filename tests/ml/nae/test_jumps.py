import math

import pytest
import torch
from torch import Tensor

from ml.nae.config import LatentChainConfig
from ml.nae.jumps import jump

#: E = -x in units of T: the density on the sphere is exp(KAPPA x), and x alone has it too.
KAPPA = 4.0
#: Mean of x under it.
MEAN = 1 / math.tanh(KAPPA) - 1 / KAPPA

# Step size and noise imply T = 0.5.
CHAIN = LatentChainConfig(jumps=3, step_size=0.04, noise=0.2)


def energy(point_NK: Tensor) -> Tensor:
    return -0.5 * KAPPA * point_NK[:, 0]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def boltzmann(n: int) -> Tensor:
    """Points of the density exp(KAPPA x), by the inverse of its distribution function."""
    u, angle = torch.rand(2, n, generator=generator(1), dtype=torch.float64)
    x = torch.log(math.exp(-KAPPA) + u * (math.exp(KAPPA) - math.exp(-KAPPA))) / KAPPA
    rest = (1 - x**2).clamp(min=0).sqrt()
    return torch.stack([x, rest * torch.cos(math.tau * angle), rest * torch.sin(math.tau * angle)], 1).float()


def test_the_boltzmann_distribution_stays_as_it_is() -> None:
    start = boltzmann(40_000)
    after = jump(energy, start, CHAIN, generator())
    moved = (after != start).any(1)
    assert 0.2 < moved.float().mean() < 0.8
    # The standard deviation of x is 0.24: of its mean 0.0012.
    assert start[:, 0].mean() == pytest.approx(MEAN, abs=0.005)
    assert after[:, 0].mean() == pytest.approx(MEAN, abs=0.005)
    assert after[:, 0].var() == pytest.approx(float(start[:, 0].var()), rel=0.05)
    torch.testing.assert_close(after.norm(dim=1), torch.ones(len(after)))


def test_points_find_it_from_where_the_density_is_least() -> None:
    point = torch.tensor([[-1.0, 0.0, 0.0]]).repeat(20_000, 1)
    noise = generator()
    for _ in range(12):
        point = jump(energy, point, CHAIN, noise)
    assert point[:, 0].mean() == pytest.approx(MEAN, abs=0.01)


def test_a_temperature_of_its_own_counts() -> None:
    cold = CHAIN.model_copy(update={"temperature": 0.01, "jumps": 50})
    after = jump(energy, boltzmann(2_000), cold, generator())
    assert after[:, 0].mean() > 0.95


def test_without_jumps_points_and_noise_are_left_alone() -> None:
    start, noise = boltzmann(5), generator()
    before = noise.get_state()
    assert jump(energy, start, LatentChainConfig(), noise) is start
    assert torch.equal(noise.get_state(), before)
