"""What data and samples are compared by, and its gradient."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from ml.energy_scores import energy_of
from ml.nae.config import NAETraining, PowerLaw, Wasserstein
from ml.nae.energetic import Energetic, log_energy
from ml.nae.langevin import Energy
from ml.nae.samples import Samples


class Energies(NamedTuple):
    """What a pair of an image and a sample adds to the loss, and their energies, shape (n,) each."""

    loss: Tensor
    positive: Tensor
    negative: Tensor


class Objective(ABC):
    """Compares n images with n samples."""

    def slope(self, model: Energetic) -> Energy:
        """What chains on the sphere go down; maps latents (n, K) to (n,)."""
        return model.latent_energy

    def unit(self, energy: float) -> float:
        """What squares of energies, themselves in a unit of energy, are divided by to be of the loss's kind."""
        return energy

    @abstractmethod
    def partners(self, image_NCHW: Tensor, samples: Samples) -> Tensor:
        """Which sample belongs to each image, shape (n,)."""

    @abstractmethod
    def compare(self, model: Energetic, image_NCHW: Tensor, samples: Samples) -> Energies:
        """Images and their partners; gradients flow to the model's parameters."""


class LikelihoodObjective(Objective):
    """Energy of data minus energy of samples (equation 5); any pairing gives the same."""

    def partners(self, image_NCHW: Tensor, samples: Samples) -> Tensor:  # noqa: ARG002
        """As they come."""
        return torch.arange(len(image_NCHW), device=image_NCHW.device)

    def compare(self, model: Energetic, image_NCHW: Tensor, samples: Samples) -> Energies:
        """E(x) - E(x')."""
        energy = model.energy(torch.cat([image_NCHW, samples.image]))
        positive_N, negative_N = torch.split(energy, len(image_NCHW))
        return Energies(positive_N - negative_N, positive_N, negative_N)


class PowerLawObjective(LikelihoodObjective):
    """Logarithm of the energy of data minus that of samples, see :class:`ml.nae.config.PowerLaw`."""

    def slope(self, model: Energetic) -> Energy:
        """The logarithm of the energy."""
        return lambda latent_NK: log_energy(model.latent_energy(latent_NK))

    def unit(self, energy: float) -> float:
        """The loss is a number."""
        return energy**2

    def compare(self, model: Energetic, image_NCHW: Tensor, samples: Samples) -> Energies:
        """Log E(x) - log E(x')."""
        found = super().compare(model, image_NCHW, samples)
        return found._replace(loss=log_energy(found.positive) - log_energy(found.negative))


def squared_distances(one_NCHW: Tensor, other_NCHW: Tensor) -> Tensor:
    """Mean squared difference of the pixels of every pair, shape (n, m)."""
    one_NP, other_NP = one_NCHW.flatten(1), other_NCHW.flatten(1)
    # Not by the squares and the product, whose difference float32 loses for images so alike.
    return torch.stack([(other_NP - row).square().mean(1) for row in one_NP])


class WassersteinObjective(Objective):
    """Squared 2-Wasserstein distance between the batch and the samples, both of equal weights.

    Reference: CMS Collaboration, Wasserstein normalized autoencoder for anomaly detection, arXiv:2510.02168.

    The optimal plan between two sets of n points of equal weights is an assignment, found exactly; given it, the
    distance is a mean over pairs, differentiable in the samples. The samples depend on the parameters through the
    decoder, which put the pixel chain where it started, and through its last steps: after the chain come
    ``differentiated_steps`` more, without noise, through which the gradient is taken; of the many before, only
    where they went is used.

    Parameters
    ----------
    config
        Settings.
    step_size
        Of the pixel chain.
    """

    def __init__(self, config: Wasserstein, step_size: float) -> None:
        self.config, self.step_size = config, step_size

    def partners(self, image_NCHW: Tensor, samples: Samples) -> Tensor:
        """The assignment of least total cost."""
        cost = squared_distances(image_NCHW, samples.image)
        _, columns = linear_sum_assignment(cost.double().numpy(force=True))
        return torch.from_numpy(columns).to(image_NCHW.device)

    def moved(self, model: Energetic, samples: Samples) -> Tensor:
        """The samples as functions of the parameters, shape (n, C, H, W)."""
        on_manifold_NCHW = model.decode(samples.latent)
        image_NCHW = on_manifold_NCHW + (samples.image - on_manifold_NCHW).detach()
        for _ in range(self.config.differentiated_steps):
            energy_N = model.energy(image_NCHW)
            (slope_NCHW,) = torch.autograd.grad(energy_N.sum(), image_NCHW, create_graph=True)
            image_NCHW = image_NCHW - self.step_size * slope_NCHW
        return image_NCHW

    def compare(self, model: Energetic, image_NCHW: Tensor, samples: Samples) -> Energies:
        """Distance of each pair, and the energy of the data."""
        moved_NCHW = self.moved(model, samples)
        positive_N = model.energy(image_NCHW)
        with torch.no_grad():
            negative_N = model.energy(moved_NCHW)
        loss_N = energy_of(image_NCHW, moved_NCHW) + self.config.reconstruction * positive_N
        return Energies(loss_N, positive_N, negative_N)


def objective_of(config: NAETraining) -> Objective:
    """The objective that a training asks for."""
    if isinstance(config.objective, Wasserstein):
        return WassersteinObjective(config.objective, config.pixel_chain.step_size)
    return PowerLawObjective() if isinstance(config.objective, PowerLaw) else LikelihoodObjective()
