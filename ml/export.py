"""Export of a trained run to a trigger model (CONTRACTS.md, "Trigger model (ONNX)")."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxscript.optimizer
import torch
from torch import Tensor, nn

from darktrigger.errors import ConfigError, ModelFileError
from darktrigger.files import atomic_path
from darktrigger.provenance import versions
from imaging.input_shapes import ALL_INPUT_SHAPES
from ml.calibration import CALIBRATION, read_calibration
from ml.data import PlainBatches, load_images
from ml.distillation import TARGETS, read_targets
from ml.family import Family
from ml.layers import standard_layers
from ml.quantize import Batch, to_float16, to_int8
from ml.registry import family, score
from ml.run_folder import RunRecord, load_model, origin_of, read_config, read_record
from ml.scores import select

METADATA_KEY = "darktrigger"
RECONSTRUCTION = "reconstruction"
OPSET = 18

_CALIBRATION_EVENTS = 256

#: Elements of a weight that is reshaped at export.
_LARGEST_WEIGHT = 2**24

PRECISIONS = ("fp32", "fp16", "int8")

#: What a graph can be written for.
RUNTIMES = ("onnxruntime", "openvino")


class Scorer(nn.Module):
    """A model whose outputs are scores, and after them the reconstruction if asked for.

    Parameters
    ----------
    model
        Trained model.
    names
        Scores, in the order of the outputs.
    reconstruction
        Whether to put out the reconstruction too.
    extras
        Further fields of the model's output to put out.
    """

    def __init__(
        self, model: nn.Module, names: Sequence[str], *, reconstruction: bool = False, extras: Sequence[str] = ()
    ) -> None:
        super().__init__()
        self.model, self.names, self.reconstruction, self.extras = model, tuple(names), reconstruction, tuple(extras)

    @property
    def outputs(self) -> list[str]:
        """Names of all outputs, in order."""
        return [*self.names, *([RECONSTRUCTION] if self.reconstruction else []), *self.extras]

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """One tensor of shape (n,) for each score; the reconstruction has the image's shape."""
        output = self.model(image)
        scores = tuple(score(name).function(image, output) for name in self.names)
        reconstruction = (output.reconstruction,) if self.reconstruction else ()
        return (*scores, *reconstruction, *(getattr(output, name) for name in self.extras))


