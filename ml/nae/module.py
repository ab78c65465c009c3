"""The training steps of autoencoders with energies, for Lightning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ml.micro_batches import micro_batches
from ml.models.nae import NAE
from ml.module import Loss, Reconstruction, accumulate_gradient, add_gradients
from ml.nae.config import AutoencoderTraining, NAETraining
from ml.nae.graphs import GraphedEnergies
from ml.nae.objectives import Energies, objective_of
from ml.nae.sampler import Replay, draw
from ml.nae.samples import Samples
from ml.spectral import advance, holding
from ml.streams import torch_stream
from ml.threads import Map

_REPLAY = "replay"


class EnergyTraining(Reconstruction):
    """Shared by both: the optimiser, the power iteration and the weight regulariser."""

    config: AutoencoderTraining | NAETraining
    model: NAE

    def __init__(self, model: NAE, loss: Loss, config: AutoencoderTraining | NAETraining, each: Map = map) -> None:
        super().__init__(model, loss, config, each, validated=None)

    @property
    def adam_epsilon(self) -> float:
        """As configured."""
        return self.config.adam_epsilon

    def on_validation_model_train(self) -> None:
        """Release what validation held; Lightning by itself sets the modules' mode without a word to them."""
        self.train()

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The encoder's biases apart, see :class:`ml.nae.config.AutoencoderTraining`."""
        biases = [value for name, value in self.model.encoder.named_parameters() if name.endswith("bias")]
        chosen = {id(value) for value in biases}
        others = [value for value in self.parameters() if id(value) not in chosen]
        return [
            {"params": others, "rate": 1.0},
            {"params": biases, "rate": self.config.encoder_bias_rate},
        ]

    def update(self, weights_coefficient: float) -> Tensor:
        """Add the weights' regulariser to the gradients and take a step; its value."""
        squares = torch.zeros((), device=self.device)
        for parameter in self.parameters():
            if parameter.grad is not None:
                parameter.grad += 2 * weights_coefficient * parameter.detach()
            squares += parameter.detach().square().sum()
        self.step()
        return weights_coefficient * squares

    def noted(self, n: int, **figures: Tensor) -> None:
        """Log means over the epoch."""
        for name, value in figures.items():
            self.log(name, value, on_step=False, on_epoch=True, batch_size=n)


class AutoencoderPretraining(EnergyTraining):
    """Trains the autoencoder on its energy."""

    config: AutoencoderTraining

    def training_step(self, image_NCHW: Tensor, batch_index: int) -> None:  # noqa: ARG002 (Lightning's signature)
        """One step of the optimiser on one batch."""
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        advance(self.model)
        loss = accumulate_gradient(self.model, self.loss, image_NCHW, self.micro_batch, self.each)
        self.update(self.config.regularisation_weights)
        self.noted(len(image_NCHW), train_loss=loss)


class NormalizedTraining(EnergyTraining):
    """Trains a normalized autoencoder.

    The chains of a step are a function of (seed, epoch, batch), the parameters and the replay buffer, which
    travels in the checkpoint.

    Parameters
    ----------
    model, loss, config, each
        See :class:`ml.module.Reconstruction`.
    energy_before
        Mean energy of the data before training.
    """

    config: NAETraining

    def __init__(self, model: NAE, loss: Loss, config: NAETraining, energy_before: float, each: Map = map) -> None:
        super().__init__(model, loss, config, each)
        self.unit = energy_before if config.regularisation.unit == "initial" else 1.0
        self.replay = Replay(config.replay, model.latents)
        self.objective = objective_of(config)
        #: Samples of the last step, for pictures.
        self.samples: Samples | None = None
        self.graphs: GraphedEnergies | None = None

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """With the buffer."""
        checkpoint[_REPLAY] = self.replay.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The buffer too."""
        self.replay.load_state_dict(checkpoint[_REPLAY])

    def training_step(self, image_NCHW: Tensor, batch_index: int) -> None:
        """Draw samples, compare them with the batch, take a step of the optimiser."""
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        n, path = len(image_NCHW), ("chains", self.current_epoch, batch_index)
        generator = torch_stream(self.config.seed, *path, device=self.device)
        with torch.no_grad():
            prepared_NCHW = self.model.front(image_NCHW)
        advance(self.model)
        samples = self.drawn(n, generator)
        found = self.differentiate(prepared_NCHW, samples)
        regularised = found.loss.mean() + self.update(self.config.regularisation.weights)
        self.samples = samples
        self.noted(
            n,
            train_loss=regularised,
            positive_energy=found.positive.mean(),
            negative_energy=found.negative.mean(),
            latent_acceptance=samples.latent_acceptance.mean(),
            pixel_acceptance=samples.pixel_acceptance.mean(),
            spread=spread(samples.image) / spread(prepared_NCHW).clamp(min=1e-30),
        )

    def drawn(self, n: int, generator: torch.Generator) -> Samples:
        """Ends of ``n`` pairs of chains under the network as it is."""
        if self.device.type == "cuda" and self.config.micro_batch is None:
            if self.graphs is None or self.graphs.n != n:
                self.graphs = GraphedEnergies(self.model, n)
            self.graphs.refresh()
            return draw(self.graphs, n, self.replay, self.config, generator, map)
        with holding(self.model):
            return draw(self.model, n, self.replay, self.config, generator, self.each)

    def differentiate(self, prepared_NCHW: Tensor, samples: Samples) -> Energies:
        """Add the gradient of the batch's mean loss to the parameters', a few pairs at a time."""
        parameters = list(self.parameters())
        order_N, n = self.objective.partners(prepared_NCHW, samples), len(prepared_NCHW)
        size = self.config.micro_batch or n
        columns = [micro_batches(part[order_N], size) for part in samples]
        images = micro_batches(prepared_NCHW, size)

        def group(index: int) -> tuple[Energies, Sequence[Tensor | None]]:
            part = Samples(*(column[index] for column in columns))
            found = self.regularised(self.objective.compare(self.model, images[index], part))
            gradients = torch.autograd.grad(found.loss.sum() / n, parameters, allow_unused=True)
            return Energies(*(item.detach() for item in found)), gradients

        parts = []
        for found, gradients in self.each(group, range(len(images))):
            parts.append(found)
            add_gradients(parameters, gradients)
        return Energies(*(torch.cat([getattr(part, name) for part in parts]) for name in Energies._fields))

    def regularised(self, found: Energies) -> Energies:
        """With the squares of the energies (appendix)."""
        settings = self.config.regularisation
        squares_N = settings.positive_energy * found.positive.square()
        squares_N = squares_N + settings.negative_energy * found.negative.square()
        return found._replace(loss=found.loss + squares_N / self.objective.unit(self.unit))


def spread(image_NCHW: Tensor) -> Tensor:
    """Root of the mean variance of the pixels over a batch: zero where all images are the same."""
    return image_NCHW.var(0, correction=0).mean().sqrt()
