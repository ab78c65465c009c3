"""The training step, for Lightning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from ml.config import TrainingConfig
from ml.ssim import ssim
from ml.threads import Map

#: Keras' epsilon for Adam; torch's is 1e-8.
ADAM_EPS = 1e-7

Loss = Callable[[Tensor, Any], Tensor]


def clip_each(parameters: Iterable[nn.Parameter], max_norm: float) -> None:
    """Scale down, in place, each parameter's gradient whose own l2 norm exceeds ``max_norm``."""
    for parameter in parameters:
        if parameter.grad is not None:
            nn.utils.clip_grad_norm_(parameter, max_norm)


def accumulate_gradient(model: nn.Module, loss: Loss, image_NCHW: Tensor, micro_batch: int, each: Map = map) -> Tensor:
    """Add the gradient of the batch's mean loss to the parameters', a few events at a time.

    No layer mixes events, so that the split changes nothing but the rounding. Autocast is
    taken over from the caller.

    Parameters
    ----------
    model, loss
        Network, and loss that maps images (n, C, H, W) and its output to (n,).
    image_NCHW
        Batch.
    micro_batch
        Events that go through the network at once.
    each
        How to go through the micro-batches: one after the other, or as in :func:`ml.threads.thread_map`.

    Returns
    -------
    Tensor
        Mean loss of the batch.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    device = image_NCHW.device.type
    autocast, dtype = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)

    def differentiate(part_NCHW: Tensor) -> tuple[Tensor, Sequence[Tensor | None]]:
        # Autocast is a thread's own.
        with torch.autocast(device, dtype, autocast):
            value = loss(part_NCHW, model(part_NCHW)).sum() / len(image_NCHW)
        return value.detach(), torch.autograd.grad(value, parameters, allow_unused=True)

    total = image_NCHW.new_zeros(())
    for value, gradients in each(differentiate, torch.split(image_NCHW, micro_batch)):
        total += value
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                # Not the tensor itself: its strides need not be the parameter's, which fused AdamW takes for granted.
                parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                parameter.grad += gradient
    return total


class Reconstruction(LightningModule):
    """Trains a model to rebuild its input.

    Parameters
    ----------
    model
        Network whose output has ``logits``.
    loss
        Maps images (n, C, H, W) and the model's output to (n,).
    config
        Training settings.
    each
        How to go through the micro-batches on a CPU, see :func:`accumulate_gradient`.
    """

    def __init__(self, model: nn.Module, loss: Loss, config: TrainingConfig, each: Map = map) -> None:
        super().__init__()
        self.model, self.loss, self.config, self.each = model, loss, config, each
        # Lightning's own clipping and accumulation know neither micro-batches nor single parameters.
        self.automatic_optimization = False

    @property
    def micro_batch(self) -> int:
        """Events that go through the network at once."""
        default = 8 if self.device.type == "cpu" else self.config.batch_size
        return self.config.micro_batch or default

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW (section 4.7)."""
        settings = self.config
        return torch.optim.AdamW(
            self.parameters(), lr=settings.learning_rate, eps=ADAM_EPS, weight_decay=settings.weight_decay, fused=True
        )

    def training_step(self, image_NCHW: Tensor, batch_index: int) -> None:  # noqa: ARG002 (Lightning's signature)
        """One step of the optimiser on one batch."""
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        each = self.each if self.device.type == "cpu" else map
        loss = accumulate_gradient(self.model, self.loss, image_NCHW, self.micro_batch, each)
        clip_each(self.parameters(), self.config.clip_norm)
        optimizer.step()
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(image_NCHW))

    def validation_step(self, image_NCHW: Tensor, batch_index: int) -> None:  # noqa: ARG002
        """Loss and SSIM of one batch."""
        output = self.model(image_NCHW)
        reco_NCHW = output.logits.float().sigmoid()
        self.log("val_loss", self.loss(image_NCHW, output).mean(), batch_size=len(image_NCHW))
        self.log("val_ssim", ssim(reco_NCHW, image_NCHW).mean(), batch_size=len(image_NCHW))