def to_onnx(scorer: Scorer, input_kind: str, runtime: str = RUNTIMES[0]) -> onnx.ModelProto:
    """Trace a scorer; what none of its scores needs is not in the graph.

    The input is ``image``, with a free batch dimension; the outputs bear the scores' names, and
    ``reconstruction``. The graph has the form that is fastest in the runtime, and runs in any.
    """
    image_NCHW = torch.zeros(2, *ALL_INPUT_SHAPES[input_kind])
    with quiet_exporter(), standard_layers(scorer) if runtime == "openvino" else nullcontext():
        program = torch.onnx.export(
            scorer.eval(),
            (image_NCHW,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=scorer.outputs,
            dynamic_shapes={"image": {0: torch.export.Dim("batch", min=0)}},
            external_data=False,
            verbose=False,
        )
        assert program is not None  # noqa: S101 (None only comes from the old exporter)
        # Weights must lie in the file as the convolutions take them, to be laid out or quantised; the exporter
        # itself leaves large ones as they were.
        onnxscript.optimizer.fold_constants(
            program.model, output_size_limit=_LARGEST_WEIGHT, should_fold=lambda node: node.op_type == "Reshape" or None
        )
        onnxscript.optimizer.remove_unused_nodes(program.model)
    return program.model_proto


def export_run(
    run_dir: Path,
    output: Path,
    precision: str = "fp32",
    scores: Sequence[str] | None = None,
    *,
    reconstruction: bool = False,
    runtime: str = RUNTIMES[0],
) -> None:
    """Write the best model of a run as an ONNX file whose outputs are its scores.

    Parameters
    ----------
    run_dir
        Run folder of :func:`ml.training.train`.
    output
        ONNX file.
    precision
        ``fp32``, ``fp16`` (large weights, from which ONNX Runtime computes in float32) or ``int8``
        (3 x 3 convolutions, calibrated on the run's images); input and scores stay float32. int8
        keeps the latents (correlation with fp32 of 0.9997 for the authors' weights on QCD), but
        coarsens the reconstruction (0.94 to 0.997) and shifts its scores: set thresholds on its
        own output.
    scores
        All of the family's unless given; ``z1`` and ``z2`` alone give the mask encoder alone.
    reconstruction
        Whether the file also puts out ``reconstruction``, of the image's shape; of a normalized autoencoder also
        ``prepared``, the image as the network sees it, which is what it rebuilds, and ``latent``.
    runtime
        Where the model will be computed, ``onnxruntime`` or ``openvino``: the same values in the form that is faster
        there.

    Raises
    ------
    ConfigError
        No such score, precision or runtime, none of the family's layers has int8, or the family reconstructs nothing.
    UnreadableFileError, ModelFileError
        No finished run in ``run_dir``, or, for int8, its images are gone.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision: expected one of {', '.join(PRECISIONS)} (found '{precision}')")
    if runtime not in RUNTIMES:
        raise ConfigError(f"runtime: expected one of {', '.join(RUNTIMES)} (found '{runtime}')")
    run_dir, record = Path(run_dir), read_record(Path(run_dir))
    spec = family(record.family)
    settings = read_config(run_dir, record.family).model
    kind = spec.kind(settings)
    names = select(None if scores is None else tuple(scores), spec.score_names(settings))
    if reconstruction and not spec.reconstructs:
        raise ConfigError(f"reconstruction: asked for, but a {record.family} rebuilds no image")
    metadata = describe(run_dir, spec, names, precision) | {RECONSTRUCTION: reconstruction}
    trained, extras = load_model(run_dir), spec.extras if reconstruction else ()
    if reconstruction and spec.describe:
        metadata |= spec.describe(trained, run_dir)
    model = to_onnx(Scorer(trained, names, reconstruction=reconstruction, extras=extras), kind, runtime)
    if precision == "fp16":
        model = to_float16(model)
    elif precision == "int8":
        model = to_int8(model, calibration_images(run_dir, spec))
    for node in model.graph.node:
        # The exporter notes there the source files and lines of this machine.
        node.ClearField("metadata_props")
    onnx.helper.set_model_props(model, {METADATA_KEY: json.dumps(metadata)})
    onnx.checker.check_model(model)
    with atomic_path(output) as temporary:
        onnx.save(model, temporary)


def calibration_images(run_dir: Path, spec: Family) -> Iterator[Batch]:
    """Background images of a run, a few hundred at most, in small batches.

    Raises
    ------
    ModelFileError
        The run's image files are not what they were.
    """
    record, config = read_record(run_dir), read_config(run_dir, read_record(run_dir).family)
    settings = config.training
    files = [Path(path) for path in record.files]
    data = load_images(files, spec.kind(config.model), settings.entries, settings.events, settings.seed)
    if data.files != record.files:
        raise ModelFileError(run_dir, f"{', '.join(data.files)} changed since the training; int8 is calibrated on them")
    rows = np.flatnonzero(data.label == settings.events.background)[:_CALIBRATION_EVENTS]
    for batch_NCHW in PlainBatches(data, rows, batch_size=16):
        yield batch_NCHW.numpy()


def describe(run_dir: Path, spec: Family, names: Sequence[str], precision: str) -> dict[str, Any]:
    """Metadata of a trigger model."""
    record, calibration = read_record(run_dir), read_calibration(run_dir)
    if missing := set(names) - set(calibration.scores):
        raise ModelFileError(run_dir / CALIBRATION, f"lacks the scores {', '.join(sorted(missing))}")
    config = read_config(run_dir, record.family)
    return {
        "family": record.family,
        "config": config.model.model_dump(mode="json"),
        "input": {
            "kind": spec.kind(config.model),
            "normalisation": "none",
            "sums_channels": spec.sums_channels,
        },
        "scores": {name: {"direction": calibration.scores[name].direction} for name in names},
        "training": learnt_from(run_dir) | taught_by(run_dir, record),
        "seed": config.training.seed,
        "precision": precision,
        "versions": record.versions | versions("torch", "onnx", "onnxscript"),
    }


def learnt_from(run_dir: Path) -> dict[str, Any]:
    """Files, events and entries of a run and, if it started from given weights, of what those had learnt from."""
    origin = origin_of(run_dir)
    return origin.model_dump(mode="json", exclude={"family"} if origin.pretrained else {"family", "pretrained"})


def taught_by(run_dir: Path, record: RunRecord) -> dict[str, Any]:
    """Of a student, its teacher, and the centre and unit of the student's score in the teacher's own units."""
    if record.teacher is None:
        return {}
    targets = read_targets(run_dir / TARGETS)
    # The targets have their anomalous end up, whatever the direction of the teacher's score.
    return {"teacher": record.teacher.model_dump() | {"location": targets.location, "scale": targets.scale}}


@contextmanager
def quiet_exporter() -> Iterator[None]:
    """Keep the exporter's own deprecations and hints out of the log."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [each.level for each in loggers]
    try:
        for each in loggers:
            each.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            warnings.filterwarnings("ignore", category=FutureWarning)
            yield
    finally:
        for each, level in zip(loggers, levels, strict=True):
            each.setLevel(level)
