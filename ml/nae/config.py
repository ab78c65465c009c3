"""Settings of the training of a normalized autoencoder; defaults are the paper's (table 1 and appendix)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from darktrigger.config import StrictModel
from ml.events import EventPolicy, OneClass
from ml.training_config import Count, TrainingConfig

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Best = Literal["balanced", "last"]


class ChainConfig(StrictModel):
    """A Langevin chain (equations 6 and 11).

    Parameters
    ----------
    steps
        Number of steps.
    step_size
        lambda: a step goes down the gradient of the energy by so much.
    noise
        sigma: standard deviation of the noise of a step, each coordinate.
    temperature
        Of the Metropolis acceptance; by default the one that step size and noise imply, sigma^2 / (2 lambda)
        (equation 7), of every step by itself.
    acceptance
        ``metropolis``: a step is taken with the probability that keeps exp(-E / T) invariant; ``always``.
    annealing
        Of the noise: ``none``, or ``harmonic``, sigma / (1 + step).
    clip
        Largest norm of the gradient at a point.
    """

    steps: Count = 30
    step_size: Positive
    noise: Positive
    temperature: Positive | None = None
    acceptance: Literal["metropolis", "always"] = "metropolis"
    annealing: Literal["none", "harmonic"]
    clip: Positive = 0.01

    def temperature_at(self, noise: float) -> float:
        """T of a step with this noise."""
        return self.temperature or noise**2 / (2 * self.step_size)


class LatentChainConfig(ChainConfig):
    """The chain on the latent sphere (equation 11).

    Parameters
    ----------
    jumps
        Points anywhere on the sphere that compete with the chain's start, see :func:`ml.nae.jumps.jump`; none in the
        paper. With few steps, chains stay for hundreds of batches where the energy is high and flat.
    """

    jumps: Annotated[int, Field(ge=0)] = 0
    step_size: Positive = 100.0
    noise: Positive = 1e-2
    annealing: Literal["none", "harmonic"] = "none"


class PixelChainConfig(ChainConfig):
    """The chain in the space of images (equation 6); pixels stay in [0, 1].

    Table 1's step size and noise imply T = 1e-10, its caption says 1e-7.
    """

    step_size: Positive = 50.0
    noise: Positive = 1e-4
    annealing: Literal["none", "harmonic"] = "harmonic"


class ReplayConfig(StrictModel):
    """Where latent chains start.

    Parameters
    ----------
    size
        Last points of earlier chains that are kept.
    probability
        Of starting at one of them and not anywhere on the sphere.
    """

    size: Count = 10_000
    probability: Fraction = 0.95


class RegularisationConfig(StrictModel):
    """Coefficients of what is added to the loss.

    Parameters
    ----------
    weights
        Of the sum of the squares of all parameters.
    positive_energy, negative_energy
        Of the mean squared energy of data and of samples.
    unit
        Of energies in the squares: ``one``, as in the paper, where energies of 1e-6 make them vanish beside the
        energies themselves, or ``initial``, the mean energy of the data before training. In the latter, a
        coefficient c turns the samples' energy back once it is 1/(2 c) times that (with the objective
        ``power_law``: the root of that), so that it does not run away.
    """

    weights: NotNegative = 1e-8
    positive_energy: NotNegative = 1.0
    negative_energy: NotNegative = 1.0
    unit: Literal["one", "initial"] = "one"


class CollapseConfig(StrictModel):
    """When training has collapsed; quantities of background alone, means over an epoch.

    Either sign of section 3: the energy of the samples runs away, or the samples become all alike. And one that
    was met here with too high a learning rate: the network no longer describes the data, and its energies then
    tell nothing, though the samples look sound.

    Parameters
    ----------
    energy_ratio
        Negative energy, in units of the positive one, beyond which it has run away.
    loss_of_data
        Positive energy, in units of what it was before training, beyond which the data are no longer described.
    spread
        Standard deviation of the samples' pixels in units of the data's, below which they are all alike.
    patience
        Epochs in a row that show it.
    """

    energy_ratio: Annotated[float, Field(gt=1)] = 5.0
    loss_of_data: Annotated[float, Field(gt=1)] = 3.0
    spread: Fraction = 0.1
    patience: Count = 2


class Likelihood(StrictModel):
    """Mean energy of data minus that of samples: the gradient of the likelihood (equation 5)."""

    kind: Literal["likelihood"] = "likelihood"


class PowerLaw(StrictModel):
    """Mean logarithm of the energy of data minus that of samples: the likelihood of a density E^(-1/T).

    Where the decoder's images are rebuilt far better than data, their energies, and with them all that
    :class:`Likelihood` says about them, vanish beside the data's: it takes thousands of steps until samples count.
    The logarithm knows no scale: samples of any energy count alike, and latent chains down it move as far where
    energies are small. The order of images by energy, and so the score, is none the worse for it. Pixel chains go
    down the energy itself in either case: they start on the manifold and are to leave it by a share of the error.
    """

    kind: Literal["power_law"] = "power_law"


class Wasserstein(StrictModel):
    """Squared 2-Wasserstein distance between data and samples (arXiv:2510.02168), a pixel's mean, as the energy is.

    Parameters
    ----------
    differentiated_steps
        Steps down the energy, at the end of the pixel chain, through which the distance is differentiated.
    reconstruction
        Weight of the data's energy beside the distance.
    """

    kind: Literal["wasserstein"] = "wasserstein"
    differentiated_steps: Count = 2
    reconstruction: NotNegative = 1.0


ObjectiveConfig = Annotated[Likelihood | PowerLaw | Wasserstein, Field(discriminator="kind")]


class AutoencoderTraining(TrainingConfig):
    """Training of the autoencoder that a normalized one starts from, on the mean squared error.

    Parameters
    ----------
    label
        Of the images to train on, which are background here whatever they are elsewhere: tops, to find QCD jets
        among them.
    steps
        Of the optimiser in an epoch, at most; all images once unless given.
    adam_epsilon
        Of Adam; below the default of torch, since gradients of energies of 1e-6 are small.
    encoder_bias_rate
        Learning rate of the encoder's biases in units of that of all other parameters. Pixels of a normalised jet are
        about 1e-3 and what the encoder makes of it, before it is put on the sphere, about 1e-4: at the rate of the
        weights, a few steps of Adam give the biases more say than the image has, and all images the same latents.
    regularisation_weights
        Coefficient of the sum of the squares of all parameters.
    """

    label: Annotated[int, Field(ge=0, le=255)] = 0
    epochs: Count = 30
    steps: Count | None = None
    micro_batch: Count | None = 32
    learning_rate: Positive = 1e-3
    schedule: Literal["constant", "cosine"] = "cosine"
    warm_up: Annotated[int, Field(ge=0)] = 50
    weight_decay: NotNegative = 0.0
    adam_epsilon: Positive = 1e-12
    encoder_bias_rate: Annotated[float, Field(gt=0, le=1)] = 0.01
    regularisation_weights: NotNegative = 1e-8
    precision: Literal["auto", "float32", "bfloat16"] = "float32"
    compile: Literal[False] = False
    augmentation: bool = False

    @property
    def events(self) -> EventPolicy:
        """Events of one label."""
        return OneClass(self.label)


class NAETraining(TrainingConfig):
    """Training of a normalized autoencoder, from an autoencoder of the same size on.

    Parameters
    ----------
    pretrained
        Run folder of a ``jet-ae``, or of a ``nae`` to go on with; a relative path starts in the current folder.
    label, steps, adam_epsilon, encoder_bias_rate
        See :class:`AutoencoderTraining`.
    latent_chain, pixel_chain, replay
        How samples are drawn: on-manifold initialisation (section 2.2).
    objective
        What data and samples are compared by.
    regularisation
        What is added to it.
    collapse
        What ends the training early.
    best
        Which epoch is kept, of those that show no sign of a collapse. ``balanced``: the one whose energies of data and
        samples are nearest (section 3). ``last``: for learning rates that start high and end near zero, and for
        averaged weights; the energies may be near at first, while they go up and down. ``patience`` has no say then.
    averaged_steps
        Steps of the optimiser over which the weights of the kept network are averaged, see
        :class:`ml.nae.averaging.MeanWeights`; none in the paper, whose network is that of the last step.
    """

    pretrained: Path
    label: Annotated[int, Field(ge=0, le=255)] = 0
    epochs: Count = 50
    steps: Count | None = None
    micro_batch: Count | None = 32
    learning_rate: Positive = 1e-5
    weight_decay: NotNegative = 0.0
    adam_epsilon: Positive = 1e-12
    encoder_bias_rate: Annotated[float, Field(gt=0, le=1)] = 0.01
    precision: Literal["float32"] = "float32"
    compile: Literal[False] = False
    augmentation: bool = False
    patience: Count = 50
    latent_chain: LatentChainConfig = LatentChainConfig()
    pixel_chain: PixelChainConfig = PixelChainConfig()
    replay: ReplayConfig = ReplayConfig()
    objective: ObjectiveConfig = Likelihood()
    regularisation: RegularisationConfig = RegularisationConfig()
    collapse: CollapseConfig = CollapseConfig()
    best: Best = "balanced"
    averaged_steps: Count | None = None

    @property
    def events(self) -> EventPolicy:
        """Events of one label."""
        return OneClass(self.label)

    @model_validator(mode="before")
    @classmethod
    def _chain_of_the_objective(cls, given: object) -> object:
        """Steps down a logarithm are of another size: a latent chain has others by default."""
        if not isinstance(given, dict) or not _is_power_law(given.get("objective")):
            return given
        chain = given.get("latent_chain", {})
        return given | {"latent_chain": _POWER_LAW_CHAIN | chain} if isinstance(chain, dict) else given


#: Of the latent chain down the logarithm: T = 1/2, steps of a seventh of the sphere's radius.
_POWER_LAW_CHAIN = {"step_size": 0.0225, "noise": 0.15, "clip": 10.0}


def _is_power_law(objective: object) -> bool:
    return isinstance(objective, PowerLaw) or (isinstance(objective, dict) and objective.get("kind") == "power_law")
