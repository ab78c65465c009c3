"""Milliseconds an event of the exported CoDAE, of its mask encoder alone and of a student, on one thread.

ONNX Runtime and OpenVINO (also in bfloat16, where the CPU has it) beside torch eager, on real images, with
random weights (time does not depend on them). The variants take turns of some calls, so that a busy machine
slows all, and each finds in the caches what it left there, as in a trigger, which runs one model. The last
column says how many times faster than a plain float32 export of the CoDAE (``benchmarks/plain_codae.py``,
from which not even a score is asked) a variant is: the ratio of the medians.

    python -m benchmarks.inference [--repeats 200] [--model TRIGGER.onnx ...]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.openvino import openvino_runner
from analysis.runtime import Runtime
from analysis.trigger import Trigger
from benchmarks.plain_codae import PlainCoDAE
from darktrigger.errors import ConfigError
from darktrigger.pretrained import pretrained_models
from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.dense import model_input
from imaging.image_file import read_image_file
from imaging.sample import Sample
from ml.export import Scorer, to_onnx
from ml.models import student
from ml.models.codae import SCORES, CoDAE, CoDAEConfig
from ml.models.student import Student, StudentConfig
from ml.networks import MaskEncoder

DATA = Path(__file__).parents[1] / "tests" / "data" / "qcd.root"
#: Calls that follow each other, after one that is not timed.
CALLS_IN_TURN = 20

PLAIN = "plain CoDAE, onnxruntime"
Run = Callable[[NDArray[np.float32]], object]

#: What runs, and the kind of images that it takes.
Variant = tuple[Run, str]


class Logits(Scorer):
    """A network whose output is one tensor, as it is."""

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """The network's output."""
        return (self.model(image),)


def real_images() -> dict[str, NDArray[np.float32]]:
    """The real QCD events in tests/data, shape (n, channels, 72, 58), by kind."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "qcd.parquet"
        convert([str(DATA)], path, Sample(process="qcd"), ImagingConfig())
        images = read_image_file(path).images
    return {kind: model_input(images, kind) for kind in ("coarse mask", "coarse E_T")}


def runtimes() -> list[Runtime]:
    """Those that this machine has."""
    found = []
    for runtime in Runtime:
        try:
            Trigger(pretrained_models()["student"], runtime)
        except ConfigError as error:
            print(f"without {runtime}: {error}")
            continue
        found.append(runtime)
    return found


def exported(scorer: Scorer, runtime: Runtime, kind: str = "coarse mask") -> Variant:
    """A scorer as it is exported, on one thread."""
    model = to_onnx(scorer, kind, runtime.engine).SerializeToString()
    if runtime is Runtime.ONNXRUNTIME:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return lambda image_NCHW: session.run(None, {"image": image_NCHW}), kind
    run = openvino_runner(model, bfloat16=runtime is Runtime.OPENVINO_BF16)
    return lambda image_NCHW: run(scorer.names, image_NCHW), kind


def eager(module: Scorer | MaskEncoder) -> Variant:
    """A module in torch."""

    def run(image_NCHW: NDArray[np.float32]) -> object:
        with torch.inference_mode():
            return module(torch.from_numpy(image_NCHW))

    return run, "coarse mask"


def trigger(path: Path, runtime: Runtime) -> Variant:
    """A trigger model from a file, on one thread."""
    model = Trigger(path, runtime)
    return lambda image_NCHW: model.run(list(model.metadata.scores), image_NCHW), model.metadata.input.kind


def main() -> None:
    """Time all variants and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200, help="calls at batch 1; a twentieth of it at 128 (200)")
    parser.add_argument("--model", type=Path, nargs="*", default=[], help="trigger models of coarse images to time too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model = CoDAE(CoDAEConfig()).eval()
    full, latents = Scorer(model, SCORES), Scorer(model, ("z1", "z2"))
    here = runtimes()
    variants = {PLAIN: exported(Logits(PlainCoDAE().eval(), ("logits",)), Runtime.ONNXRUNTIME)}
    for runtime in here:
        variants[f"CoDAE, {runtime}"] = exported(full, runtime)
        variants[f"mask encoder, {runtime}"] = exported(latents, runtime)
        for kind in ("coarse mask", "coarse E_T"):
            scorer = Scorer(Student(StudentConfig(input=kind)).eval(), student.SCORES)
            variants[f"student of {kind}, {runtime}"] = exported(scorer, runtime, kind)
        variants |= {f"{path.name}, {runtime}": trigger(path, runtime) for path in arguments.model}
    variants |= {"CoDAE, torch": eager(full), "mask encoder, torch": eager(model.mask_encoder)}
    images = real_images()
    print(f"one thread, torch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}; ms an event")
    print(f"{'':36} {'batch':>5} {'calls':>5} {'median':>8} {'99th percentile':>16} {'plain / this':>13}")
    for batch, calls in ((1, arguments.repeats), (128, max(3, arguments.repeats // 20))):
        image_NCHW = {kind: np.resize(image, (batch, *image.shape[1:])) for kind, image in images.items()}
        times: dict[str, list[float]] = {name: [] for name in variants}
        turn = min(calls, CALLS_IN_TURN)
        for _ in range(0, calls, turn):
            for name, (run, kind) in variants.items():
                run(image_NCHW[kind])
                for _ in range(turn):
                    begin = time.perf_counter()
                    run(image_NCHW[kind])
                    times[name].append((time.perf_counter() - begin) / batch * 1e3)
        for name, spent in times.items():
            median, slow = np.median(spent), np.quantile(spent, 0.99)
            ratio = np.median(times[PLAIN]) / median
            print(f"{name:36} {batch:5d} {len(spent):5d} {median:8.3f} {slow:16.3f} {ratio:13.1f}")


if __name__ == "__main__":
    main()
