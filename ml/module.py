"""The training step, for Lightning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn

from darktrigger.errors import TrainingError
from ml.batch_norm import TracksMoments
from ml.layers import mixes_events
from ml.micro_batches import micro_batches
from ml.schedules import learning_rate
from ml.ssim import ssim
from ml.streams import torch_stream
from ml.threads import Map
from ml.training_config import TrainingConfig

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
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return
    # All at once, as nn.utils.clip_grad_norm_ does for one norm of them all.
    norms = list(torch._foreach_norm(gradients))  # noqa: SLF001
    shrink = (max_norm / (torch.stack(norms) + 1e-6)).clamp(max=1)
    torch._foreach_mul_(gradients, list(shrink.unbind()))


def compiled(model: nn.Module) -> Callable[..., Any]:
    """The model's forward pass, compiled for batches of one size on an accelerator.

    Channels last, as tensor cores take them, and launched as a whole (CUDA graphs): its parts take less time than
    Python needs to start them.
    """
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    forward: Callable[..., Any] = torch.compile(model.forward, dynamic=False, mode="reduce-overhead")
    return forward


def is_of_the_compiler(error: Exception) -> bool:
    """Whether ``torch.compile`` raised it, for want of a C compiler, say."""
    return type(error).__module__.startswith(("torch._dynamo", "torch._inductor"))


def add_gradients(parameters: Iterable[nn.Parameter], gradients: Iterable[Tensor | None]) -> None:
    """Add to the parameters' gradients, in place; None where a parameter does not matter."""
    sums, terms = [], []
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is not None:
            # Not the tensor itself: its strides need not be the parameter's, which fused AdamW takes for granted.
            parameter.grad = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            sums.append(parameter.grad)
            terms.append(gradient)
    if sums:
        # All at once: on an accelerator, starting the additions one by one takes longer than they do.
        torch._foreach_add_(sums, terms)


