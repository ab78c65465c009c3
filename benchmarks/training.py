"""Events per second of a CoDAE training step at batch 128, beside a plain float32 version.

The plain version is put together from standard layers and takes the whole batch at once. Each
version has a process of its own with the same number of threads; they take turns at every
step, and the fastest step counts, since others may use the machine too. Both start from the
same weights and see the same real images, augmented alike: the first loss must agree to 1e-5,
the later ones to 1%, since Adam's first steps follow the sign of each gradient, and so blow up
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
    if version == "plain":
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
    if _worker["version"] == "plain":
        loss = F.binary_cross_entropy_with_logits(model(image_NCHW), image_NCHW, reduction="sum") / BATCH
        loss.backward()
    else:
        with thread_map() as each:
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
            for version in ("plain", "darktrigger")
        }
        runs: dict[str, list[tuple[float, float]]] = {version: [] for version in pools}
        for index in range(arguments.steps):
            for version, pool in pools.items():
                runs[version].append(pool.submit(step, index).result())
        rate = {version: BATCH / min(seconds for seconds, _ in run) for version, run in runs.items()}
        print(f"training step, batch {BATCH}, float32, {arguments.threads} threads, torch {torch.__version__}")
        print(f"{'step':>4} {'plain s':>8} {'ours s':>8} {'plain loss':>11} {'our loss':>11}")
        for index, ((t_plain, loss_plain), (t_ours, loss_ours)) in enumerate(zip(*runs.values(), strict=True)):
            print(f"{index:4d} {t_plain:8.2f} {t_ours:8.2f} {loss_plain:11.3f} {loss_ours:11.3f}")
        for version, value in rate.items():
            print(f"{version:>11}: {value:6.1f} events/s, {1e3 / value:6.1f} ms an event (fastest step)")
        print(f"{'ratio':>11}: {rate['darktrigger'] / rate['plain']:.2f}")
        for micro_batch in arguments.micro_batches:
            seconds = [pools["darktrigger"].submit(step, index, micro_batch).result()[0] for index in range(3)]
            print(f"micro-batch {micro_batch:3d}: {BATCH / min(seconds):6.1f} events/s (best of 3 steps)")
        for pool in pools.values():
            pool.shutdown()
    differences = [abs(ours / plain - 1) for (_, plain), (_, ours) in zip(*runs.values(), strict=True)]
    print(f"relative difference of the losses: first {differences[0]:.1e}, largest {max(differences):.1e}")
    return int(differences[0] > 1e-5 or max(differences) > 0.01)


if __name__ == "__main__":
    sys.exit(main())
