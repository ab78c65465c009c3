"""The categorical conditional dual variational auto-encoder (CoDVAE)."""

from __future__ import annotations

import math
from functools import partial
from typing import Annotated, NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from imaging.dense import INPUT_SHAPES
from ml.concrete import Concrete, draw_gumbel, mixture_log_density
from ml.conditioning import Scale
from ml.networks import Count, DualConfig, MaskEncoder, ResidualDecoder, ResidualEncoder, he_uniform_, latent_size
from ml.scores import bce
from ml.training_config import TrainingConfig

#: Scores that the CoDVAE gives (section 4.6); its reconstruction being binary, sae and sae_mask equal sse.
SCORES = ("bce", "sse", "dice", "pixel_sum", "z1", "z2", "kl_r", "kl_f")

#: Temperature to which the learned one is added, and the range of the prior's (section 4.5).
BASE_TEMPERATURE = 1.0
PRIOR_TEMPERATURES = (0.1, 1.0)


class CoDVAEConfig(DualConfig):
    """Size of the CoDVAE, its prior and its loss.

    Parameters
    ----------
    draws
        Samples in each Monte-Carlo estimate of a KL divergence, M in equation 3.
    components
        Distributions that the prior mixes, N in equation 2; the paper gives no number, five is
        what the original has.
    initial_scale
        Factor of the logits and of the temperature of the posterior before training; the noise hides less of what the
        logits say where they are large. The paper's is 1.
    kl_weight
        Weight of the KL divergence of equation 3 beside the reconstruction loss; 1 makes the
        loss the negative evidence bound. The paper gives no weight; the default is what the
        original code amounts to, see :class:`CoDVAE`.
    """

    draws: Count = 10
    components: Count = 5
    initial_scale: Annotated[float, Field(ge=1)] = 1.0
    kl_weight: Annotated[float, Field(ge=0)] = 1 / 32


class CoDVAETraining(TrainingConfig):
    """As of the CoDAE, for the paper's 100 epochs (section 5.2)."""

    epochs: Count = 100


class CoDVAEOutput(NamedTuple):
    """What the CoDVAE computes for a batch of n events.

    Parameters
    ----------
    logits
        Log-odds of each pixel being lit, from the first sample of the latents, shape (n, 1, 72, 58).
    z_m
        Compact latents, shape (n, 2).
    posterior
        Distribution of the convolutional latents, logits of shape (n, 1, 64, 5, 4).
    log_z
        Its samples, shape (n, M, 64, 5, 4).
    prior
        Components of the prior, logits of shape (N, 64, 5, 4).
    log_z_prior
        The prior's samples, the same for all events, shape (M, 64, 5, 4).
    kl_weight
        As configured.
    """

    logits: Tensor
    z_m: Tensor
    posterior: Concrete
    log_z: Tensor
    prior: Concrete
    log_z_prior: Tensor
    kl_weight: float

    @property
    def reconstruction(self) -> Tensor:
        """Mode of the Bernoulli distribution of each pixel, 0 or 1, shape (n, 1, 72, 58)."""
        return (self.logits > 0).float()

    @property
    def mean(self) -> Tensor:
        """Probability of each pixel being lit, shape (n, 1, 72, 58)."""
        return self.logits.float().sigmoid()

    @property
    def kl_r(self) -> Tensor:
        """Reverse KL divergence, of the posterior from the prior (equation 3), shape (n,)."""
        log_q_NMHW = self.posterior.log_density(self.log_z)
        return (log_q_NMHW - mixture_log_density(self.prior, self.log_z)).sum((2, 3)).mean(1)

    @property
    def kl_f(self) -> Tensor:
        """Forward KL divergence, of the prior from the posterior (section 4.6), shape (n,)."""
        log_q_NMHW = self.posterior.log_density(self.log_z_prior)
        return (mixture_log_density(self.prior, self.log_z_prior) - log_q_NMHW).sum((2, 3)).mean(1)


def loss(image_NCHW: Tensor, output: CoDVAEOutput) -> Tensor:
    """Cross-entropy and weighted KL divergence, the negative evidence bound for weight 1; shape (n,)."""
    return bce(image_NCHW, output) + output.kl_weight * output.kl_r


class CategoricalEncoder(ResidualEncoder):
    """The residual encoder with a second 1 x 1 convolution, for the temperature (section 4.5)."""

    def __init__(self, channels: int, config: DualConfig) -> None:
        super().__init__(channels, config)
        self.temperature = nn.Conv2d(config.filters[-1], 1, 1)

    @torch.no_grad()
    def scale_posterior(self, scale: float) -> None:
        """Multiply the initial logits and their temperature, log(2) + 1 about, by a factor."""
        assert self.temperature.bias is not None  # noqa: S101 (for the type checker)
        softplus = scale * (math.log(2) + BASE_TEMPERATURE) - BASE_TEMPERATURE
        self.latents.weight.mul_(scale)
        self.temperature.bias.add_(math.log(math.expm1(softplus)))

    def posterior(self, image_NCHW: Tensor) -> Concrete:
        """Distribution of the latents, logits of shape (n, z_channels, 5, 4)."""
        x_NCHW = self.stages(image_NCHW)
        temperature_N1HW = F.softplus(self.temperature(x_NCHW).float()) + BASE_TEMPERATURE
        return Concrete(self.latents(x_NCHW).float(), temperature_N1HW)


