import doctest
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from imaging.dense import coarse_e_t
from imaging.image_file import read_image_file
from ml.classification import balanced
from ml.event_noise import EventNoise, draw_seeds, dropout
from ml.models import cct
from ml.models.cct import CCT, CCTConfig, CCTOutput, loss
from ml.module import Stochastic, accumulate_gradient
from ml.transformer import TransformerBlock, skip

SMALL = CCTConfig(filters=(4, 8), blocks=3)


def keras_state(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """State dict from the Keras weights of the fixture."""

    def numbered(name: str, i: int) -> str:
        return f"cct/{name}_{i}" if i else f"cct/{name}"

    def dense(layer: str, module: str) -> dict[str, NDArray[Any]]:
        kernel, bias = arrays[f"{layer}/kernel"], arrays[f"{layer}/bias"]
        # Heads and their width, wherever they are, become one axis.
        matrix = kernel.reshape((128, -1) if kernel.shape[0] == 128 else (-1, 128))
        return {f"{module}.weight": matrix.T, f"{module}.bias": bias.ravel()}

    def norm(i: int, module: str) -> dict[str, NDArray[Any]]:
        layer = numbered("layer_normalization", i)
        return {f"{module}.weight": arrays[f"{layer}/gamma"], f"{module}.bias": arrays[f"{layer}/beta"]}

    state = {"position": arrays["positional_embedding"], **norm(4, "norm")}
    for i, key in enumerate(("tkn_layers0", "tkn_layers3")):
        kernel = arrays[f"cct/cct_tokenizer/{key}/kernel"]
        state[f"tokenizer.convolutions.{i}.weight"] = kernel.transpose(3, 2, 0, 1)
    for i in range(2):
        block, attention = f"blocks.{i}", numbered("multi_head_attention", i)
        state |= norm(2 * i, f"{block}.attention_norm") | norm(2 * i + 1, f"{block}.dense_norm")
        for part in ("query", "key", "value", "output"):
            state |= dense(f"{attention}/_{part}_dense", f"{block}.attention.{part}")
        for j in range(2):
            state |= dense(numbered("dense", 2 * i + j), f"{block}.dense{j + 1}")
    state |= dense("cct/dense_4", "pool") | dense("cct/logits", "logits")
    return {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in state.items()}


def assert_close(found: Tensor, expected: NDArray[Any]) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@pytest.fixture(scope="module")
def keras_cct(shared: Path) -> tuple[CCT, Mapping[str, NDArray[Any]]]:
    arrays = np.load(shared / "parity" / "cct_parity.npz")
    model = CCT(CCTConfig())
    model.load_state_dict(keras_state(arrays))
    return model.eval(), arrays


def three_channels(image_NHWC: NDArray[Any]) -> Tensor:
    """GeV in three sub-detectors whose sum, clipped and scaled, is the fixture's input."""
    image_NCHW = torch.from_numpy(image_NHWC).permute(0, 3, 1, 2) * 2000
    return torch.cat([0.5 * image_NCHW, 0.25 * image_NCHW, 0.25 * image_NCHW], 1)


def test_parameter_count() -> None:
    assert sum(p.numel() for p in CCT(CCTConfig()).parameters()) == 406_084


@pytest.mark.parametrize(("image", "logits"), [("input", "logits"), ("input2", "logits2")])
def test_parity_cct(image: str, logits: str, keras_cct: tuple[CCT, Mapping[str, NDArray[Any]]]) -> None:
    model, arrays = keras_cct
    with torch.inference_mode():
        output = model(three_channels(arrays[image]))
    assert_close(output.logits, arrays[logits])


@torch.inference_mode()
def test_parity_cct_activations(keras_cct: tuple[CCT, Mapping[str, NDArray[Any]]]) -> None:
    model, arrays = keras_cct
    token_NTC = model.tokens(three_channels(arrays["input"][:2]))
    assert_close(token_NTC, arrays["act/cct_tokenizer"])
    x_NTC = token_NTC + model.position
    names = ["act/stochastic_depth", *(f"act/stochastic_depth_{i}" for i in (1, 2, 3))]
    for i, block in enumerate(model.blocks):
        assert isinstance(block, TransformerBlock)
        assert_close(block.attention.weights(block.attention_norm(x_NTC)), arrays[f"attention{i}"])
        assert_close(block.attend(x_NTC), arrays[names[2 * i]])
        x_NTC = block(x_NTC)
        assert_close(x_NTC, arrays[names[2 * i + 1]])


def test_input_is_the_total_e_t_clipped_at_2_tev() -> None:
    model = CCT(SMALL)
    image_NCHW = torch.zeros(2, 3, 72, 58)
    image_NCHW[0, :, 30, 20] = 1000
    image_NCHW[1, 1, 30, 20] = 2000
    torch.testing.assert_close(*model.tokens(image_NCHW))


def test_log_odds_are_those_of_the_softmax() -> None:
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    signal_N = logits.softmax(1)[:, 1:].sum(1)
    torch.testing.assert_close(CCTOutput(logits).log_odds, torch.logit(signal_N))


def test_loss_is_the_cross_entropy_of_background_against_all_signals() -> None:
    output = CCTOutput(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)))
    probability_N = output.log_odds.sigmoid()
    expected = -torch.stack([1 - probability_N[0], *probability_N[1:]]).log()
    torch.testing.assert_close(loss(torch.tensor([0, 1, 2, 7]), output), expected)


