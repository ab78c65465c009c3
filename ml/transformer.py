"""The transformer block of the Compact Convolutional Transformer."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from ml.event_noise import EventNoise, dropout

#: Epsilon of the layer norms.
LAYER_NORM_EPS = 1e-5


class Attention(nn.Module):
    """Multi-head self-attention; every head is as wide as the tokens.

    Parameters
    ----------
    width
        Length of a token.
    heads
        Number of heads.
    rate
        Dropout of the attention weights.
    """

    def __init__(self, width: int, heads: int, rate: float) -> None:
        super().__init__()
        self.heads, self.rate, self.scale = heads, rate, width**-0.5
        self.query, self.key, self.value = (nn.Linear(width, heads * width) for _ in range(3))
        self.output = nn.Linear(heads * width, width)

    def weights(self, token_NTC: Tensor) -> Tensor:
        """How much each token looks at each other one, shape (n, heads, tokens, tokens); rows sum to 1."""
        query, key = (
            layer(token_NTC).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.query, self.key)
        )
        return F.softmax((query * self.scale) @ key.transpose(2, 3), dim=-1)

    def forward(self, token_NTC: Tensor, noise: EventNoise | None = None) -> Tensor:
        """Shape of ``token_NTC``."""
        value = self.value(token_NTC).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        weight = dropout(self.weights(token_NTC), self.rate, noise)
        attended: Tensor = self.output((weight @ value).transpose(1, 2).flatten(2))
        return attended


def skip(branch_NTC: Tensor, x_NTC: Tensor, probability: float, noise: EventNoise | None) -> Tensor:
    """The branch plus, with some probability for each event, what it started from; without noise, their mean sum.

    As the original has it: its stochastic depth drops the skip connection, not the branch, and
    its probability is that of keeping it.
    """
    if probability == 0:
        return branch_NTC
    if noise is None:
        return branch_NTC + probability * x_NTC
    return branch_NTC + noise.keep((1, 1), probability) * x_NTC


class TransformerBlock(nn.Module):
    """Attention, then two dense layers with GELU, each behind a layer norm and beside a skip connection.

    Parameters
    ----------
    width
        Length of a token.
    heads
        Heads of the attention.
    rate, attention_rate
        Dropout of the dense layers and of the attention weights.
    skip_probability
        Of keeping a skip connection, see :func:`skip`.
    """

    def __init__(self, width: int, heads: int, *, rate: float, attention_rate: float, skip_probability: float) -> None:
        super().__init__()
        self.rate, self.skip_probability = rate, skip_probability
        self.attention_norm, self.dense_norm = (nn.LayerNorm(width, LAYER_NORM_EPS) for _ in range(2))
        self.attention = Attention(width, heads, attention_rate)
        self.dense1, self.dense2 = (nn.Linear(width, width) for _ in range(2))

    def attend(self, token_NTC: Tensor, noise: EventNoise | None = None) -> Tensor:
        """First half of the block, shape of ``token_NTC``."""
        attended_NTC = self.attention(self.attention_norm(token_NTC), noise)
        return skip(attended_NTC, token_NTC, self.skip_probability, noise)

    def forward(self, token_NTC: Tensor, noise: EventNoise | None = None) -> Tensor:
        """Shape of ``token_NTC``."""
        attended_NTC = self.attend(token_NTC, noise)
        hidden_NTC = self.dense_norm(attended_NTC)
        for dense in (self.dense1, self.dense2):
            hidden_NTC = dropout(F.gelu(dense(hidden_NTC)), self.rate, noise)
        return skip(hidden_NTC, attended_NTC, self.skip_probability, noise)
