"""Events per second of training steps on an accelerator, the CoDAE's beside a plain float32 version.

The plain version is put together from standard layers, computes in true float32 (no TF32) and clips the gradients
one by one. Both start from the same weights and see the same real images, augmented alike; their losses stand side
by side. The other families are timed alone, and so are the chains of a normalized autoencoder.

    python -m benchmarks.accelerator [--steps 40] [--batch 128] [--compile]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.plain_codae import PlainCoDAE
from benchmarks.training import real_images
from ml.augmentation import augment, draw
from ml.config import run_config
from ml.data import ImageData, load_background
from ml.devices import accelerator
from ml.models.codae import CoDAE, CoDAEConfig
from ml.models.nae import NAE, NAEConfig
from ml.module import Reconstruction, Stochastic, accumulate_gradient, clip_each, compiled
from ml.nae import sampler
from ml.nae.config import NAETraining
from ml.registry import family
from ml.scores import bce
from ml.spectral import holding
from ml.streams import stream, torch_stream
from ml.training_config import TrainingConfig

#: Steps before the clock starts.
_WARM_UP = 5

Step = Callable[[Tensor], Tensor]


def batches(data: ImageData, steps: int, size: int) -> list[Tensor]:
    """Augmented batches on the accelerator; the file's events are repeated, each time under another augmentation."""
    found = []
    for index in range(steps):
        rows = stream(1, "rows", index).integers(len(data), size=size)
        found.append(augment(data.dense(rows), draw(size, torch_stream(1, "augmentation", index))).to(accelerator()))
    return found


def optimizer_of(model: nn.Module) -> torch.optim.Optimizer:
    """As in training."""
    return Reconstruction(model, bce, TrainingConfig()).configure_optimizers()


def plain_step() -> Step:
    """The plain CoDAE."""
    source = CoDAE(CoDAEConfig())
    source.reset_parameters(torch_stream(1, "weights"))
    model = PlainCoDAE()
    model.load_state_dict(source.state_dict())
    model = model.to(accelerator())
    optimizer = optimizer_of(model)

    def step(image_NCHW: Tensor) -> Tensor:
        optimizer.zero_grad()
        loss = F.binary_cross_entropy_with_logits(model(image_NCHW), image_NCHW, reduction="sum") / len(image_NCHW)
        loss.backward()
        for parameter in model.parameters():
            if parameter.grad is not None:
                nn.utils.clip_grad_norm_(parameter, 1.0)
        optimizer.step()
        return loss.detach()

    return step


def our_step(name: str, *, autocast: bool, channels_last: bool = False, compile_it: bool = False) -> Step:
    """A family's training step; compiled, as ``training.compile`` has it."""
    spec = family(name)
    model = spec.model(run_config(name, {}).model)
    model.reset_parameters(torch_stream(1, "weights"))
    model = model.to(accelerator(), memory_format=torch.channels_last if channels_last else torch.preserve_format)
    optimizer = optimizer_of(model)
    network = compiled(model) if compile_it else None
    generator = torch_stream(1, "noise", device=accelerator())
    label = torch.arange(1024, device=accelerator()) % 2

    def step(image_NCHW: Tensor) -> Tensor:
        optimizer.zero_grad()
        noise = model.draw(len(image_NCHW), generator) if isinstance(model, Stochastic) else None
        target = label[: len(image_NCHW)] if name == "cct" else None
        with torch.autocast(accelerator().type, torch.bfloat16, autocast):
            loss = accumulate_gradient(model, spec.loss, image_NCHW, len(image_NCHW), map, noise, target, network)
        clip_each(model.parameters(), 1.0)
        optimizer.step()
        return loss

    return step


def chain_step(micro_batch: int, settings: dict[str, Any], device: torch.device) -> Step:
    """The chains of a normalized autoencoder, which are nearly all of its step."""
    model = NAE(NAEConfig()).to(device)
    config = NAETraining.model_validate({"pretrained": ".", "micro_batch": micro_batch, **settings})
    replay = sampler.Replay(config.replay, model.latents)

    def step(image_NCHW: Tensor) -> Tensor:
        generator = torch_stream(1, "chains", device=device)
        with holding(model):
            samples = sampler.draw(model, len(image_NCHW), replay, config, generator, map)
        return samples.image.mean()

    return step


def measure(step: Step, images: list[Tensor]) -> tuple[float, list[float]]:
    """Seconds a step, and the losses."""
    losses, begin = [], 0.0
    for index, image_NCHW in enumerate(images):
        if index == _WARM_UP:
            torch.accelerator.synchronize()
            begin = time.perf_counter()
        losses.append(step(image_NCHW))
    torch.accelerator.synchronize()
    return (time.perf_counter() - begin) / (len(images) - _WARM_UP), [float(loss) for loss in losses]


def report(name: str, step: Callable[[], Step], images: list[Tensor], plain: float | None = None) -> float:
    """Measure and print."""
    try:
        begin = time.perf_counter()
        seconds, losses = measure(step(), images)
    except Exception as error:  # noqa: BLE001 (one version that fails must not end the others)
        print(f"{name:>34}: {type(error).__name__}: {str(error)[:300]}", flush=True)
        return float("nan")
    rate, whole = len(images[0]) / seconds, time.perf_counter() - begin
    ratio = f"{rate * plain / len(images[0]):6.2f}x" if plain else ""
    shown = " ".join(f"{loss:.1f}" for loss in losses[:: max(1, len(losses) // 4)])
    print(
        f"{name:>34}: {1e3 * seconds:7.2f} ms {rate:9.0f} events/s {ratio:>8} loss {shown} ({whole:.0f} s)", flush=True
    )
    return seconds


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40, help="steps of each version (40)")
    parser.add_argument("--batch", type=int, default=128, help="events in a batch (128)")
    parser.add_argument("--compile", action="store_true", help="the compiled network too, which takes a minute")
    options = parser.parse_args()
    device = accelerator()
    if device.type == "cpu":
        print("no accelerator here; benchmarks.training has the CPU's figures")
        return 1
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    with tempfile.TemporaryDirectory() as folder:
        file = real_images(Path(folder))
        masks = batches(load_background([file], "coarse mask"), options.steps, options.batch)
        energies = batches(load_background([file], "coarse E_T"), options.steps, options.batch)
    print(f"batch {options.batch}, torch {torch.__version__}, {device}")
    plain = report("plain float32 CoDAE", plain_step, masks)
    report("codae, float32", partial(our_step, "codae", autocast=False), masks, plain)
    report("codae, bfloat16", partial(our_step, "codae", autocast=True), masks, plain)
    report(
        "codae, bfloat16, channels last", partial(our_step, "codae", autocast=True, channels_last=True), masks, plain
    )
    for name in ("cae", "codvae", "heimel"):
        report(f"{name}, bfloat16", partial(our_step, name, autocast=True), masks)
    report("cct, bfloat16", partial(our_step, "cct", autocast=True), energies)
    report("chains of 30 + 30 steps", partial(chain_step, options.batch, {}, device), masks[:15])
    if options.compile:
        report("codae, bfloat16, compiled", partial(our_step, "codae", autocast=True, compile_it=True), masks, plain)
    return 0


if __name__ == "__main__":
    sys.exit(main())
