"""Trigger models (ONNX): ``evaluate`` and ``analyze``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.fuzz.kind import OUT
from benchmarks.fuzz.mutate import mutate
from benchmarks.fuzz.plain_data import spoil
from benchmarks.fuzz.samples import SAMPLES, write_fileset, write_samples
from darktrigger.pretrained import pretrained_models

_SCORES = ("pixel_sum", "forward", "emptiness")
_METADATA = {
    "family": "counting",
    "input": {"kind": "coarse mask", "normalisation": "none"},
    "scores": {name: {"direction": "higher"} for name in _SCORES},
}
_OPERATORS = (
    "ReduceMax",
    "Log",
    "Sqrt",
    "Exp",
    "Neg",
    "Identity",
    "NonZero",
    "Shape",
    "Nope",
    "Reshape",
    "Tile",
    "Loop",
)
_NAMES = (
    "../../escaped", "/etc/escaped", "a/b", "", "x" * 400, "a\x00b", "$x", "$\\frac{$", "score\nname", "..",
    "n_tracks", "é☃", "%s", "reconstruction", "image", "a.b", " ",
)  # fmt: skip


class TriggerModels:
    """Byte mutations of models, and sound models that break the contract."""

    def prepare(self, valid: Path) -> None:
        """Samples and a small model."""
        write_samples(valid, 4)
        write_fileset(valid / "fileset.yaml", valid / "qcd.root", valid / "suep1000.root")
        onnx.save(counting_model(), valid / "counting.onnx")

    def sound(self, valid: Path, folder: Path) -> list[list[str]]:
        """An evaluation and an analysis."""
        return [_command("evaluate", valid / "counting.onnx", valid, folder / "evaluation"),
                _command("analyze", valid / "counting.onnx", valid, folder / "analysis")]  # fmt: skip

    def case(self, rng: np.random.Generator, valid: Path, folder: Path) -> list[str]:
        """One spoilt model."""
        path = folder / "bad.onnx"
        if rng.random() < 0.5:
            model = counting_model()
            for _ in range(int(rng.integers(1, 3))):
                _WRONGS[int(rng.integers(len(_WRONGS)))](model, rng)
            path.write_bytes(model.SerializeToString())
        else:
            original = valid / "counting.onnx" if rng.random() < 0.5 else pretrained_models()["excess"]
            path.write_bytes(mutate(original.read_bytes(), rng))
        return _command("evaluate" if rng.random() < 0.6 else "analyze", path, valid, folder / OUT)


def _command(stage: str, model: Path, valid: Path, out: Path) -> list[str]:
    if stage == "analyze":
        return ["analyze", str(valid / "fileset.yaml"), "--trigger", str(model), "-o", str(out)]
    images = [str(valid / f"{sample}.parquet") for sample in SAMPLES]
    return ["evaluate", str(model), *images, "-o", str(out), "--config", str(valid / "quick.yaml")]


def counting_model() -> onnx.ModelProto:
    """Counts lit pixels: all, those in the outer columns, and the dark ones."""
    forward = np.ones((1, 72, 58), dtype=np.float32)
    forward[..., 15:-15] = 0.0
    constants = [
        numpy_helper.from_array(np.array([1, 2, 3]), "axes"),
        numpy_helper.from_array(forward, "mask"),
        numpy_helper.from_array(np.array(4176.0, dtype=np.float32), "n_pixels"),
    ]
    nodes = [
        helper.make_node("ReduceSum", ["image", "axes"], ["pixel_sum"], keepdims=0),
        helper.make_node("Mul", ["image", "mask"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "axes"], ["forward"], keepdims=0),
        helper.make_node("Sub", ["n_pixels", "pixel_sum"], ["emptiness"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 72, 58])
    scores = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N"]) for name in _SCORES]
    graph = helper.make_graph(nodes, "counting", [image], scores, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {"darktrigger": json.dumps(_METADATA)})
    return model


def _metadata_of(model: onnx.ModelProto) -> dict[str, object]:
    try:
        found = json.loads(model.metadata_props[0].value)
    except (IndexError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _wrong_metadata(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    if rng.random() < 0.1:
        del model.metadata_props[:]
    else:
        value = json.dumps(
            spoil(_metadata_of(model), rng, ("precision", "reconstruction", "seed", "scores")), default=str
        )
        helper.set_model_props(model, {"darktrigger": value})


def _rename_score(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """A name that is no file name, everywhere in the model."""
    old, new = str(rng.choice(_SCORES)), _NAMES[int(rng.integers(len(_NAMES)))]
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [new if name == old else name for name in names]
    for output in model.graph.output:
        if output.name == old:
            output.name = new
    metadata = _metadata_of(model)
    scores = metadata.get("scores")
    if isinstance(scores, dict):
        metadata["scores"] = {new if name == old else name: spec for name, spec in scores.items()}
    helper.set_model_props(model, {"darktrigger": json.dumps(metadata)})


def _wrong_shape(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    values = [*model.graph.input, *model.graph.output]
    dimensions = values[int(rng.integers(len(values)))].type.tensor_type.shape.dim
    if len(dimensions):
        dimension = dimensions[int(rng.integers(len(dimensions)))]
        dimension.dim_value = int(rng.choice([0, 1, 2, 58, 2**31, -1]))


def _wrong_type(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    values = [*model.graph.input, *model.graph.output]
    values[int(rng.integers(len(values)))].type.tensor_type.elem_type = int(rng.choice([1, 7, 8, 10, 11, 99]))


def _wrong_constant(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    constant = model.graph.initializer[int(rng.integers(len(model.graph.initializer)))]
    if constant.data_location == TensorProto.EXTERNAL:
        return
    values = numpy_helper.to_array(constant).copy()
    if rng.random() < 0.5:
        strange: list[float] = [0, -1, 7, 100] if values.dtype.kind == "i" else [np.nan, np.inf, -np.inf, 1e38, 0, -1]
        values[...] = rng.choice(strange)
    else:
        values = values.reshape(-1)[: int(rng.integers(values.size + 1))]
    constant.CopyFrom(numpy_helper.from_array(values, constant.name))


def _wrong_operator(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    node = model.graph.node[int(rng.integers(len(model.graph.node)))]
    node.op_type = str(rng.choice(_OPERATORS))
    if rng.random() < 0.5:
        del node.input[1:]
    if rng.random() < 0.2:
        node.domain = "elsewhere"


def _rewire(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """Another input: cycles, or names that do not exist."""
    node = model.graph.node[int(rng.integers(len(model.graph.node)))]
    if node.input:
        names = [*_SCORES, "image", "axes", "mask", "nowhere", ""]
        node.input[int(rng.integers(len(node.input)))] = str(rng.choice(names))


def _external_data(model: onnx.ModelProto, rng: np.random.Generator) -> None:
    """A constant that claims to lie in another file."""
    constant = model.graph.initializer[int(rng.integers(len(model.graph.initializer)))]
    constant.ClearField("raw_data")
    constant.data_location = TensorProto.EXTERNAL
    for key, value in {
        "location": str(rng.choice(["/etc/passwd", "../x", "weights"])),
        "offset": "0",
        "length": "16",
    }.items():
        entry = constant.external_data.add()
        entry.key, entry.value = key, value


_WRONGS = (_wrong_metadata, _wrong_metadata, _wrong_metadata, _rename_score, _rename_score, _wrong_shape, _wrong_type,
           _wrong_constant, _wrong_operator, _rewire, _external_data)  # fmt: skip
