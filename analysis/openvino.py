"""A trigger model in OpenVINO, an optional extra."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from darktrigger.errors import ConfigError

#: From names of outputs and a batch of images, shape (n, C, H, W), to those outputs.
Runner = Callable[[Sequence[str], NDArray[np.float32]], list[NDArray[np.float32]]]


@cache
def _only(core: Callable[[], Any]) -> Any:
    """The process's only core of OpenVINO.

    Its CPU plugin gives the thread a stack of its own for signal handlers, and puts the former one back when it goes.
    With two of them, what is put back last can be that of one that has gone: the next signal, of Ctrl-C or of a child
    that ends, is then a segmentation fault (OpenVINO 2026.4).
    """
    return core()


def openvino_runner(model: bytes, *, bfloat16: bool) -> Runner:
    """An ONNX model, on one thread.

    Raises
    ------
    ConfigError
        OpenVINO is not installed, or this CPU has no instructions for bfloat16.
    """
    try:
        import openvino  # noqa: PLC0415  (an optional extra)
    except ImportError:
        raise ConfigError("runtime: OpenVINO is not installed: pip install 'darktrigger[openvino]'") from None
    core = _only(openvino.Core)
    if bfloat16 and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise ConfigError("runtime: this CPU has no instructions for bfloat16; take openvino")
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        # Worker processes would all be bound to the same core.
        "ENABLE_CPU_PINNING": False,
    }
    graph = core.read_model(io.BytesIO(model))

    @cache
    def request(batch: int | None) -> Any:
        network = graph.clone()
        if batch is not None:
            network.reshape({0: [batch, *list(graph.input(0).partial_shape)[1:]]})
        return core.compile_model(network, "CPU", settings).create_infer_request()

    def run(wanted: Sequence[str], image_NCHW: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        # Event by event, as a trigger sees them, what is made for one event is faster than what is made for any number.
        outputs = request(1 if len(image_NCHW) == 1 else None).infer(
            {"image": image_NCHW}, share_inputs=True, share_outputs=True
        )
        # Their memory is the next batch's, too.
        return [np.array(outputs[name]) for name in wanted]

    # What OpenVINO does not know is better found now than by the first batch.
    request(None)
    return run
