"""A trigger model in OpenVINO, an optional extra."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from darktrigger.errors import ConfigError

#: From names of outputs and a batch of images, shape (n, C, H, W), to those outputs.
Runner = Callable[[Sequence[str], NDArray[np.float32]], list[NDArray[np.float32]]]


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
    core = openvino.Core()
    if bfloat16 and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise ConfigError("runtime: this CPU has no instructions for bfloat16; take openvino")
    settings = {
        "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
        "INFERENCE_NUM_THREADS": 1,
        "NUM_STREAMS": 1,
        # Worker processes would all be bound to the same core.
        "ENABLE_CPU_PINNING": False,
    }
    compiled = core.compile_model(core.read_model(io.BytesIO(model)), "CPU", settings)
    request = compiled.create_infer_request()

    def run(wanted: Sequence[str], image_NCHW: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        outputs = request.infer({"image": image_NCHW})
        return [outputs[name] for name in wanted]

    return run