class CoDVAE(nn.Module):
    """Categorical conditional dual variational auto-encoder of mask images.

    A CoDAE whose convolutional latents are samples of a Concrete distribution over the
    channels at each of 5 x 4 places, with learned logits and temperature, and whose decoder
    gives a Bernoulli distribution for each pixel. The prior is an even mixture of Concrete
    distributions, whose temperatures are drawn once, at initialisation.

    Training draws its noise from the generator it is given. Without noise the model is a
    function of the image: it takes the draws that it keeps as buffers, made at initialisation
    from the training seed, the first of which makes the latents that are decoded. So scores of
    different events differ by the events alone, and those of the exported model are
    reproducible.

    Where this differs from the original code: there the estimate of the KL divergence is
    summed over the samples and four columns of places, averaged over the batch and the five
    rows, divided by the batch size, and added to the loss twice. That is a weight of
    4 / batch size, 1/32 for 128, on the divergence of equation 3, which we sum over places and
    average over samples; the weight is a setting of ours, whatever the batch size. Like the
    original, and unlike equation 2, the logits of the prior are uniform at first but trained.

    Reference: L. Anzalone et al., Triggering dark showers with conditional dual
    auto-encoders, Mach. Learn.: Sci. Technol. 5 (2024), section 4.5.

    Parameters
    ----------
    config
        Sizes, prior and loss; the defaults are the paper's.

    Examples
    --------
    >>> import torch
    >>> from ml.models.codvae import CoDVAE, CoDVAEConfig, loss
    >>> model = CoDVAE(CoDVAEConfig())
    >>> image_NCHW = torch.zeros(4, 1, 72, 58)
    >>> output = model(image_NCHW)
    >>> tuple(output.reconstruction.shape), tuple(output.kl_r.shape)
    ((4, 1, 72, 58), (4,))
    >>> noise = model.draw(4, torch.Generator().manual_seed(1))
    >>> loss(image_NCHW, model(image_NCHW, noise)).shape
    torch.Size([4])
    """

    prior_temperature: Tensor
    noise: Tensor
    prior_noise: Tensor
    prior_component: Tensor

    def __init__(self, config: CoDVAEConfig) -> None:
        super().__init__()
        shape = INPUT_SHAPES["coarse mask"]
        self.kl_weight, self.initial_scale = config.kl_weight, config.initial_scale
        self.encoder = CategoricalEncoder(shape[0], config)
        self.mask_encoder = MaskEncoder(shape, config)
        self.decoder = ResidualDecoder(shape, config, partial(Scale, config.z_m))
        places = latent_size(shape, len(config.filters))
        sample = (config.z_channels, *places)
        self.prior_logits = nn.Parameter(torch.zeros(config.components, *sample))
        self.register_buffer("prior_temperature", torch.ones(config.components, 1, 1, 1))
        self.register_buffer("noise", torch.zeros(config.draws, *sample))
        self.register_buffer("prior_noise", torch.zeros(config.draws, *sample))
        self.register_buffer("prior_component", torch.zeros(config.draws, *places, dtype=torch.long))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Initial weights of section 4.7, the prior's temperatures, and the draws for inference."""
        he_uniform_(self, self.decoder, generator)
        self.encoder.scale_posterior(self.initial_scale)
        # Uniform: log 1/C up to a constant, which the density takes out.
        nn.init.zeros_(self.prior_logits)
        self.prior_temperature.uniform_(*PRIOR_TEMPERATURES, generator=generator)
        self.noise.copy_(draw_gumbel(tuple(self.noise.shape), generator))
        self.prior_noise.copy_(draw_gumbel(tuple(self.prior_noise.shape), generator))
        self.prior_component.random_(len(self.prior_logits), generator=generator)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Noise for the training on ``n`` events, shape (n, M, 64, 5, 4)."""
        return draw_gumbel((n, *self.noise.shape), generator)

    def forward(self, image_NCHW: Tensor, noise_NMCHW: Tensor | None = None) -> CoDVAEOutput:
        """Encode and rebuild mask images of shape (n, 1, 72, 58), values 0 or 1."""
        z_m_NK = self.mask_encoder(image_NCHW)
        logits_NCHW, temperature_N1HW = self.encoder.posterior(image_NCHW)
        posterior = Concrete(logits_NCHW[:, None], temperature_N1HW[:, None])
        log_z_NMCHW = posterior.sample(self.noise if noise_NMCHW is None else noise_NMCHW)
        logits_NCHW = self.decoder(log_z_NMCHW[:, 0].exp(), z_m_NK)
        prior = Concrete(self.prior_logits, self.prior_temperature)
        return CoDVAEOutput(
            logits_NCHW, z_m_NK, posterior, log_z_NMCHW, prior, self._sample_prior(prior), self.kl_weight
        )

    def _sample_prior(self, prior: Concrete) -> Tensor:
        component_M1HW = self.prior_component[:, None]
        logits_MCHW = prior.logits.gather(0, component_M1HW.expand(self.prior_noise.shape))
        return Concrete(logits_MCHW, prior.temperature[:, 0, 0, 0][component_M1HW]).sample(self.prior_noise)
