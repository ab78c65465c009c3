"""Who computes a trigger model."""

from __future__ import annotations

from enum import StrEnum


class Runtime(StrEnum):
    """Who computes a trigger model, and in which precision.

    ``openvino-bf16`` computes the network in bfloat16, eight significant bits, which takes a CPU with instructions
    for it. What the scores lose by it depends on the model: a density of counts, for example, needs more than that.
    """

    ONNXRUNTIME = "onnxruntime"
    OPENVINO = "openvino"
    OPENVINO_BF16 = "openvino-bf16"

    @property
    def engine(self) -> str:
        """The runtime, whatever the precision, as ``darktrigger export`` names it."""
        return self.removesuffix("-bf16")