def test_balanced_loss_weighs_by_label() -> None:
    output = CCTOutput(torch.randn(3, 3, generator=torch.Generator().manual_seed(0)))
    label_N = torch.tensor([0, 2, 2])
    weighed = balanced(loss, torch.tensor([0.5, 9.0, 2.0]))
    torch.testing.assert_close(weighed(label_N, output), torch.tensor([0.5, 2, 2]) * loss(label_N, output))


def test_noise_is_the_events_own() -> None:
    """Alone or in a batch, an event loses the same units: gradients of any split agree."""
    model = CCT(SMALL).train()
    assert isinstance(model, Stochastic)
    image_NCHW = 10 * torch.rand(5, 3, 72, 58, generator=torch.Generator().manual_seed(0))
    seed_N = model.draw(5, torch.Generator().manual_seed(1))
    whole = model(image_NCHW, seed_N).logits
    parts = torch.cat([model(image_NCHW[i : i + 1], seed_N[i : i + 1]).logits for i in range(5)])
    torch.testing.assert_close(whole, parts, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(whole, model(image_NCHW, model.draw(5, torch.Generator().manual_seed(2))).logits)
    label_N = torch.tensor([0, 1, 0, 1, 0])
    gradients = []
    for micro_batch in (5, 2):
        model.zero_grad()
        accumulate_gradient(model, loss, image_NCHW, micro_batch, noise=seed_N, target=label_N)
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])
        assert len(gradients[-1]) == len(list(model.parameters()))
    # The softmax takes the keys' biases out again: their gradients are rounding alone.
    largest = max(gradient.abs().max().item() for gradient in gradients[0])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5 * largest)


def test_without_noise_it_is_a_function(background: Path) -> None:
    model = CCT(SMALL)
    image_NCHW = torch.from_numpy(coarse_e_t(read_image_file(background).images[np.arange(3)]))
    assert torch.equal(model.train()(image_NCHW).logits, model.eval()(image_NCHW).logits)


def test_dropout_keeps_the_mean_and_the_share() -> None:
    noise = EventNoise(draw_seeds(20, torch.Generator().manual_seed(0)))
    dropped = dropout(torch.ones(20, 1000), 0.2, noise)
    assert (dropped == 0).float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert not torch.equal(dropped[0], dropped[1])


def test_skip_is_kept_with_its_probability() -> None:
    branch, x = torch.zeros(1, 2, 3), torch.ones(1, 2, 3)
    noise = EventNoise(torch.tensor([5]))
    kept = torch.stack([skip(branch, x, 0.3, noise) for _ in range(2000)])
    assert set(torch.unique(kept).tolist()) == {0.0, 1.0}
    assert kept.mean().item() == pytest.approx(0.3, abs=0.04)
    torch.testing.assert_close(skip(branch, x, 0.3, None), 0.3 * x)
    assert torch.equal(skip(branch, x, 0.0, None), branch)


def test_docstring_example() -> None:
    result = doctest.testmod(cct)
    assert result.attempted
    assert not result.failed
