"""Langevin chains with Metropolis acceptance, many side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ml.nae.config import ChainConfig

#: Maps points (n, ...) to energies (n,).
Energy = Callable[[Tensor], Tensor]


class Space(Protocol):
    """Where a chain lives."""

    def project(self, point: Tensor) -> Tensor:
        """Nearest points of the space."""

    def tangent(self, point: Tensor, vector: Tensor) -> Tensor:
        """Part of vectors along the space."""


class Sphere:
    """The unit sphere; a step ends with a projection (appendix)."""

    def project(self, point: Tensor) -> Tensor:
        """Points of unit length."""
        return F.normalize(point, dim=1)

    def tangent(self, point: Tensor, vector: Tensor) -> Tensor:
        """Without the radial part."""
        return vector - (vector * point).sum(1, keepdim=True) * point


class Box:
    """Images whose pixels are confined to [0, 1]."""

    def project(self, point: Tensor) -> Tensor:
        """Pixels cut off at the ends."""
        return point.clamp(0, 1)

    def tangent(self, point: Tensor, vector: Tensor) -> Tensor:  # noqa: ARG002 (the signature of all spaces)
        """The vectors as they are."""
        return vector


class State(NamedTuple):
    """Where n chains are.

    Parameters
    ----------
    point
        Shape (n, ...).
    energy
        Shape (n,).
    slope
        Gradient of the energy, clipped, shape of ``point``.
    accepted
        Whether the last step was taken, shape (n,).
    """

    point: Tensor
    energy: Tensor
    slope: Tensor
    accepted: Tensor


def _norm(x: Tensor) -> Tensor:
    norm_N: Tensor = torch.linalg.vector_norm(x.flatten(1), dim=1)
    return norm_N


def _like(x_N: Tensor, point: Tensor) -> Tensor:
    return x_N.view(-1, *[1] * (point.ndim - 1))


def measured(energy: Energy, point: Tensor, settings: ChainConfig, space: Space) -> State:
    """Energy of points and its gradient along the space, each cut to the length of ``settings.clip``."""
    with torch.enable_grad():
        point = point.detach().requires_grad_()
        energy_N = energy(point)
        (slope,) = torch.autograd.grad(energy_N.sum(), point)
    point = point.detach()
    slope = space.tangent(point, slope)
    shrink_N = (settings.clip / _norm(slope).clamp(min=1e-30)).clamp(max=1)
    accepted_N = torch.ones(len(point), dtype=torch.bool, device=point.device)
    return State(point, energy_N.detach(), slope * _like(shrink_N, point), accepted_N)


def noise_at(step: int, settings: ChainConfig) -> float:
    """Standard deviation of the noise of a step, which annealing lets fall."""
    return settings.noise / (1 + step) if settings.annealing == "harmonic" else settings.noise


def log_acceptance(old: State, new: State, settings: ChainConfig, noise: float) -> Tensor:
    r"""Logarithm of the Metropolis-Hastings ratio of Langevin steps, shape (n,).

    With :math:`\pi \propto e^{-E/T}` and the proposal
    :math:`q(y|x) = N(y; x - \lambda \nabla E(x), \sigma^2)` it is
    :math:`\log \pi(y) q(x|y) - \log \pi(x) q(y|x)`. Exact in flat space without edges; the projection onto the
    sphere or into the box is left out of q, alike in both directions.
    """
    temperature = settings.temperature_at(noise)
    forward_N = _norm(new.point - old.point + settings.step_size * old.slope)
    back_N = _norm(old.point - new.point + settings.step_size * new.slope)
    return (old.energy - new.energy) / temperature + (forward_N.square() - back_N.square()) / (2 * noise**2)


def chain(
    energy: Energy, start: Tensor, settings: ChainConfig, space: Space, generator: torch.Generator
) -> Iterator[State]:
    """States of a chain: the start, then one for each step.

    Parameters
    ----------
    energy
        To go down.
    start
        Points of the space, shape (n, ...).
    settings
        Steps, sizes, acceptance.
    space
        Where the chain lives.
    generator
        Of the noise and of what is accepted, on the device of the points.
    """
    state = measured(energy, start, settings, space)
    yield state
    for step in range(settings.steps):
        sigma = noise_at(step, settings)
        noise = sigma * torch.randn(start.shape, generator=generator, device=start.device)
        proposed = space.project(state.point - settings.step_size * state.slope + noise)
        new = measured(energy, proposed, settings, space)
        if settings.acceptance == "metropolis":
            uniform_N = torch.rand(len(start), generator=generator, device=start.device)
            taken_N = uniform_N.log() < log_acceptance(state, new, settings, sigma)
            new = State(
                torch.where(_like(taken_N, start), new.point, state.point),
                torch.where(taken_N, new.energy, state.energy),
                torch.where(_like(taken_N, start), new.slope, state.slope),
                taken_N,
            )
        state = new
        yield state


class Run(NamedTuple):
    """A chain that has run: its last points, their energies (n,), and the share of steps that each took (n,)."""

    point: Tensor
    energy: Tensor
    acceptance: Tensor


def run_chain(energy: Energy, start: Tensor, settings: ChainConfig, space: Space, generator: torch.Generator) -> Run:
    """Go to the end of a :func:`chain`."""
    states = chain(energy, start, settings, space, generator)
    state, taken_N = next(states), torch.zeros(len(start), device=start.device)
    for state in states:
        taken_N += state.accepted
    return Run(state.point, state.energy, taken_N / settings.steps)
