"""Weights in float16."""

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ml.quantize import to_float16

N = 1024


def weighted_sum(weights: NDArray[np.float32]) -> onnx.ModelProto:
    """A model that multiplies its input with weights and sums."""
    nodes = [helper.make_node("MatMul", ["image", "weights"], ["score"])]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", len(weights)])
    score = helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"])
    graph = helper.make_graph(nodes, "sum", [image], [score], [numpy_helper.from_array(weights, "weights")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def stored(model: onnx.ModelProto) -> int:
    """Type of the one constant."""
    (tensor,) = model.graph.initializer
    return int(tensor.data_type)


def test_computed_in_float32_from_rounded_weights() -> None:
    rng = np.random.default_rng(1)
    # Sums of them are beyond float16, whose largest number is 65,504.
    weights = rng.uniform(100, 1000, N).astype(np.float32)
    half = to_float16(weighted_sum(weights))
    onnx.checker.check_model(half, full_check=True)
    assert [node.op_type for node in half.graph.node] == ["Cast", "MatMul"]
    assert stored(half) == TensorProto.FLOAT16
    image = rng.random((3, N), dtype=np.float32)
    session = onnxruntime.InferenceSession(half.SerializeToString(), providers=["CPUExecutionProvider"])
    expected = image @ weights.astype(np.float16).astype(np.float32)
    np.testing.assert_allclose(session.run(None, {"image": image})[0], expected, rtol=1e-5)


def test_the_model_given_stays_as_it_was() -> None:
    model = weighted_sum(np.linspace(-1, 1, N, dtype=np.float32))
    before = model.SerializeToString()
    assert len(to_float16(model).SerializeToString()) < 0.6 * len(before)
    assert model.SerializeToString() == before


@pytest.mark.parametrize(
    "weights",
    [
        np.linspace(-1, 1, N - 1, dtype=np.float32),
        np.linspace(0, 1e5, N, dtype=np.float32),
        np.linspace(0, 1e-6, N, dtype=np.float32),
    ],
    ids=["few", "too large", "too small"],
)
def test_what_stays_float32(weights: NDArray[np.float32]) -> None:
    model = weighted_sum(weights)
    assert to_float16(model) == model


def test_a_few_small_weights_among_large_ones_do_not_matter() -> None:
    weights = np.linspace(-1, 1, N, dtype=np.float32)
    weights[:10] = 1e-9
    assert stored(to_float16(weighted_sum(weights))) == TensorProto.FLOAT16
