"""Smaller trigger models: weights of half precision, and 8-bit integers."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static

from darktrigger.errors import ConfigError

Batch = NDArray[Any]

#: Tensors of fewer numbers stay as they are.
_LEAST_WEIGHTS = 1024


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


def to_float16(model: onnx.ModelProto) -> onnx.ModelProto:
    """Large weights in float16, half the file; everything is still computed in float32.

    ONNX Runtime casts the weights when it loads the model. Computing in float16 would be slower: its CPU kernels
    have none, so that it casts before and after every node and takes activations apart into several.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    casts = []
    for tensor in half.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or (weight := _as_float16(tensor)) is None:
            continue
        name = tensor.name
        tensor.CopyFrom(onnx.numpy_helper.from_array(weight, f"{name}_float16"))
        casts.append(onnx.helper.make_node("Cast", [tensor.name], [name], to=onnx.TensorProto.FLOAT))
    nodes = list(half.graph.node)
    del half.graph.node[:]
    half.graph.node.extend([*casts, *nodes])
    return half


def _as_float16(tensor: onnx.TensorProto) -> NDArray[np.float16] | None:
    """The tensor in float16, None where that saves next to nothing or its numbers are too large or too small."""
    weight = onnx.numpy_helper.to_array(tensor)
    if weight.size < _LEAST_WEIGHTS:
        return None
    with np.errstate(over="ignore"):
        half: NDArray[np.float16] = weight.astype(np.float16)
    error = np.abs(half.astype(np.float32) - weight).max()
    return half if error <= np.finfo(np.float16).eps * np.abs(weight).max() else None


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
            yield
    finally:
        logging.disable(previous)
