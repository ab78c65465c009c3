"""The training step, for Lightning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from darktrigger.errors import TrainingError
from ml.config import TrainingConfig
from ml.data import torch_stream
from ml.layers import mixes_events
from ml.ssim import ssim
from ml.threads import Map

#: Keras' epsilon for Adam; torch's is 1e-8.
ADAM_EPS = 1e-7

Loss = Callable[[Tensor, Any], Tensor]


@runtime_checkable
class Stochastic(Protocol):
    """A model that takes noise beside the images in training; without it, it is a function of them."""

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Noise for ``n`` events, shape (n, ...)."""


def clip_each(parameters: Iterable[nn.Parameter], max_norm: float) -> None:
    """Scale down, in place, each parameter's gradient whose own l2 norm exceeds ``max_norm``."""
    for parameter in parameters:
        if parameter.grad is not None:
            nn.utils.clip_grad_norm_(parameter, max_norm)


def accumulate_gradient(
    model: nn.Module,
    loss: Loss,
    image_NCHW: Tensor,
    micro_batch: int,
    each: Map = map,
    noise: Tensor | None = None,
) -> Tensor:
    """Add the gradient of the batch's mean loss to the parameters', a few events at a time.

    Where no layer mixes events, the split changes nothing but the rounding. Autocast is taken
    over from the caller.

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
    noise
        Of a :class:`Stochastic` model, for the whole batch: what an event gets depends neither
        on the micro-batches nor on the threads.

    Returns
    -------
    Tensor
        Mean loss of the batch.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    device = image_NCHW.device.type
    autocast, dtype = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)

    def differentiate(inputs: tuple[Tensor, ...]) -> tuple[Tensor, Sequence[Tensor | None]]:
        # Autocast is a thread's own.
        with torch.autocast(device, dtype, autocast):
            value = loss(inputs[0], model(*inputs)).sum() / len(image_NCHW)
        return value.detach(), torch.autograd.grad(value, parameters, allow_unused=True)

    total = image_NCHW.new_zeros(())
    batch = (image_NCHW,) if noise is None else (image_NCHW, noise)
    parts = zip(*(torch.split(tensor, micro_batch) for tensor in batch), strict=True)
    for value, gradients in each(differentiate, parts):
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
        Network.
    loss
        Maps images (n, C, H, W) and the model's output to (n,).
    config
        Training settings.
    each
        How to go through the micro-batches on a CPU, see :func:`accumulate_gradient`.
    validated
        Attribute of the output, (n, C, H, W), that the validation SSIM compares with the image.

    Raises
    ------
    TrainingError
        ``micro_batch`` is set for a model that needs the whole batch.
    """

    def __init__(
        self, model: nn.Module, loss: Loss, config: TrainingConfig, each: Map = map, validated: str = "reconstruction"
    ) -> None:
        super().__init__()
        self.model, self.loss, self.config, self.each, self.validated = model, loss, config, each, validated
        if mixes_events(model) and config.micro_batch is not None:
            raise TrainingError(
                f"training.micro_batch: the model normalises over the batch, which goes through whole; "
                f"leave the key out (found {config.micro_batch})"
            )
        # Lightning's own clipping and accumulation know neither micro-batches nor single parameters.
        self.automatic_optimization = False

    @property
    def micro_batch(self) -> int:
        """Events that go through the network at once."""
        whole = self.device.type != "cpu" or mixes_events(self.model)
        return self.config.micro_batch or (self.config.batch_size if whole else 8)

    def noise(self, n: int, batch_index: int) -> Tensor | None:
        """Noise for a training batch, a function of (seed, epoch, batch) alone; None where the model needs none."""
        if not isinstance(self.model, Stochastic):
            return None
        generator = torch_stream(self.config.seed, "noise", self.current_epoch, batch_index)
        return self.model.draw(n, generator).to(self.device)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW (section 4.7)."""
        settings = self.config
        return torch.optim.AdamW(
            self.parameters(), lr=settings.learning_rate, eps=ADAM_EPS, weight_decay=settings.weight_decay, fused=True
        )

    def training_step(self, image_NCHW: Tensor, batch_index: int) -> None:
        """One step of the optimiser on one batch."""
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        each = self.each if self.device.type == "cpu" else map
        noise = self.noise(len(image_NCHW), batch_index)
        loss = accumulate_gradient(self.model, self.loss, image_NCHW, self.micro_batch, each, noise)
        clip_each(self.parameters(), self.config.clip_norm)
        optimizer.step()
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(image_NCHW))

    def validation_step(self, image_NCHW: Tensor, batch_index: int) -> None:  # noqa: ARG002 (Lightning's signature)
        """Loss and SSIM of one batch."""
        output = self.model(image_NCHW)
        reco_NCHW = getattr(output, self.validated).float()
        self.log("val_loss", self.loss(image_NCHW, output).mean(), batch_size=len(image_NCHW))
        self.log("val_ssim", ssim(reco_NCHW, image_NCHW).mean(), batch_size=len(image_NCHW))
