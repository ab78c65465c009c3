"""Time and peak memory of the distance-correlation loss, beside the naive dense form.

    OMP_NUM_THREADS=2 python -m benchmarks.disco [--events 10000] [--repeats 3]

Value and gradient of one batch of two scores, each form in a process of its own; the kernel tells its peak, and
what torch and Python take without any loss is taken off.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from multiprocessing import get_context
from typing import NamedTuple

import torch
from torch import Tensor

from ml.disco import distance_correlation


class Cost(NamedTuple):
    """Value, seconds (best of the repeats) and peak memory (MiB) of one form."""

    value: float
    seconds: float
    memory: float


def naive(x_N: Tensor, y_N: Tensor) -> Tensor:
    """Squared distance correlation from centred n x n matrices, by autograd, in float32 as usual."""

    def centred(x_N: Tensor) -> Tensor:
        distance_NN = (x_N[:, None] - x_N[None, :]).abs()
        return distance_NN - distance_NN.mean(0) - distance_NN.mean(1)[:, None] + distance_NN.mean()

    a_NN, b_NN = centred(x_N), centred(y_N)
    return (a_NN * b_NN).mean() / ((a_NN * a_NN).mean() * (b_NN * b_NN).mean()).sqrt()


def nothing(x_N: Tensor, y_N: Tensor) -> Tensor:
    """What a process costs anyway."""
    return (x_N * y_N).mean()


FORMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "none": nothing,
    "naive dense": naive,
    "ml.disco": distance_correlation,
}


def cost(name: str, events: int, repeats: int) -> Cost:
    """Run one form."""
    generator = torch.Generator().manual_seed(1)
    x_N = torch.randn(events, generator=generator)
    y_N = x_N.square() + torch.randn(events, generator=generator)
    inputs = x_N.requires_grad_(), y_N.requires_grad_()
    seconds, value = [], torch.zeros(())
    for _ in range(repeats):
        start = time.perf_counter()
        value = FORMS[name](*inputs)
        torch.autograd.grad(value, inputs)
        seconds.append(time.perf_counter() - start)
    return Cost(value.item(), min(seconds), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=10_000, help="events of the batch")
    parser.add_argument("--repeats", type=int, default=3, help="of each form; the fastest counts")
    arguments = parser.parse_args()
    found = {}
    for name in FORMS:
        with get_context("spawn").Pool(1) as pool:
            found[name] = pool.apply(cost, (name, arguments.events, arguments.repeats))
    print(f"{arguments.events} events, {torch.get_num_threads()} threads")
    for name, (value, seconds, memory) in found.items():
        if name != "none":
            extra = memory - found["none"].memory
            print(f"{name:12s} DisCo^2 {value:.6f}  {1000 * seconds:8.1f} ms  {extra:8.1f} MiB above the process")


if __name__ == "__main__":
    main()
