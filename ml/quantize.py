"""Smaller trigger models: half precision and 8-bit integers."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from darktrigger.errors import ConfigError

Batch = NDArray[Any]


def constant_nodes(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes that depend on no input: ONNX Runtime computes them once, when it loads the model."""
    constants = {"", *(tensor.name for tensor in model.graph.initializer)}
    names = []
    for node in model.graph.node:
        if constants.issuperset(node.input):
            constants.update(node.output)
            names.append(node.name)
    return names


def pointwise_convolutions(model: onnx.ModelProto) -> list[str]:
    """Names of the 1 x 1 convolutions, which make the latents and the logits and cost next to nothing."""
    shapes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    nodes = (node for node in model.graph.node if node.op_type == "Conv")
    return [node.name for node in nodes if shapes.get(node.input[1], [])[2:] == [1, 1]]


def to_float16(model: onnx.ModelProto, keep: Iterable[str]) -> onnx.ModelProto:
    """Weights and activations in float16; input, outputs and the nodes named in ``keep`` stay float32."""
    with quiet_onnxruntime():
        half: onnx.ModelProto = convert_float_to_float16(
            model, keep_io_types=True, node_block_list=[*keep, *constant_nodes(model)]
        )
        join_casts(half)
        # The converter appends its casts wherever they come from; a valid graph is in order.
        OnnxModel.graph_topological_sort(half.graph)
    return half


def join_casts(model: onnx.ModelProto) -> None:
    """Let the nodes that stay float32 hand on float32, in place.

    The converter casts down what each of them puts out, and up again what the next one takes in: squares of
    E_T in GeV do not survive that.
    """
    down = {
        node.output[0]: node.input[0]
        for node in model.graph.node
        if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.FLOAT16
    }
    for node in model.graph.node:
        if node.op_type == "Cast" and node.attribute[0].i == onnx.TensorProto.FLOAT and node.input[0] in down:
            node.input[0] = down[node.input[0]]
    used = {name for node in model.graph.node for name in node.input}
    for node in [node for node in model.graph.node if node.op_type == "Cast" and node.output[0] in down]:
        if node.output[0] not in used:
            model.graph.node.remove(node)


class _Calibration(CalibrationDataReader):
    """Feeds batches of images, one at a time."""

    def __init__(self, batches: Iterable[Batch]) -> None:
        self.batches = iter(batches)

    def get_next(self) -> dict[str, Batch] | None:
        """The next batch, None after the last."""
        batch = next(self.batches, None)
        return None if batch is None else {"image": batch}


def to_int8(model: onnx.ModelProto, batches: Iterable[Batch]) -> onnx.ModelProto:
    """3 x 3 convolutions of images in 8-bit integers, everything else in float32.

    Parameters
    ----------
    model
        Trigger model in float32.
    batches
        Images (n, C, H, W) that are typical of what the model will see: they set the ranges of
        the activations.

    Raises
    ------
    ConfigError
        The model has no such convolution.
    """
    excluded = constant_nodes(model) + pointwise_convolutions(model)
    if not any(node.op_type == "Conv" and node.name not in excluded for node in model.graph.node):
        raise ConfigError("precision: int8 is for 3 x 3 convolutions, of which this model has none; take fp32 or fp16")
    with tempfile.TemporaryDirectory() as folder, quiet_onnxruntime():
        path = Path(folder) / "int8.onnx"
        quantize_static(
            model,
            path,
            _Calibration(batches),
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=excluded,
            per_channel=True,
            # Seven bits: without VNNI, sums of pairs of products of eight bits saturate.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(path)


@contextmanager
def quiet_onnxruntime() -> Iterator[None]:
    """Keep advice and warnings of ONNX Runtime's tools, which log to the root, out of our log."""
    previous = logging.root.manager.disable
    try:
        logging.disable(logging.WARNING)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"onnxruntime\.|onnx\.|numpy\.")
            # Weights below half precision's smallest number, which become that number.
            warnings.filterwarnings("ignore", message="the float32 number")
            yield
    finally:
        logging.disable(previous)
