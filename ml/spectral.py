"""Layers with spectral normalisation: the weight divided by its largest singular value.

The singular value is estimated by power iteration (Miyato et al., arXiv:1802.05957) from a stored left vector
``u``: one iteration a use. Nothing is stored by using a layer; :func:`advance` does that, once an optimiser
step, so that a Markov chain of many steps meets one and the same network, and the energies of an evaluated or
exported network do not drift. Held weights (:func:`hold`) are computed once and carry no gradient: all that a
chain and an exported file need.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Spectral(nn.Module):
    """A normalised weight with a bias; its rows, for the singular value, are dimension 0 whatever the layer.

    Parameters
    ----------
    shape
        Of the weight.
    bias
        Size of the bias.
    """

    u: Tensor
    held: Tensor | None

    def __init__(self, shape: tuple[int, ...], bias: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape))
        self.bias = nn.Parameter(torch.zeros(bias))
        self.register_buffer("u", torch.zeros(shape[0]))
        self.register_buffer("held", None, persistent=False)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """He-uniform weights, zero biases; ``u`` after a few iterations from a random vector."""
        nn.init.kaiming_uniform_(self.weight, nonlinearity="relu", generator=generator)
        nn.init.zeros_(self.bias)
        self.u.copy_(torch.randn(self.u.shape, generator=generator))
        for _ in range(5):
            self.advance()

    @torch.no_grad()
    def _iterated(self) -> tuple[Tensor, Tensor]:
        matrix = self.weight.flatten(1)
        v = F.normalize(matrix.T @ self.u, dim=0, eps=1e-12)
        return F.normalize(matrix @ v, dim=0, eps=1e-12), v

    def advance(self) -> None:
        """Keep what one power iteration makes of ``u``."""
        self.u.copy_(self._iterated()[0])

    def normalised(self) -> Tensor:
        """The weight over the estimate of its largest singular value; the gradient passes through both."""
        u, v = self._iterated()
        return self.weight / (u @ (self.weight.flatten(1) @ v))

    def applied(self) -> Tensor:
        """The normalised weight as the layer's operation takes it."""
        return self.normalised()

    @property
    def effective(self) -> Tensor:
        """What the layer applies."""
        return self.applied() if self.held is None else self.held

    def hold(self) -> None:
        """Compute the normalised weight once; it serves until :meth:`release`."""
        with torch.no_grad():
            weight = self.applied()
            # Channels last: a fifth faster for few channels, on a CPU.
            self.held = weight.contiguous(memory_format=torch.channels_last) if weight.ndim == 4 else weight

    def release(self) -> None:
        """Normalise at every use again."""
        self.held = None


def _channels_last(x_NCHW: Tensor) -> Tensor:
    """Images of one channel with strides that say "channels last", which torch then keeps; others as they are."""
    if x_NCHW.shape[1] > 1 or torch.compiler.is_exporting():
        return x_NCHW
    return x_NCHW.reshape(-1, *x_NCHW.shape[2:], 1).permute(0, 3, 1, 2)


class _Convolution(Spectral):
    """3 x 3 convolution that keeps height and width, by what :meth:`applied` gives."""

    def forward(self, x_NCHW: Tensor) -> Tensor:
        """Shape (n, filters, height, width)."""
        return F.conv2d(_channels_last(x_NCHW), self.effective, self.bias, padding=1)


class SpectralConv2d(_Convolution):
    """3 x 3 convolution that keeps height and width."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__((filters, channels, 3, 3), filters)


class SpectralConvTranspose2d(_Convolution):
    """3 x 3 transposed convolution that keeps height and width."""

    def __init__(self, channels: int, filters: int) -> None:
        super().__init__((channels, filters, 3, 3), filters)

    def applied(self) -> Tensor:
        """With stride 1 it is a convolution with the mirrored kernel, which is the faster of the two."""
        return self.normalised().transpose(0, 1).flip(2, 3)


class SpectralLinear(Spectral):
    """Fully connected layer."""

    def __init__(self, features: int, units: int) -> None:
        super().__init__((units, features), units)

    def forward(self, x_NF: Tensor) -> Tensor:
        """Shape (n, units)."""
        return F.linear(x_NF, self.effective, self.bias)


class Slope(nn.Module):
    """PReLU with one slope for all channels; a held one is a plain number, whose gradient nobody computes."""

    held: float | None

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((1,), 0.25))
        self.held = None

    def forward(self, x: Tensor) -> Tensor:
        """Shape of ``x``."""
        return F.prelu(x, self.weight) if self.held is None else F.leaky_relu(x, self.held)

    def hold(self) -> None:
        """Take the slope as it is for a number; it serves until :meth:`release`."""
        self.held = self.weight.item()

    def release(self) -> None:
        """Learn the slope again."""
        self.held = None


def _layers(model: nn.Module) -> Iterator[Spectral | Slope]:
    return (module for module in model.modules() if isinstance(module, Spectral | Slope))


def advance(model: nn.Module) -> None:
    """One power iteration of every layer, kept."""
    for layer in _layers(model):
        if isinstance(layer, Spectral):
            layer.advance()


def hold(model: nn.Module) -> None:
    """Freeze what every layer applies, see :meth:`Spectral.hold`."""
    for layer in _layers(model):
        layer.hold()


def release(model: nn.Module) -> None:
    """Undo :func:`hold`."""
    for layer in _layers(model):
        layer.release()


@contextmanager
def holding(model: nn.Module) -> Iterator[None]:
    """Frozen layers inside the context, of a model in training."""
    hold(model)
    try:
        yield
    finally:
        release(model)
