"""The Dirichlet variational auto-encoder."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from darktrigger.config import StrictModel
from imaging.dense import INPUT_SHAPES
from ml.layers import BatchNorm
from ml.networks import Count, he_uniform_
from ml.training_config import ContaminatedTraining

#: Scores that the Dirichlet VAE gives. Its reconstruction takes the sum of pixels from the
#: image, so that the scores of pixels would count those, whatever the model has learned.
SCORES = ("z1", "z2", "z3", "kl_r", "kl_f")

#: Range of the posterior's log-variance.
LOG_VARIANCE = (-20.0, 2.0)

#: Pixels below this count as this in the loss; the sum of an image's is at least as much.
MIN_PIXEL = 1e-7

Positive = Annotated[float, Field(gt=0)]


class DirichletConfig(StrictModel):
    """Size of the Dirichlet VAE, its prior and its loss; the defaults are the papers'.

    Parameters
    ----------
    units
        Of the encoder's hidden layer.
    concentration
        Parameters of the prior Dirichlet distribution of the three latents.
    kl_weight
        Weight of the KL divergence beside the reconstruction loss.
    """

    units: Count = 512
    concentration: tuple[Positive, Positive, Positive] = (1.0, 0.25, 0.1)
    kl_weight: Annotated[float, Field(ge=0)] = 0.1


class Gaussian(NamedTuple):
    """Independent normal distributions.

    Parameters
    ----------
    mean, log_variance
        Shape (..., K).
    """

    mean: Tensor
    log_variance: Tensor

    def divergence(self, other: Gaussian) -> Tensor:
        """KL divergence of this distribution from another, summed over K, shape (...)."""
        log_ratio = self.log_variance - other.log_variance
        squares = (self.mean - other.mean).square() * torch.exp(-other.log_variance)
        return 0.5 * (log_ratio.exp() - 1 - log_ratio + squares).sum(-1)


def laplace_approximation(concentration: tuple[float, ...]) -> Gaussian:
    """Normal distribution whose softmax is approximately Dirichlet.

    Source: A. Srivastava, C. Sutton, Autoencoding variational inference for topic models, ICLR 2017.
    """
    alpha_K = torch.tensor(concentration, dtype=torch.float64)
    k = len(alpha_K)
    variance_K = (1 - 2 / k) / alpha_K + (1 / alpha_K).sum() / k**2
    return Gaussian((alpha_K.log() - alpha_K.log().mean()).float(), variance_K.log().float())


class DirichletTraining(ContaminatedTraining):
    """Background with the paper's little signal, 50 epochs (section 5.2)."""

    epochs: Count = 50


class DirichletOutput(NamedTuple):
    """What the Dirichlet VAE computes for a batch of n events.

    Parameters
    ----------
    density
        Rebuilt image with pixels that sum to one, shape (n, 1, 72, 58).
    total
        Sum of the pixels of the image, shape (n, 1, 1, 1).
    z_m
        Latents, on the simplex, shape (n, 3): of the sample in training, else of the mean.
    posterior, prior
        Distributions of which the latents are the softmax, means of shape (n, 3) and (3,).
    kl_weight
        As configured.
    """

    density: Tensor
    total: Tensor
    z_m: Tensor
    posterior: Gaussian
    prior: Gaussian
    kl_weight: float

    @property
    def reconstruction(self) -> Tensor:
        """Rebuilt image on the scale of the image itself, shape (n, 1, 72, 58)."""
        return self.density * self.total

    @property
    def kl_r(self) -> Tensor:
        """Reverse KL divergence, of the posterior from the prior, shape (n,)."""
        return self.posterior.divergence(self.prior)

    @property
    def kl_f(self) -> Tensor:
        """Forward KL divergence, of the prior from the posterior, shape (n,)."""
        return self.prior.divergence(self.posterior)


def pixel_divergence(image_NCHW: Tensor, density_NCHW: Tensor) -> Tensor:
    """KL divergence of an image from its reconstruction, both clipped to [1e-7, 1], shape (n,)."""
    p_NCHW, q_NCHW = image_NCHW.clamp(MIN_PIXEL, 1), density_NCHW.clamp(MIN_PIXEL, 1)
    return (p_NCHW * (p_NCHW / q_NCHW).log()).sum((1, 2, 3))


def loss(image_NCHW: Tensor, output: DirichletOutput) -> Tensor:
    """Divergence of the normalised images and weighted divergence of the latents, shape (n,)."""
    return pixel_divergence(image_NCHW / output.total, output.density) + output.kl_weight * output.kl_r


