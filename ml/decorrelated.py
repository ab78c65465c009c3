"""The training step of models whose scores are decorrelated, for Lightning."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ml.members import MembersOutput, own_loss
from ml.micro_batches import micro_batches
from ml.mixture import WeighedImages
from ml.module import Reconstruction
from ml.threads import Map
from ml.training_config import DecorrelatedTraining


class Decorrelated(Reconstruction):
    """Trains models on their own losses and on the independence of their scores.

    Independence is a property of a whole batch, which must be large, while the networks' intermediate results
    are kept for a few events only. So each step has two passes: the scores of all events without a graph, from
    which the gradient of the batch's terms with respect to each score follows; then the gradient of the
    parameters, a micro-batch at a time, with the scores' gradients handed in. The sum is exactly the gradient of
    the whole batch.

    Parameters
    ----------
    model
        Network whose output is :class:`ml.members.MembersOutput`.
    config
        Training settings.
    each
        How to go through the micro-batches on a CPU, see :func:`ml.module.accumulate_gradient`.
    """

    def __init__(self, model: nn.Module, config: DecorrelatedTraining, each: Map = map) -> None:
        super().__init__(model, own_loss, config, each, validated=None)
        self.objective = config.objective
        # With the module, so that a resumed run goes on with them; the model itself does not know them.
        self.register_buffer("multiplier", torch.zeros(self.objective.n_terms, dtype=torch.float64))
        self._validation_scores: list[Tensor] = []
        self._validation_weights: list[Tensor | None] = []

    multiplier: Tensor

    @torch.no_grad()
    def scores(self, image_NCHW: Tensor) -> Tensor:
        """Scores of a batch, shape (n, K), a micro-batch at a time."""
        parts = micro_batches(image_NCHW, self.micro_batch)
        return torch.cat([self.model(part.to_dense()).score for part in parts])

    def training_step(self, batch: WeighedImages, batch_index: int) -> None:  # type: ignore[override]
        """One step of the optimiser on one batch, and of the multipliers."""
        image_NCHW, weight_N = batch
        score_NK = self.scores(image_NCHW).requires_grad_()
        with torch.enable_grad(), torch.autocast(self.device.type, enabled=False):
            terms = self.objective.terms(score_NK, weight_N)
            value = self.objective.value(terms, self.multiplier)
            (gradient_NK,) = torch.autograd.grad(value, score_NK)
        n_events = len(image_NCHW)

        def loss(gradient: Tensor, output: MembersOutput) -> Tensor:
            # The step averages over the events; the terms are the whole batch's.
            return output.own_loss + n_events * (gradient * output.score).sum(1)

        self.optimise(image_NCHW, batch_index, gradient_NK, loss)
        self.multiplier.copy_(self.objective.updated(self.multiplier, terms.detach()))
        self.log("train_disco", terms.detach()[0], on_step=False, on_epoch=True, batch_size=n_events)

    def validation_step(self, batch: WeighedImages, batch_index: int) -> None:  # type: ignore[override]  # noqa: ARG002
        """The members' own losses; scores are kept, for the terms of all events together."""
        image_NCHW, weight_N = batch
        self._validation_weights.append(weight_N)
        output = self.model(image_NCHW)
        self._validation_scores.append(torch.cat([output.score, output.own_loss[:, None]], dim=1))

    def on_validation_epoch_end(self) -> None:
        """Loss with the terms of all validation events together, and the distance correlation."""
        both = torch.cat(self._validation_scores)
        self._validation_scores.clear()
        weights = [weight_N for weight_N in self._validation_weights if weight_N is not None]
        self._validation_weights.clear()
        score_NK, loss_N = both[:, :-1], both[:, -1]
        terms = self.objective.terms(score_NK, torch.cat(weights) if weights else None)
        self.log("val_loss", loss_N.double().mean() + self.objective.merit(terms))
        self.log("val_disco", terms[0])