def accumulate_gradient(
    model: nn.Module,
    loss: Loss,
    image_NCHW: Tensor,
    micro_batch: int,
    each: Map = map,
    noise: Tensor | None = None,
    target: Tensor | None = None,
    network: Callable[..., Any] | None = None,
) -> Tensor:
    """Add the gradient of the batch's mean loss to the parameters', a few events at a time.

    Where no layer mixes events, the split changes nothing but the rounding; where one does
    (:class:`ml.batch_norm.SpatialBatchNorm`), it sees a micro-batch. Autocast is taken over from the
    caller.

    Parameters
    ----------
    model, loss
        Network, and loss that maps targets and its output to (n,).
    image_NCHW
        Batch, dense or sparse (COO); a sparse one is made dense a micro-batch at a time.
    micro_batch
        Events that go through the network at once, at most.
    each
        How to go through the micro-batches: one after the other, or as in :func:`ml.threads.thread_map`.
    noise
        Of a :class:`Stochastic` model, for the whole batch: what an event gets depends neither
        on the micro-batches nor on the threads.
    target
        What the loss compares the output with, one row an event; the images themselves unless given.
    network
        Called in the model's place: its compiled form.

    Returns
    -------
    Tensor
        Mean loss of the batch.
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    device, n_events = image_NCHW.device.type, len(image_NCHW)
    autocast, dtype = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)
    batch = (image_NCHW,) if noise is None else (image_NCHW, noise)
    parts = list(zip(*(micro_batches(tensor, micro_batch) for tensor in batch), strict=True))
    targets = None if target is None else micro_batches(target, micro_batch)

    def differentiate(index: int) -> tuple[Tensor, Sequence[Tensor | None], Any]:
        inputs = [tensor.to_dense() for tensor in parts[index]]
        part_target = inputs[0] if targets is None else targets[index]
        # Autocast is a thread's own.
        with torch.autocast(device, dtype, autocast):
            output = (network or model)(*inputs)
            value = loss(part_target, output).sum() / n_events
        # The caller's autocast would round what the forward pass has kept in float32.
        with torch.autocast(device, enabled=False):
            gradients = torch.autograd.grad(value, parameters, allow_unused=True)
        return value.detach(), gradients, getattr(output, "moments", None)

    total, moments = torch.zeros((), device=image_NCHW.device), []
    for value, gradients, part_moments in each(differentiate, range(len(parts))):
        total += value
        moments.append(part_moments)
        add_gradients(parameters, gradients)
    if isinstance(model, TracksMoments):
        # Here and not in the forward pass, whose order the threads decide.
        model.track(moments, [len(part[0]) for part in parts])
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
        Attribute of the output, (n, C, H, W) with values in [0, 1], that validation compares with the image by
        SSIM; None for a model that is not selected by it.

    Raises
    ------
    TrainingError
        ``micro_batch`` is set for a model that needs the whole batch.
    """

    def __init__(
        self,
        model: nn.Module,
        loss: Loss,
        config: TrainingConfig,
        each: Map = map,
        validated: str | None = "reconstruction",
    ) -> None:
        super().__init__()
        self.model, self.loss, self.config, self.each, self.validated = model, loss, config, each, validated
        if mixes_events(model) and config.micro_batch is not None:
            raise TrainingError(
                f"training.micro_batch: the model normalises over the batch, which goes through whole; "
                f"leave the key out (found {config.micro_batch})"
            )
        self._compiled: Callable[..., Any] | None = None
        # Lightning's own clipping and accumulation know neither micro-batches nor single parameters.
        self.automatic_optimization = False

    @property
    def micro_batch(self) -> int:
        """Events that go through the network at once."""
        whole = self.device.type != "cpu" or mixes_events(self.model)
        return self.config.micro_batch or (self.config.batch_size if whole else 8)

    @property
    def adam_epsilon(self) -> float:
        """Of Adam."""
        return ADAM_EPS

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW (section 4.7)."""
        settings = self.config
        return torch.optim.AdamW(
            self.parameter_groups(),
            lr=settings.learning_rate,
            eps=self.adam_epsilon,
            weight_decay=settings.weight_decay,
            fused=True,
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameters for the optimiser; a group's ``rate`` multiplies the learning rate."""
        return [{"params": list(self.parameters()), "rate": 1.0}]

    def noise(self, n: int, batch_index: int) -> Tensor | None:
        """Noise for a training batch, a function of (seed, epoch, batch) alone; None where the model needs none."""
        if not isinstance(self.model, Stochastic):
            return None
        generator = torch_stream(self.config.seed, "noise", self.current_epoch, batch_index, device=self.device)
        return self.model.draw(n, generator)

    def training_step(self, image_NCHW: Tensor, batch_index: int) -> None:
        """One step of the optimiser on one batch."""
        self.optimise(image_NCHW, batch_index)

    def optimise(
        self, image_NCHW: Tensor, batch_index: int, target: Tensor | None = None, loss: Loss | None = None
    ) -> None:
        """One step of the optimiser, see :func:`accumulate_gradient`; by another loss than the module's, if given."""
        optimizer: Any = self.optimizers()
        optimizer.zero_grad()
        each = self.each if self.device.type == "cpu" else map
        noise = self.noise(len(image_NCHW), batch_index)
        value = accumulate_gradient(
            self.model, loss or self.loss, image_NCHW, self.micro_batch, each, noise, target, self.network(image_NCHW)
        )
        self.step()
        self.log("train_loss", value, on_step=False, on_epoch=True, batch_size=len(image_NCHW))

    def on_fit_start(self) -> None:
        """Compile the network for the device, which is known only now."""
        if self.config.compile and self.device.type != "cpu":
            self._compiled = compiled(self.model)

    def network(self, image_NCHW: Tensor) -> Callable[..., Any] | None:
        """The compiled network, for the whole micro-batches that it was compiled for; else None."""
        return None if len(image_NCHW) % self.micro_batch else self._compiled

    def step(self) -> None:
        """Clip the gradients, set the learning rate and move the parameters."""
        optimizer: Any = self.optimizers()
        clip_each(self.parameters(), self.config.clip_norm)
        for group in optimizer.param_groups:
            rate = learning_rate(self.config, self.global_step, int(self.trainer.estimated_stepping_batches))
            # Checkpoints of earlier versions have groups without it.
            group["lr"] = rate * group.get("rate", 1.0)
        optimizer.step()

    def validation_step(self, image_NCHW: Tensor, batch_index: int) -> None:  # noqa: ARG002 (Lightning's signature)
        """Loss and SSIM of one batch."""
        output = self.model(image_NCHW)
        self.log("val_loss", self.loss(image_NCHW, output).mean(), batch_size=len(image_NCHW))
        if self.validated:
            reco_NCHW = getattr(output, self.validated).float()
            self.log("val_ssim", ssim(reco_NCHW, image_NCHW).mean(), batch_size=len(image_NCHW))