class DirichletEncoder(nn.Module):
    """Image to the distribution of the latents."""

    def __init__(self, pixels: int, units: int, latents: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(pixels, units)
        self.norm = BatchNorm(units)
        self.mean = nn.Linear(units, latents)
        self.log_variance = nn.Linear(units, latents)

    def forward(self, image_NCHW: Tensor) -> Gaussian:
        """Mean and log-variance, shape (n, 3) each."""
        x_NF = self.norm(F.selu(self.hidden(image_NCHW.flatten(1))))
        return Gaussian(self.mean(x_NF).float(), self.log_variance(x_NF).float().clamp(*LOG_VARIANCE))


class DirichletDecoder(nn.Module):
    """Latents to an image that sums to one; a column of weights for each latent, its mode."""

    def __init__(self, shape: tuple[int, int, int], latents: int) -> None:
        super().__init__()
        self.shape = shape
        self.modes = nn.Linear(latents, shape[0] * shape[1] * shape[2], bias=False)

    def forward(self, z_NK: Tensor) -> Tensor:
        """Shape (n, 1, 72, 58)."""
        density_NP: Tensor = self.modes(z_NK).float().softmax(1)
        return density_NP.view(z_NK.shape[0], *self.shape)


class DirichletVAE(nn.Module):
    """Variational auto-encoder with a Dirichlet prior.

    Images are normalised to sum to one, and rebuilt from three latents that sum to one as
    well, the shares of three modes. The Dirichlet prior is replaced by the softmax of a normal
    distribution, so that both KL divergences have closed forms. Without noise the latents are
    the softmax of the posterior's mean, and the model a function of the image; training draws
    its noise from the generator it is given.

    The batch normalisation of the original is kept, so that a training batch goes through whole.

    References: B. M. Dillon et al., Better latent spaces for better autoencoders, SciPost Phys.
    11 (2021) 061; L. Anzalone et al., Triggering dark showers with conditional dual
    auto-encoders, Mach. Learn.: Sci. Technol. 5 (2024), section 5.2.

    Parameters
    ----------
    config
        Size, prior and loss; the defaults are the papers'.

    Examples
    --------
    >>> import torch
    >>> from ml.models.dirichlet import DirichletConfig, DirichletVAE, loss
    >>> model = DirichletVAE(DirichletConfig()).eval()
    >>> image_NCHW = torch.zeros(4, 1, 72, 58)
    >>> output = model(image_NCHW)
    >>> tuple(output.reconstruction.shape), tuple(output.z_m.shape), tuple(output.kl_r.shape)
    ((4, 1, 72, 58), (4, 3), (4,))
    >>> noise = model.draw(4, torch.Generator().manual_seed(1))
    >>> loss(image_NCHW, model(image_NCHW, noise)).shape
    torch.Size([4])
    """

    prior_mean: Tensor
    prior_log_variance: Tensor

    def __init__(self, config: DirichletConfig) -> None:
        super().__init__()
        shape = INPUT_SHAPES["coarse mask"]
        latents = len(config.concentration)
        prior = laplace_approximation(config.concentration)
        self.kl_weight = config.kl_weight
        self.register_buffer("prior_mean", prior.mean, persistent=False)
        self.register_buffer("prior_log_variance", prior.log_variance, persistent=False)
        self.encoder = DirichletEncoder(shape[0] * shape[1] * shape[2], config.units, latents)
        self.decoder = DirichletDecoder(shape, latents)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Initial weights of the CoDAE paper, section 4.7."""
        he_uniform_(self, self.decoder, generator)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Noise for the training on ``n`` events, shape (n, 3)."""
        return torch.randn(n, len(self.prior_mean), generator=generator, device=generator.device)

    def forward(self, image_NCHW: Tensor, noise_NK: Tensor | None = None) -> DirichletOutput:
        """Encode and rebuild images of shape (n, 1, 72, 58), pixels of 0 or more."""
        total_N111 = image_NCHW.sum((1, 2, 3), keepdim=True).clamp(min=MIN_PIXEL)
        posterior = self.encoder(image_NCHW / total_N111)
        z_NK = posterior.mean
        if noise_NK is not None:
            z_NK = z_NK + torch.exp(0.5 * posterior.log_variance) * noise_NK
        z_m_NK = z_NK.softmax(1)
        prior = Gaussian(self.prior_mean, self.prior_log_variance)
        return DirichletOutput(self.decoder(z_m_NK), total_N111, z_m_NK, posterior, prior, self.kl_weight)
