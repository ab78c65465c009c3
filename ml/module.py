"""The training step, for Lightning."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from ml.config import TrainingConfig
from ml.ssim import ssim

#: Keras' epsilon for Adam; torch's is 1e-8.
ADAM_EPS = 1e-7

Loss = Callable[[Tensor, Any], Tensor]


def clip_each(parameters: Iterable[nn.Parameter], max_norm: float) -> None:
    """Scale down, in place, each parameter's gradient whose own l2 norm exceeds ``max_norm``."""
    for parameter in parameters:
        if parameter.grad is not None:
            nn.utils.clip_grad_norm_(parameter, max_norm)


def accumulate_gradient(model: nn.Module, loss: Loss, image_NCHW: Tensor, micro_batch: int) -> Tensor:
    """Add the gradient of the batch's mean loss, a few events at a time; returns that loss.

    No layer mixes events, so that the split changes nothing but the rounding.
    """
    total = image_NCHW.new_zeros(())
    for part_NCHW in torch.split(image_NCHW, micro_batch):
        part = loss(part_NCHW, model(part_NCHW)).sum() / len(image_NCHW)
        part.backward()  # type: ignore[no-untyped-call]
        total += part.detach()
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
    """

    def __init__(self, model: nn.Module, loss: Loss, config: TrainingConfig) -> None:
        super().__init__()
        self.model, self.loss, self.config = model, loss, config
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
        loss = accumulate_gradient(self.model, self.loss, image_NCHW, self.micro_batch)
        clip_each(self.parameters(), self.config.clip_norm)
        optimizer.step()
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(image_NCHW))

    def validation_step(self, image_NCHW: Tensor, batch_index: int) -> None:  # noqa: ARG002
        """Loss and SSIM of one batch."""
        output = self.model(image_NCHW)
        reco_NCHW = output.logits.float().sigmoid()
        self.log("val_loss", self.loss(image_NCHW, output).mean(), batch_size=len(image_NCHW))
        self.log("val_ssim", ssim(reco_NCHW, image_NCHW).mean(), batch_size=len(image_NCHW))
