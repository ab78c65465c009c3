"""The supervised baseline: a Compact Convolutional Transformer (CCT)."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from darktrigger.config import StrictModel
from imaging.dense import INPUT_SHAPES
from ml.event_noise import EventNoise, draw_seeds
from ml.layers import same_max_pool
from ml.training_config import Count
from ml.transformer import LAYER_NORM_EPS, TransformerBlock

#: Scores that the CCT gives.
SCORES = ("classifier",)

#: E_T of a pixel, in GeV, at which the input saturates.
E_T_MAX = 2000.0

#: Half width of the uniform distribution of the positional embedding (Keras' default).
_POSITION_RANGE = 0.05

Rate = Annotated[float, Field(ge=0, lt=1)]


class CCTConfig(StrictModel):
    """Size and regularisation of the CCT; the defaults are those of the paper's baseline (section 5.2).

    Parameters
    ----------
    filters
        Channels of the tokenizer's convolutions; the last is the length of a token.
    heads
        Heads of each attention.
    blocks
        Transformer blocks.
    outputs
        Logits; the first is background's. The original tells three classes, QCD, SUEP and SVJ. Trained on
        background against all signals, the others divide the signals among them as they like.
    dropout, attention_dropout
        Of the dense layers, and of the attention weights.
    skip_probability
        Of keeping the last block's skip connections; it rises to this from zero in the first block, see
        :func:`ml.transformer.skip`.
    """

    filters: Annotated[tuple[Count, ...], Field(min_length=1, max_length=3)] = (64, 128)
    heads: Count = 2
    blocks: Count = 2
    outputs: Annotated[int, Field(ge=2)] = 3
    dropout: Rate = 0.2
    attention_dropout: Rate = 0.1
    skip_probability: Rate = 0.2


class CCTOutput(NamedTuple):
    """What the CCT computes for a batch of n events.

    Parameters
    ----------
    logits
        One for each output, background first, shape (n, 3).
    """

    logits: Tensor

    @property
    def log_odds(self) -> Tensor:
        """Log-odds of any signal against background, shape (n,)."""
        logits = self.logits.float()
        return torch.logsumexp(logits[:, 1:], 1) - logits[:, 0]


def loss(label_N: Tensor, output: Any) -> Tensor:
    """Binary cross-entropy of background (label 0) against all signals, shape (n,)."""
    return F.binary_cross_entropy_with_logits(output.log_odds, (label_N > 0).float(), reduction="none")


class Tokenizer(nn.Module):
    """Image to tokens: 3 x 3 convolutions without bias, each with ReLU, a border of zeros and max-pooling."""

    def __init__(self, filters: tuple[int, ...]) -> None:
        super().__init__()
        channels = (1, *filters)
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, bias=False) for before, after in zip(channels, filters, strict=False)
        )

    def forward(self, image_NCHW: Tensor) -> Tensor:
        """Shape (n, 18 * 15, filters)."""
        x_NCHW = image_NCHW
        for convolution in self.convolutions:
            x_NCHW = same_max_pool(F.pad(F.relu(convolution(x_NCHW)), (1, 1, 1, 1)))
        return x_NCHW.flatten(2).transpose(1, 2)


class CCT(nn.Module):
    """Compact Convolutional Transformer that tells signal from background, given labels.

    It sees the total E_T of a coarse pixel, summed over tracker, ECAL and HCAL as in the paper's
    published training images, clipped at 2 TeV and divided by that. A convolutional tokenizer makes
    270 tokens, to which a fixed random vector is added for each position; after the transformer
    blocks, a softmax over the tokens pools them.

    Reference: A. Hassani et al., arXiv:2104.05704, as the supervised baseline of L. Anzalone et
    al., Mach. Learn.: Sci. Technol. 5 (2024), section 5.2.

    Parameters
    ----------
    config
        Sizes; the defaults are the paper's.

    Examples
    --------
    >>> import torch
    >>> from ml.models.cct import CCT, CCTConfig
    >>> model = CCT(CCTConfig())
    >>> output = model(torch.zeros(4, 3, 72, 58))
    >>> tuple(output.logits.shape), tuple(output.log_odds.shape)
    ((4, 3), (4,))
    """

    position: Tensor

    def __init__(self, config: CCTConfig) -> None:
        super().__init__()
        width = config.filters[-1]
        self.tokenizer = Tokenizer(config.filters)
        with torch.no_grad():
            n_tokens = self.tokenizer(torch.zeros(1, 1, *INPUT_SHAPES["coarse E_T"][1:])).shape[1]
        self.register_buffer("position", torch.empty(n_tokens, width))
        self.blocks = nn.ModuleList(
            TransformerBlock(
                width,
                config.heads,
                rate=config.dropout,
                attention_rate=config.attention_dropout,
                skip_probability=float(probability),
            )
            for probability in np.linspace(0, config.skip_probability, config.blocks)
        )
        self.norm = nn.LayerNorm(width, LAYER_NORM_EPS)
        self.pool = nn.Linear(width, 1)
        self.logits = nn.Linear(width, config.outputs)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """He-normal convolutions, Glorot-uniform dense layers, zero biases, unit norms, uniform positions."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            elif isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight, generator=generator)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm):
                module.reset_parameters()
        nn.init.uniform_(self.position, -_POSITION_RANGE, _POSITION_RANGE, generator=generator)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Noise for ``n`` events: a seed each, shape (n,), int64."""
        return draw_seeds(n, generator)

    def tokens(self, image_NCHW: Tensor) -> Tensor:
        """Tokens of images of shape (n, 3, 72, 58), GeV, before the positions are added; shape (n, 270, 128)."""
        e_t_NCHW = image_NCHW.sum(1, keepdim=True)
        tokens_NTC: Tensor = self.tokenizer(F.relu(e_t_NCHW).clamp(max=E_T_MAX) / E_T_MAX)
        return tokens_NTC

    def forward(self, image_NCHW: Tensor, noise: Tensor | None = None) -> CCTOutput:
        """Classify images of shape (n, 3, 72, 58), GeV; in training with noise from :meth:`draw`."""
        event_noise = None if noise is None else EventNoise(noise)
        x_NTC = self.tokens(image_NCHW) + self.position
        for block in self.blocks:
            x_NTC = block(x_NTC, event_noise)
        x_NTC = self.norm(x_NTC)
        weight_NT1 = F.softmax(self.pool(x_NTC), dim=1)
        return CCTOutput(self.logits((weight_NT1 * x_NTC).sum(1)))
