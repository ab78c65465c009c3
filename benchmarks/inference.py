"""Milliseconds an event of the exported CoDAE and of its mask encoder alone, on one thread.

ONNX Runtime beside torch eager, on real images, with random weights (time does not depend on
them); the variants take turns, so that a busy machine slows all.

    python -m benchmarks.inference [--repeats 200]
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

from imaging.config import ImagingConfig
from imaging.convert import Sample, convert
from imaging.dense import coarse_mask
from imaging.image_file import read_image_file
from ml.export import Scorer, to_onnx
from ml.models.codae import SCORES, CoDAE, CoDAEConfig
from ml.networks import MaskEncoder

DATA = Path(__file__).parents[1] / "tests" / "data" / "qcd.root"
Run = Callable[[NDArray[np.float32]], object]


def real_images() -> NDArray[np.float32]:
    """Mask images of the real QCD events in tests/data, shape (n, 1, 72, 58)."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "qcd.parquet"
        convert([str(DATA)], path, Sample(process="qcd"), ImagingConfig())
        return coarse_mask(read_image_file(path).images)


def runtime(scorer: Scorer) -> Run:
    """A scorer in ONNX Runtime, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    model = to_onnx(scorer, "coarse mask").SerializeToString()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda image_NCHW: session.run(None, {"image": image_NCHW})


def eager(module: Scorer | MaskEncoder) -> Run:
    """A module in torch."""

    def run(image_NCHW: NDArray[np.float32]) -> object:
        with torch.inference_mode():
            return module(torch.from_numpy(image_NCHW))

    return run


def main() -> None:
    """Time all variants and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=200, help="calls at batch 1; a twentieth of it at 128 (200)")
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    model = CoDAE(CoDAEConfig()).eval()
    full, latents = Scorer(model, SCORES), Scorer(model, ("z1", "z2"))
    variants = {
        "CoDAE, ONNX Runtime": runtime(full),
        "CoDAE, torch": eager(full),
        "mask encoder, ONNX Runtime": runtime(latents),
        "mask encoder, torch": eager(model.mask_encoder),
    }
    images = real_images()
    print(f"float32, one thread, torch {torch.__version__}, ONNX Runtime {onnxruntime.__version__}; ms an event")
    print(f"{'':28} {'batch':>5} {'calls':>5} {'median':>8} {'99th percentile':>16}")
    for batch, calls in ((1, repeats), (128, max(3, repeats // 20))):
        image_NCHW = np.resize(images, (batch, *images.shape[1:]))
        times: dict[str, list[float]] = {name: [] for name in variants}
        for run in variants.values():
            run(image_NCHW)
        for _ in range(calls):
            for name, run in variants.items():
                begin = time.perf_counter()
                run(image_NCHW)
                times[name].append((time.perf_counter() - begin) / batch * 1e3)
        for name, seconds in times.items():
            print(f"{name:28} {batch:5d} {calls:5d} {np.median(seconds):8.2f} {np.quantile(seconds, 0.99):16.2f}")


if __name__ == "__main__":
    main()
