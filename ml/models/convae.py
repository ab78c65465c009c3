"""The convolutional auto-encoder of fine images (ConvAE)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from darktrigger.config import StrictModel
from imaging.dense import INPUT_SHAPES
from ml.batch_norm import Moments, pool
from ml.convolutions import DownStage, PositionalPReLU, Shape, Stage, UpStage
from ml.sparse_stem import sparse_stem
from ml.training_config import Count, TrainingConfig

#: Scores that the ConvAE gives (section 4.2). Not pixel_sum, whose inverse is inverse_e_t: as a score its higher
#: end is the anomalous one, and here signals have less reconstructed E_T.
SCORES = ("dice_loss", "inverse_e_t")

#: Strides of the encoder in eta and phi (table 1); the decoder's are the reverse.
STRIDES = ((3, 3), (2, 2), (2, 2), (2, 2), (2, 3))

#: GeV in a unit of the network's input. The root mean square of the non-zero pixels of QCD events (8.3 GeV
#: in 100 events of real Delphes with 50 pile-up), rounded: "normalised such that they are of O(1)" (section 2.2).
E_T_SCALE = 10.0


class ConvAEConfig(StrictModel):
    """Size of the ConvAE and its unit of E_T; the defaults are the paper's (table 1).

    Parameters
    ----------
    filters
        Channels of the encoder's five stages; the decoder's are the reverse.
    e_t_scale
        GeV in a unit of what the network sees; its input and its reconstruction are in GeV.
    """

    filters: Annotated[tuple[Count, ...], Field(min_length=len(STRIDES), max_length=len(STRIDES))] = (
        128,
        64,
        32,
        16,
        8,
    )
    e_t_scale: Annotated[float, Field(gt=0)] = E_T_SCALE


class ConvAETraining(TrainingConfig):
    """How to train the ConvAE; the defaults are the paper's (section 3.1).

    Adam is AdamW without weight decay. The paper stops early without saying how patient it is,
    and its training saturated after 57 epochs: 10 epochs here. It names no clipping; our clipping by
    tensor stays, since a reconstruction that fades makes the gradient a thousand times as
    large. It augments nothing. ``micro_batch`` has a number on any device: the batch norms see a
    micro-batch, so that it is a part of what is trained, see :class:`ml.batch_norm.SpatialBatchNorm`.
    """

    epochs: Count = 100
    micro_batch: Count | None = 16
    learning_rate: Annotated[float, Field(gt=0)] = 1e-2
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    augmentation: bool = False


class ConvAEOutput(NamedTuple):
    """What the ConvAE computes for a batch of n events.

    Parameters
    ----------
    reconstruction
        Reconstructed E_T, shape (n, 3, 288, 360), GeV.
    z
        Latents, shape (n, 8, 6, 5).
    moments
        In training, those of each batch norm.
    """

    reconstruction: Tensor
    z: Tensor
    moments: tuple[Moments, ...]


class ConvAE(nn.Module):
    """Convolutional auto-encoder of fine three-channel E_T images.

    Five strided convolutions lead to 8 x 6 x 5 latents, five transposed ones back to the image;
    each is followed by batch norm and a PReLU with a slope for each position, the last one by
    a ReLU. Training uses that the images are nearly empty, see :mod:`ml.sparse_stem`.

    Reference: S. S. Chhibra et al., Autoencoders for real-time SUEP detection, table 1.

    Parameters
    ----------
    config
        Sizes; the defaults are the paper's.
    shape
        Channels, height and width of an image; the strides must divide height and width.

    Examples
    --------
    >>> import torch
    >>> from ml.models.convae import ConvAE, ConvAEConfig
    >>> model = ConvAE(ConvAEConfig()).eval()
    >>> output = model(torch.zeros(1, 3, 288, 360))
    >>> tuple(output.reconstruction.shape), tuple(output.z.shape)
    ((1, 3, 288, 360), (1, 8, 6, 5))
    """

    def __init__(self, config: ConvAEConfig, shape: Shape = INPUT_SHAPES["fine"]) -> None:
        super().__init__()
        self.e_t_scale = config.e_t_scale
        shapes = [shape]
        for filters, (stride_y, stride_x) in zip(config.filters, STRIDES, strict=True):
            shapes.append((filters, shapes[-1][1] // stride_y, shapes[-1][2] // stride_x))
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for index, stride in enumerate(STRIDES):
            large, small = shapes[index], shapes[index + 1]
            activation = PositionalPReLU(large) if index else nn.ReLU()
            self.encoder.append(DownStage(large[0], small, stride, PositionalPReLU(small)))
            self.decoder.insert(0, UpStage(small[0], large, stride, activation))
        self.reset_parameters()

    @property
    def stages(self) -> list[Stage]:
        """All stages, in the order of the data."""
        return [stage for stage in (*self.encoder, *self.decoder) if isinstance(stage, Stage)]

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Keras' defaults: Glorot-uniform weights, everything else zero, but the norms' scales one."""
        for stage in self.stages:
            nn.init.xavier_uniform_(stage.conv.weight, generator=generator)
            for parameter in (stage.bias_C, stage.norm.bias, *stage.activation.parameters()):
                nn.init.zeros_(parameter)
            nn.init.ones_(stage.norm.weight)

    def forward(self, image_NCHW: Tensor) -> ConvAEOutput:
        """Encode and rebuild images of shape (n, 3, 288, 360), GeV."""
        x_NCHW = image_NCHW / self.e_t_scale
        if self.training:
            return self._train_forward(x_NCHW)
        for stage in self.encoder:
            x_NCHW = stage(x_NCHW)
        z_NCHW = x_NCHW
        for stage in self.decoder:
            x_NCHW = stage(x_NCHW)
        return ConvAEOutput(x_NCHW * self.e_t_scale, z_NCHW, ())

    def track(self, moments: Sequence[Sequence[Moments]], events: Sequence[int]) -> None:
        """Take the moments of a step's micro-batches into the running statistics of the batch norms."""
        for stage, *parts in zip(self.stages, *moments, strict=True):
            stage.norm.track(pool(parts, events))

    def _train_forward(self, x_NCHW: Tensor) -> ConvAEOutput:
        first, second, *rest = self.stages
        assert isinstance(first, DownStage) and isinstance(second, DownStage)  # noqa: S101, PT018 (for the type checker)
        conv_NCHW, first_moments = sparse_stem(x_NCHW, first, second)
        x_NCHW, second_moments = second.finish(conv_NCHW)
        moments, z_NCHW = [first_moments, second_moments], x_NCHW
        for stage in rest:
            x_NCHW, stage_moments = stage.train_forward(x_NCHW)
            moments.append(stage_moments)
            if stage is self.encoder[-1]:
                z_NCHW = x_NCHW
        return ConvAEOutput(x_NCHW * self.e_t_scale, z_NCHW, tuple(moments))
