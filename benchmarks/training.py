"""Events per second of a CoDAE training step at batch 128, in float32 and bfloat16, beside a plain float32 version.

The plain version is put together from standard layers and takes the whole batch at once. Each
version has a process of its own with the same number of threads; they take turns at every
step, and the fastest step counts, since others may use the machine too. Both start from the
same weights and see the same real images, augmented alike: the first loss must agree to 1e-5 (1%
in bfloat16), the later ones to 1%, since Adam's first steps follow the sign of each gradient, and so blow up
the rounding of the small ones.

    python -m benchmarks.training [--steps 4] [--threads 2] [--micro-batches 4 8 16 32]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.plain_codae import PlainCoDAE
from darktrigger.memory import keep_freed_memory
from imaging.config import ImagingConfig
from imaging.convert import convert
from imaging.sample import Sample
from ml.augmentation import augment, draw
from ml.data import ImageData, load_background
from ml.models.codae import CoDAE, CoDAEConfig
from ml.module import Reconstruction, accumulate_gradient, clip_each
from ml.scores import bce
from ml.streams import stream, torch_stream
from ml.threads import thread_map
from ml.training_config import TrainingConfig

ROOT = Path(__file__).parents[1]
BATCH = 128
PLAIN, FLOAT32, BFLOAT16 = "plain", "darktrigger", "darktrigger, bfloat16"
_worker: dict[str, Any] = {}


def real_images(folder: Path) -> Path:
    """Image file of the real QCD events in tests/data."""
    path = folder / "qcd.parquet"
    convert([str(ROOT / "tests" / "data" / "qcd.root")], path, Sample(process="qcd"), ImagingConfig())
    return path


def batch(data: ImageData, step: int) -> torch.Tensor:
    """128 augmented images; the file's events are repeated, each time under another augmentation."""
    rows = stream(1, "rows", step).integers(len(data), size=BATCH)
    return augment(data.dense(rows), draw(BATCH, torch_stream(1, "augmentation", step)))


def start(version: str, images: Path, threads: int) -> None:
    """Build one version in this process."""
    torch.set_num_threads(threads)
    source = CoDAE(CoDAEConfig())
    source.reset_parameters(torch_stream(1, "weights"))
    model: nn.Module = source
    if version == PLAIN:
        model = PlainCoDAE()
        model.load_state_dict(source.state_dict())
    else:
        keep_freed_memory()
    optimizer = Reconstruction(model, bce, TrainingConfig()).configure_optimizers()
    _worker.update(version=version, model=model, optimizer=optimizer, data=load_background([images], "coarse mask"))


def step(index: int, micro_batch: int = 8) -> tuple[float, float]:
    """One training step; returns seconds and loss."""
    model, optimizer = _worker["model"], _worker["optimizer"]
    image_NCHW = batch(_worker["data"], index)
    begin = time.perf_counter()
    optimizer.zero_grad()
    if _worker["version"] == PLAIN:
        loss = F.binary_cross_entropy_with_logits(model(image_NCHW), image_NCHW, reduction="sum") / BATCH
        loss.backward()
    else:
        rounded = torch.autocast("cpu", torch.bfloat16, enabled=_worker["version"] == BFLOAT16)
        with thread_map() as each, rounded:
            loss = accumulate_gradient(model, bce, image_NCHW, micro_batch, each)
    clip_each(model.parameters(), 1.0)
    optimizer.step()
    return time.perf_counter() - begin, loss.item()


def main() -> int:
    """Run both versions and print what they did; fails where the loss curves differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=4, help="training steps of each version (4)")
    parser.add_argument("--threads", type=int, default=2, help="threads of each version (2)")
    parser.add_argument("--micro-batches", type=int, nargs="*", default=[], help="also time these micro-batch sizes")
    arguments = parser.parse_args()
    context = get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        images = real_images(Path(folder))
        pools = {
            version: ProcessPoolExecutor(1, context, start, (version, images, arguments.threads))
            for version in (PLAIN, FLOAT32, BFLOAT16)
        }
        runs: dict[str, list[tuple[float, float]]] = {version: [] for version in pools}
        for index in range(arguments.steps):
            for version, pool in pools.items():
                runs[version].append(pool.submit(step, index).result())
        rate = {version: BATCH / min(seconds for seconds, _ in run) for version, run in runs.items()}
        print(f"training step, batch {BATCH}, {arguments.threads} threads, torch {torch.__version__}; seconds and loss")
        print("step", *(f"{version:>22}" for version in runs))
        for index, taken in enumerate(zip(*runs.values(), strict=True)):
            print(f"{index:4d}", *(f"{seconds:10.2f} {loss:11.3f}" for seconds, loss in taken))
        for version, value in rate.items():
            times = f"{value / rate[PLAIN]:5.2f} times plain"
            print(f"{version:>22}: {value:6.1f} events/s, {1e3 / value:6.1f} ms an event, {times} (fastest step)")
        for micro_batch in arguments.micro_batches:
            seconds = [pools[FLOAT32].submit(step, index, micro_batch).result()[0] for index in range(3)]
            print(f"micro-batch {micro_batch:3d}: {BATCH / min(seconds):6.1f} events/s (best of 3 steps)")
        for pool in pools.values():
            pool.shutdown()
    failed = False
    for version, first_most in ((FLOAT32, 1e-5), (BFLOAT16, 0.01)):
        pairs = zip(runs[PLAIN], runs[version], strict=True)
        differences = [abs(ours / plain - 1) for (_, plain), (_, ours) in pairs]
        print(f"{version:>22}: losses differ by {differences[0]:.1e} at first, {max(differences):.1e} at most")
        failed |= differences[0] > first_most or max(differences) > 0.01
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
